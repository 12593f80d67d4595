"""What became readable in OpenSearch, each document once.

Mechanism: a poll asks every shard of the indices for the documents above the sequence number that it has read to, in
their order, which is the order in which the shard took them: none is missed, whatever its times say, and copies of a
line are documents of their own. A document is readable when a search finds it, so refreshing is left to the index, and
latencies include up to one poll interval. Cost: a request per shard and a thousand documents.

A document is read back into the form that S3 has (`sluice.search.form`). https://docs.opensearch.org/latest/api-reference/search-apis/search/
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sluice.search.form import stored_form

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_PAGE: Final = 1000
_MARGIN: Final = timedelta(hours=1)
# What Firehose or a rollover appends to the name of a route's index.
_SUFFIX: Final = re.compile(r"-(\d{6}|\d{4}-(w\d{2}|\d{2}(-\d{2}){0,2}))$")


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document that a search found, as S3 would have it, with the index that holds it."""

    index: str
    readable_at: float
    document: dict[str, Any]


class IndexReader:
    """Reads the new documents of all indices that match a pattern, such as `sluice-prod-*`.

    With `since` (Unix seconds) those only that were observed since an hour before, for indices that hold much else.
    """

    def __init__(
        self,
        client: "OpenSearch",
        *,
        pattern: str,
        since: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._pattern, self._clock = client, pattern, clock
        first = None if since is None else datetime.fromtimestamp(since, UTC) - _MARGIN
        self._late: list[dict[str, Any]] = (
            [] if first is None else [{"range": {"observedTimestamp": {"gte": first.isoformat()}}}]
        )
        self._read: dict[tuple[str, str], int] = {}

    def poll(self) -> Iterator[FoundDocument]:
        """The documents that no poll has given before."""
        shards = self._client.cat.shards(index=self._pattern, format="json", h="index,shard,prirep,state")
        for shard in shards:
            if shard["prirep"] == "p" and shard["state"] == "STARTED":
                yield from self._new(shard["index"], shard["shard"])

    def _new(self, index: str, shard: str) -> Iterator[FoundDocument]:
        while True:
            above = {"range": {"_seq_no": {"gt": self._read.get((index, shard), -1)}}}
            answer = self._client.search(
                index=index,
                params={"preference": f"_shards:{shard}|_primary"},
                body={
                    "size": _PAGE,
                    "query": {"bool": {"filter": [above, *self._late]}},
                    "sort": [{"_seq_no": "asc"}],
                    "track_total_hits": False,
                },
            )
            now, hits = self._clock(), answer["hits"]["hits"]
            for hit in hits:
                yield FoundDocument(index, now, stored_form(hit["_source"]))
                self._read[index, shard] = hit["sort"][0]
            if len(hits) < _PAGE:
                return


def route_of_index(index: str, *, prefix: str) -> str:
    """The route in the name of an index, `<prefix>-<route>` and what rotation appended."""
    return _SUFFIX.sub("", index).removeprefix(f"{prefix}-")
