"""What failed becomes visible: one row in the failed index for each record in an object below failed/.

EventBridge invokes it with S3's "Object Created"
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html). What a row holds, and what never, is in
`failed`; the objects stay where they are, to be replayed.

When a row could not be indexed it raises, so that Lambda invokes it again and then tells its dead-letter queue. In a
domain a row's id is made of its object and line, so a second time changes nothing, unless the index rolled over
in between. A serverless collection for time series takes no ids: there a second time gives every row twice.

| Variable | Holds |
|---|---|
| SLUICE_SEARCH_ENDPOINT | https://HOST, or http://127.0.0.1:PORT |
| SLUICE_SEARCH_SERVICE | es: a domain; aoss: a serverless collection |
| SLUICE_FAILED_INDEX | the alias that is written to; in a collection the index |
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from aws_lambda_powertools.logging import Logger

from lambdas.search.client import open_client
from lambdas.search.cluster import Cluster, Deadline
from lambdas.search.failed import Place, Row, row_id, rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_ROWS: Final = 500
CHUNK_BYTES: Final = 5 * 1024 * 1024
READ_BYTES: Final = 256 * 1024
RESERVE_SECONDS: Final = 10.0
"""Left of Lambda's time to say what went wrong."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 15.0
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500


class NotIndexedError(Exception):
    """Rows that OpenSearch did not take: how many, and why the first of them."""


class Context(Protocol):
    """Of Lambda's context, what we use."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go."""

    cluster: Cluster
    index: str
    with_ids: bool
    deadline: Deadline
    sleep: Callable[[float], None] = time.sleep


def handler(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """Index an object's rows and return how many. Raises NotIndexedError, ClusterError and what S3 raises."""
    detail = event["detail"]
    bucket, key = detail["bucket"]["name"], detail["object"]["key"]
    place = Place.of(bucket=bucket, key=key, time=str(event["time"]))
    if place is None:
        _log().warning("no object of failed records", extra={"key": key})
        return {"rows": 0}
    deadline = Deadline(time.monotonic() + max(1.0, context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS))
    service = os.environ["SLUICE_SEARCH_SERVICE"]
    client = open_client(os.environ["SLUICE_SEARCH_ENDPOINT"], service)
    cluster = Cluster(client, deadline=deadline, forbidden_seconds=0)
    target = Target(cluster, os.environ["SLUICE_FAILED_INDEX"], with_ids=service == "es", deadline=deadline)
    indexed = index(target, rows(place, _read(bucket, key)))
    _log().info("indexed", extra={"object": place.uri, "rows": indexed})
    return {"rows": indexed}


def index(target: Target, found: Iterable[Row]) -> int:
    """Index rows and return how many. NotIndexedError after all of them when some were not taken."""
    indexed = 0
    refused: Counter[str] = Counter()
    for chunk in _chunks(target, found):
        taken, why = _bulk(target, chunk)
        indexed += taken
        refused += why
    if refused:
        reason, _ = refused.most_common(1)[0]
        raise NotIndexedError(f"{refused.total()} of {indexed + refused.total()} rows were not indexed: {reason}")
    return indexed


def _chunks(target: Target, found: Iterable[Row]) -> Iterator[list[str]]:
    """The rows as a bulk request has them, in parts that OpenSearch takes."""
    part: list[str] = []
    size = 0
    for row in found:
        action = {"index": {"_id": row_id(row)} if target.with_ids else {}}
        text = f"{json.dumps(action)}\n{json.dumps({k: v for k, v in row.items() if v is not None})}\n"
        if part and (len(part) == CHUNK_ROWS or size + len(text) > CHUNK_BYTES):
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield part


def _bulk(target: Target, chunk: list[str]) -> tuple[int, Counter[str]]:
    """Index one part, again what OpenSearch had no time for. Return how many it took, and why not the others."""
    # An alias that is not there yet must not become an index of its name.
    params = {"require_alias": "true"} if target.with_ids else None
    taken = 0
    refused: Counter[str] = Counter()
    wait = FIRST_WAIT
    while True:
        headers = {"content-type": "application/x-ndjson"}
        told = target.cluster.call(
            "POST", f"/{target.index}/_bulk", body="".join(chunk), params=params, headers=headers
        )
        again = []
        for text, item in zip(chunk, told["items"], strict=True):
            status, error = item["index"]["status"], item["index"].get("error")
            if error is None:
                taken += 1
            elif (status == _TOO_MANY or status >= _SERVER_ERROR) and target.deadline.remaining > wait:
                again.append(text)
            else:
                refused[f"{status} {error.get('type')}: {error.get('reason')}"[:400]] += 1
        if not again:
            return taken, refused
        target.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT)
        chunk = again


def _read(bucket: str, key: str) -> Iterator[bytes]:
    """An object's bytes; none when it is gone, which a replay does."""
    client = _s3()
    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
    except client.exceptions.NoSuchKey:
        _log().warning("object is gone", extra={"key": key})
        return
    yield from body.iter_chunks(READ_BYTES)


@cache
def _s3() -> S3Client:
    import boto3  # noqa: PLC0415 - slow to load, and tests of the rest need none
    from botocore.config import Config  # noqa: PLC0415

    retries = {"mode": "standard", "total_max_attempts": 4}
    config = Config(connect_timeout=3, read_timeout=20, retries=retries)  # type: ignore[arg-type]
    return boto3.client("s3", config=config)


@cache
def _log() -> Logger:
    return Logger(service="quarantine")
