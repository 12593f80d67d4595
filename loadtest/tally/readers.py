"""What there is to read, each object once: from S3, from a folder laid out alike, from whatever has `poll`.

Mechanism: each poll lists what there is, and streams every object that it has not read before in blocks of whole lines.
Where an object lies says what it is: documents under `logs/route=…/`, error records under `failed/route=…/reason=…/`
(docs/architecture.md, 6). An object counts as read when its lines were; who leaves early gets it again.

Cost: the keys read so far, one block, and a listing for each poll. With `since`, folders of earlier hours are not
listed: a listing for each route, partition, year, month, day and hour from then on, instead of one for each thousand
objects that the bucket ever took.
"""

import io
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from loadtest.plain import plain_stream
from loadtest.read_s3 import route_of_key
from loadtest.tally.tally import Tally

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK_BYTES: Final = 1_000_000
DELIVERED: Final = "logs/"
FAILED: Final = "failed/"
NO_REASON: Final = "unknown"
_HOUR: Final = re.compile(r"/year=(\d{4})/(?:month=(\d\d)/(?:day=(\d\d)/(?:hour=(\d\d)/)?)?)?")
# An object lies in the hour of its oldest record, and is written up to half an hour later.
_MARGIN: Final = timedelta(hours=1)


class Found(NamedTuple):
    """Something that could be read at a time (Unix s): blocks of whole lines, to be gone through once.

    `route` is whose place it lay in, if that says. `failed` is the reason of error records, None for documents. `raw`
    says that it is what clients sent, not yet documents.
    """

    route: str | None
    readable_at: float
    failed: str | None
    lines: Iterator[bytes]
    raw: bool = False


class Reader(Protocol):
    """A place that is read."""

    def poll(self) -> Iterator[Found]:
        """What no poll has given before."""
        ...


def read_into(tally: Tally, readers: Iterable[Reader]) -> int:
    """Give a tally everything that is new; how many objects, or answers, that was."""
    count = 0
    for reader in readers:
        for found in reader.poll():
            count += 1
            for lines in found.lines:
                if found.failed is not None:
                    tally.fail(lines, reason=found.failed, route=found.route)
                elif found.raw:
                    tally.accept(lines, route=found.route, readable_at=found.readable_at)
                else:
                    tally.deliver(lines, route=found.route, readable_at=found.readable_at)
    return count


class UnreadableObjectError(Exception):
    """An object that is no whole gzip file, or that could not be read to its end."""

    def __init__(self, key: str, cause: Exception) -> None:
        super().__init__(
            f"{key} cannot be read to its end ({type(cause).__name__}: {cause}): what was in it is unknown, "
            "so there is no account; look at the object, and take it away to account without it"
        )


class Stored(NamedTuple):
    """An object by its key, and when it was last written (Unix s)."""

    key: str
    modified: float


class Objects(Protocol):
    """Where objects are."""

    def list(self) -> Iterator[Stored]:
        """All that are there now."""
        ...

    def open(self, key: str) -> IO[bytes]:
        """The bytes of one."""
        ...


class ObjectReader:
    """Reads the new objects of a place. `modified`: they were readable when they were written, for who comes later."""

    def __init__(self, objects: Objects, *, modified: bool = False, clock: Callable[[], float] = time.time) -> None:
        self._objects, self._modified, self._clock = objects, modified, clock
        self._read: set[str] = set()

    def poll(self) -> Iterator[Found]:
        """The objects that no poll has given before. Reading their lines raises UnreadableObjectError."""
        for stored in self._objects.list():
            if stored.key in self._read:
                continue
            body = self._objects.open(stored.key)
            readable_at = stored.modified if self._modified else self._clock()
            failed = reason_of_key(stored.key)
            yield Found(route_of_key(stored.key), readable_at, failed, blocks(stored.key, body))
            self._read.add(stored.key)


def reason_of_key(key: str) -> str | None:
    """The reason in a failed object's key; None for an object of documents."""
    if not key.startswith(FAILED):
        return None
    named = re.search(r"/reason=([^/]+)/", key)
    return named[1] if named else NO_REASON


def blocks(key: str, body: IO[bytes], *, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """An object's lines, gzipped or not, in blocks of about so many bytes that end with a line."""
    rest = b""
    raw: io.BufferedReader = io.BufferedReader(_Forward(body))
    try:
        with raw, plain_stream(raw) as plain:
            while data := plain.read(size):
                whole, newline, after = data.rpartition(b"\n")
                if newline:
                    yield rest + whole + newline
                    rest = after
                else:
                    rest += data
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableObjectError(key, error) from error
    if rest:
        yield rest


class BucketObjects:
    """A bucket's objects under some prefixes, those of hours since a time (Unix s) if it is given."""

    def __init__(
        self,
        client: "S3Client",
        *,
        bucket: str,
        prefixes: Sequence[str] = (DELIVERED, FAILED),
        since: float | None = None,
    ) -> None:
        self._client, self._bucket, self._prefixes = client, bucket, prefixes
        first = None if since is None else datetime.fromtimestamp(since, UTC) - _MARGIN
        self._first = None if first is None else (first.year, first.month, first.day, first.hour)

    def list(self) -> Iterator[Stored]:
        """Their keys, by prefix and in order."""
        for prefix in self._prefixes:
            yield from self._below(prefix)

    def open(self, key: str) -> IO[bytes]:
        """One's body."""
        return cast("IO[bytes]", self._client.get_object(Bucket=self._bucket, Key=key)["Body"])

    def _below(self, prefix: str) -> Iterator[Stored]:
        more: dict[str, Any] = {} if self._first is None or "/hour=" in prefix else {"Delimiter": "/"}
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, **more)
        for page in pages:
            for found in page.get("Contents", []):
                yield Stored(found["Key"], found["LastModified"].timestamp())
            for folder in page.get("CommonPrefixes", []):
                if self._is_late_enough(folder["Prefix"]):
                    yield from self._below(folder["Prefix"])

    def _is_late_enough(self, folder: str) -> bool:
        hour = _HOUR.search(folder)
        if hour is None or self._first is None:
            return True
        told = tuple(int(each) for each in hour.groups() if each is not None)
        return told >= self._first[: len(told)]


class FolderObjects:
    """The files below a folder that is laid out as the bucket is; one without that layout is read as documents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> Iterator[Stored]:
        """Their paths from the folder on, in order; what the transformer keeps for itself is no delivery."""
        for file in sorted(self._folder.rglob("*")):
            key = file.relative_to(self._folder).as_posix()
            if file.is_file() and not key.startswith(("oversize/", "reasons/")):
                yield Stored(key, file.stat().st_mtime)

    def open(self, key: str) -> IO[bytes]:
        """One's bytes."""
        return (self._folder / key).open("rb")


class _Forward(io.RawIOBase):
    """S3's body, which has only `read`, as a stream that can be buffered, peeked into, and closed."""

    def __init__(self, body: IO[bytes]) -> None:
        super().__init__()
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writeable buffer
        view = memoryview(buffer).cast("B")
        data = self._body.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()
