"""What the transformer itself puts into the bucket, each below a prefix of its route and partitioned as the logs are.

- `oversize/`: the whole document of which only the head was delivered, gzipped, under its event_id. A document that
  comes twice has one object: S3 is asked to write only what is not there
  (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
- `reasons/`: why records of a batch failed, one line of JSON each. Firehose stores a failed record's data under
  failed/ and knows no reason of ours, so the two are joined by the SHA-256 of the data (rawData there, in base64).

Cost: nothing until the first call, which loads boto3 (0.4 s); then a round trip each. Both are rare. A call takes
ten seconds at the very most, and after one without an answer S3 is left alone for REST_SECONDS, so that a bucket out
of reach cannot use up the time of the function: what needs it fails at once, alone, and is kept by Firehose.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

import orjson

from lambdas.transform.errors import RecordError
from lambdas.transform.tally import Failure
from lambdas.transform.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 1
READ_SECONDS = 4
ATTEMPTS = 2
REST_SECONDS = 30.0
NOT_STORED = "original_not_stored"
"""Why a record fails whose document would have to be cut and whose original could not be kept."""
_EXISTS = "PreconditionFailed"
_INVOCATION_ID = re.compile(r"[a-zA-Z0-9-]{1,64}")


class Store(Protocol):
    """Where originals and reasons go. Times are as a document has them and choose the partition."""

    def put_original(self, event_id: str, data: bytes, time: str) -> str:
        """Keep the whole of a document. Return where it is; RecordError(NOT_STORED) when it could not be kept."""

    def put_reasons(self, failures: Sequence[Failure], invocation_id: object, time: str) -> bool:
        """Keep why records of the batch with this invocationId failed, and say whether that is done."""


class NoStore:
    """Where there is no bucket: nothing is kept, so nothing is cut either, and reasons are only logged."""

    def put_original(self, event_id: str, data: bytes, time: str) -> str:  # noqa: ARG002 - Store's signature
        """Raise RecordError(NOT_STORED)."""
        raise RecordError(NOT_STORED)

    def put_reasons(self, failures: Sequence[Failure], invocation_id: object, time: str) -> bool:  # noqa: ARG002
        """Say that nothing is kept."""
        return not failures


@cache
def s3_client() -> S3Client:
    """Return the process's client, which gives up early. It is made when it is first needed."""
    import boto3  # noqa: PLC0415 - most processes never need it, and it would double a cold start
    from botocore.config import Config  # noqa: PLC0415

    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=retries)  # type: ignore[arg-type]
    return boto3.client("s3", config=config)


class S3Store:
    """The prefixes of one route in one bucket."""

    def __init__(
        self,
        *,
        bucket: str,
        route: str,
        client: Callable[[], S3Client] = s3_client,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bucket = bucket
        self._route = route
        self._client = client
        self._clock = clock
        self._rests_until = float("-inf")

    def put_original(self, event_id: str, data: bytes, time: str) -> str:
        """Keep the whole of a document, once however often it comes; return its s3:// URI. Raises as Store says."""
        import gzip  # noqa: PLC0415 - as rare as this call

        key = f"oversize/{self._partition(time)}{event_id}.json.gz"
        # Without a time in its header, the same document gives the same bytes.
        if not self._put(key, gzip.compress(data, compresslevel=6, mtime=0), content="application/gzip", once=True):
            raise RecordError(NOT_STORED)
        return f"s3://{self._bucket}/{key}"

    def put_reasons(self, failures: Sequence[Failure], invocation_id: object, time: str) -> bool:
        """Keep why records failed, in one object for the batch."""
        if not failures:
            return True
        told = b"".join(_tell(failure) for failure in failures)
        # Firehose made the id, but it becomes part of a name, so it is taken only for what it should be.
        usual = isinstance(invocation_id, str) and _INVOCATION_ID.fullmatch(invocation_id)
        name = invocation_id if usual else sha256(told).hexdigest()
        return self._put(f"reasons/{self._partition(time)}{name}.jsonl", told, content="application/jsonl")

    def _partition(self, time: str) -> str:
        day, hour = time[:10].split("-"), time[11:13]
        return f"route={self._route}/year={day[0]}/month={day[1]}/day={day[2]}/hour={hour}/"

    def _put(self, key: str, data: bytes, *, content: str, once: bool = False) -> bool:
        if self._clock() < self._rests_until:
            return False
        try:
            self._write(key, data, content=content, once=once)
        # Whatever keeps S3 from taking it, down to an SDK that is not there: it must not fail a batch that is done.
        except Exception as error:
            code = _refusal(error)
            if once and code == _EXISTS:
                return True
            if code is None:
                self._rests_until = self._clock() + REST_SECONDS
            told = {"route": self._route, "key": key, "error": code or type(error).__name__}
            logger().error("not stored", extra=told)
            return False
        return True

    def _write(self, key: str, data: bytes, *, content: str, once: bool) -> None:
        client = self._client()
        if once:
            client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content, IfNoneMatch="*")
        else:
            client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content)


def open_store(*, bucket: str, route: str) -> Store:
    """Return the store of a route, without a bucket one that keeps nothing. It makes no call."""
    return S3Store(bucket=bucket, route=route) if bucket else NoStore()


def _tell(failure: Failure) -> bytes:
    return orjson.dumps(
        {
            "recordId": failure.record_id,
            "sha256": failure.sha256,
            "reason": failure.reason,
            "bytes": failure.data_bytes,
            "error": failure.error,
            "place": failure.place,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _refusal(error: Exception) -> str | None:
    """The code of an answer that refuses; None when there was no answer."""
    response = getattr(error, "response", None)
    return str(response["Error"]["Code"]) if isinstance(response, dict) else None
