"""What became readable in a bucket, each object once.

Mechanism: each poll lists the prefixes (paginated) and streams every object it has not read before, line
by line. The time at which an object's documents were readable is when its body could be opened here, so
latencies include up to one poll interval and never flatter. Cost: the keys read so far, and one line.

Whether an object is gzipped its first bytes say, since error objects follow another rule than delivered
ones.
"""

import io
import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from loadtest.plain import plain_stream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from mypy_boto3_s3 import S3Client


class UnreadableObjectError(Exception):
    """An object that does not hold one JSON object per line."""

    def __init__(self, *, bucket: str, key: str, line: int, cause: Exception) -> None:
        super().__init__(f"s3://{bucket}/{key}: line {line}: {type(cause).__name__}: {cause}")


@dataclass(frozen=True, slots=True)
class ReadObject:
    """An object that became readable. `documents` streams its lines, parsed, and can be read once."""

    key: str
    readable_at: float
    documents: Iterator[dict[str, Any]]


class BucketReader:
    """Reads the new objects under some prefixes of a bucket, documents or error records alike."""

    def __init__(
        self,
        client: "S3Client",
        *,
        bucket: str,
        prefixes: Sequence[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._bucket, self._prefixes = client, bucket, prefixes
        self._clock = clock
        self._seen: set[str] = set()

    def poll(self) -> Iterator[ReadObject]:
        """The objects that no poll has given before, in the order of their keys.

        An object counts as read when the next one is asked for: leaving early gives it again. Reading its
        documents raises UnreadableObjectError at a line that is not a JSON object.
        """
        for prefix in self._prefixes:
            for key in self._keys(prefix):
                if key in self._seen:
                    continue
                body = cast("IO[bytes]", self._client.get_object(Bucket=self._bucket, Key=key)["Body"])
                yield ReadObject(key=key, readable_at=self._clock(), documents=self._documents(key, body))
                self._seen.add(key)

    def _keys(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", []):
                yield found["Key"]

    def _documents(self, key: str, body: IO[bytes]) -> Iterator[dict[str, Any]]:
        line_number = 0
        try:
            for line in plain_stream(io.BufferedReader(_ForwardOnly(body))):
                line_number += 1
                if line.strip():
                    yield _parse(line)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise UnreadableObjectError(bucket=self._bucket, key=key, line=line_number, cause=error) from error


def route_of_key(key: str) -> str | None:
    """The route in an object's key (`…/route=<route>/…`), if it names one."""
    parts = [part for part in key.split("/") if part.startswith("route=")]
    return parts[0].removeprefix("route=") if parts else None


def _parse(line: bytes) -> dict[str, Any]:
    document = json.loads(line)
    if not isinstance(document, dict):
        raise ValueError(f"not a JSON object: {line[:80]!r}")
    return document


class _ForwardOnly(io.RawIOBase):
    """S3's body, which has only `read`, as a stream that can be buffered and so peeked into."""

    def __init__(self, body: IO[bytes]) -> None:
        super().__init__()
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self._body.read(len(view))
        view[: len(data)] = data
        return len(data)
