"""Objects in S3: the destination of delivered records, and the error output of every destination.

Records are gathered until their bytes, before compression, reach the size hint or the first has waited
for the interval, then become one object. Its key is fixed once, so that a write that failed halfway and
is repeated overwrites itself. A write that fails is repeated for ever with a growing pause, and those
behind it wait: the buffer's bound is the stream's bound on pending bytes.

The error output is further instances, see `errors`; a stream with dynamic partitioning has one for each partition,
see `partitioned`.

Source: https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html and s3-object-name.html there.
"""

import gzip
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from local.firehose.clock import Clock, backoff_seconds
from local.firehose.config import BufferHints, Compression
from local.firehose.prefixes import evaluate_prefix, object_suffix
from local.firehose.record import Outgoing

logger = logging.getLogger(__name__)

_EXTENSION: dict[Compression, str] = {"GZIP": ".gz", "UNCOMPRESSED": ""}
_ENCODING: dict[Compression, str | None] = {"GZIP": "gzip", "UNCOMPRESSED": None}


class PutObject(Protocol):
    """Writes one object, or raises; `encoding` is its Content-Encoding, if it has one."""

    def __call__(self, *, bucket: str, key: str, body: bytes, encoding: str | None) -> None:
        """Write `body` under `key`."""
        ...


@dataclass(frozen=True)
class ObjectFormat:
    """How an output's objects are named and made up; `prefix` is complete, see `prefixes`, and may name `keys`."""

    bucket: str
    prefix: str
    stream: str
    version: str
    error_type: str | None = None
    compression: Compression = "UNCOMPRESSED"
    delimiter: bytes = b""
    file_extension: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Sealed:
    """An object that is complete and not yet written."""

    key: str
    body: bytes
    contents: list[Outgoing]
    failures: int = 0
    retry_at: float = 0.0


class S3Output:
    """A buffer of records that becomes objects under one prefix."""

    def __init__(self, objects: ObjectFormat, *, hints: BufferHints, put_object: PutObject, clock: Clock) -> None:
        self._objects = objects
        self._hints = hints
        self._put_object = put_object
        self._clock = clock
        self._filling: list[Outgoing] = []
        self._size = 0
        self._opened_at = 0.0
        self._sealed: deque[_Sealed] = deque()

    def add(self, outgoing: Outgoing) -> None:
        """Take `outgoing` into the object that is being filled, and seal that if it is full."""
        if not self._filling:
            self._opened_at = self._clock.now()
        self._filling.append(outgoing)
        self._size += len(outgoing.data)
        if self._size >= self._hints.size_bytes:
            self._seal()

    @property
    def is_empty(self) -> bool:
        """Whether everything that was added has arrived."""
        return not self._filling and not self._sealed

    def work(self, *, flush: bool) -> list[Outgoing]:
        """Write the objects that are due, oldest first; return what was in those that arrived."""
        if self._filling and (flush or self._closes_at() <= self._clock.now()):
            self._seal()
        arrived: list[Outgoing] = []
        while self._sealed and self._sealed[0].retry_at <= self._clock.now():
            if not self._write(self._sealed[0]):
                break
            arrived += self._sealed.popleft().contents
        return arrived

    def due_at(self, *, flush: bool) -> float | None:
        """Return when the next object is to be written, None if there is none."""
        if self._sealed:
            return self._sealed[0].retry_at
        if not self._filling:
            return None
        return 0.0 if flush else self._closes_at()

    def _closes_at(self) -> float:
        return self._opened_at + self._hints.interval_seconds

    def _seal(self) -> None:
        contents, self._filling, self._size = self._filling, [], 0
        key, body = _build_object(self._objects, contents)
        self._sealed.append(_Sealed(key, body, contents))

    def _write(self, sealed: _Sealed) -> bool:
        encoding = _ENCODING[self._objects.compression]
        bucket = self._objects.bucket
        try:
            self._put_object(bucket=bucket, key=sealed.key, body=sealed.body, encoding=encoding)
        except Exception as error:  # whatever keeps an object from S3 is retried
            sealed.failures += 1
            sealed.retry_at = self._clock.now() + backoff_seconds(sealed.failures)
            logger.warning("s3://%s/%s: attempt %d failed: %s", bucket, sealed.key, sealed.failures, error)
            return False
        return True


def _build_object(objects: ObjectFormat, contents: Sequence[Outgoing]) -> tuple[str, bytes]:
    at = datetime.fromtimestamp(min(item.arrived_ms for item in contents) / 1000, UTC)
    prefix = evaluate_prefix(objects.prefix, at=at, error_type=objects.error_type, keys=objects.keys)
    key = prefix + object_suffix(
        objects.stream,
        objects.version,
        at=at,
        extension=objects.file_extension or _EXTENSION[objects.compression],
    )
    body = objects.delimiter.join(item.data for item in contents)
    return key, gzip.compress(body, compresslevel=6) if objects.compression == "GZIP" else body
