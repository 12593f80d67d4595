"""What was put to a Kinesis data stream since a time: what clients sent, before anything transformed it.

Every shard is read from its first record at that time on, and those that a split or a merge makes as they appear.
Markers are found in the data as it is: a KPL aggregate holds its lines as they are, and nobody compresses them. There
is no event_id yet, so every further copy is an ordinary one. Poll at least
every five minutes, after which an iterator expires.

Cost: a call for each shard and 10 MB or 10,000 records; a shard allows five a second, all its readers together.
https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from loadtest.tally.readers import Found

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_MOST: Final = 10_000


class StreamReader:
    """Reads a stream, all of whose records are of one route, from a time on (Unix s).

    `modified`: a record was readable when it arrived, for who comes later.
    """

    def __init__(
        self,
        client: "KinesisClient",
        *,
        stream: str,
        route: str | None,
        since: float,
        modified: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._stream, self._route = client, stream, route
        self._since, self._modified, self._clock = datetime.fromtimestamp(since, UTC), modified, clock
        self._next: dict[str, str | None] = {}

    def poll(self) -> Iterator[Found]:
        """The records that no poll has given before, an answer of a shard at a time."""
        for shard in self._shards():
            if shard not in self._next:
                self._next[shard] = self._client.get_shard_iterator(
                    StreamName=self._stream, ShardId=shard, ShardIteratorType="AT_TIMESTAMP", Timestamp=self._since
                )["ShardIterator"]
            yield from self._new(shard)

    def _shards(self) -> Iterator[str]:
        for page in self._client.get_paginator("list_shards").paginate(StreamName=self._stream):
            for shard in page["Shards"]:
                yield shard["ShardId"]

    def _new(self, shard: str) -> Iterator[Found]:
        while iterator := self._next[shard]:
            answer = self._client.get_records(ShardIterator=iterator, Limit=_MOST)
            now, records = self._clock(), answer["Records"]
            if self._modified:
                for record in records:
                    at = record["ApproximateArrivalTimestamp"].timestamp()
                    yield Found(self._route, at, None, iter((record["Data"],)), raw=True)
            elif records:
                data = b"\n".join(record["Data"] for record in records)
                yield Found(self._route, now, None, iter((data,)), raw=True)
            self._next[shard] = answer.get("NextShardIterator")
            if not records and not answer.get("MillisBehindLatest"):
                return
