"""Tracers in S3: every object of a route is read once, as a stream, and searched for the markers' beginning.

Mechanism: the hour folders from the oldest tracer that is still awaited up to now are listed, and what was not read
before is read. Only a line with a marker in it is parsed. How many bytes are read is bounded, as they lie in S3, and so
is the time; what is beyond is not read later either, for the next five minutes have as much again: it is told, and no
tracer that may lie in it is called lost.

Cost: a request to list for each folder, one to get for each object; inflating 100 MB/s of documents or more for each
vCPU. An object is remembered by 12 characters for as long as its folder is listed.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import base64
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, NamedTuple, cast

from loadtest.canary.kept import RouteState
from loadtest.canary.seen import Copy, copies_in, markers_of
from loadtest.canary.settings import Route
from loadtest.marker import HEAD, RUN_LETTERS, letters

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOUR_SECONDS: Final = 3600
_READ_BYTES: Final = 1 << 20
_EITHER: Final = zlib.MAX_WBITS | 32
_GZIP_MAGIC: Final = b"\x1f\x8b"
_NAME_LENGTH: Final = 12


class _Object(NamedTuple):
    key: str
    folder: str
    size: int
    at: float


@dataclass
class Budget:
    """How many bytes may still be read, and whether there is time; counts what was read and what was not."""

    left: int
    has_time: Callable[[], bool]
    read: int = 0
    skipped: int = 0

    def take(self, size: int, *, share: int) -> bool:
        """Whether an object of this size may be read, out of this share of what is left."""
        if size > share or size > self.left or not self.has_time():
            self.skipped += size
            return False
        self.left -= size
        self.read += size
        return True


class Objects:
    """The delivered and the failed objects of a bucket."""

    def __init__(self, client: "S3Client", bucket: str, *, run: int) -> None:
        self._client, self._bucket, self._run = client, bucket, run
        self._needle = HEAD + letters(run, RUN_LETTERS)

    def new(self, route: Route, state: RouteState, *, since: float, now: float) -> list[_Object]:
        """The objects that were not read before; forgets the folders that are listed no more."""
        folders = list(_folders(route.place, since, now))
        for gone in state.read.keys() - set(folders):
            del state.read[gone]
        return [
            found
            for folder in folders
            for found in self._listed(folder)
            if found.at >= since and _name(found) not in state.read.get(folder, ())
        ]

    def read(
        self, route: Route, state: RouteState, objects: Iterable[_Object], budget: Budget, *, share: int
    ) -> Iterator[Copy]:
        """The tracers in these objects, which count as read; what the budget has no room for is noted in the state."""
        for each in objects:
            state.read.setdefault(each.folder, set()).add(_name(each))
            if not budget.take(each.size, share=share):
                state.blind_until = max(state.blind_until, each.at)
                continue
            share -= each.size
            try:
                for line in self._lines(each.key, needle=self._needle):
                    yield from copies_in(line, route, run=self._run, readable_at=each.at)
            except (zlib.error, EOFError):
                budget.skipped += each.size
                state.blind_until = max(state.blind_until, each.at)

    def failed(self, route: Route, wanted: frozenset[int], budget: Budget, *, since: float) -> dict[int, str]:
        """Those of the wanted tracers that lie under failed/, with the reason that their folder names."""
        found: dict[int, str] = {}
        for reason, folder in self._reasons(f"failed/route={route.name}/"):
            for each in (each for hour in _folders(folder, since, time.time()) for each in self._listed(hour)):
                if not budget.take(each.size, share=budget.left):
                    continue
                for line in self._lines(each.key, needle=b"rawData"):
                    found |= dict.fromkeys(markers_of(_raw(line), route, run=self._run) & wanted, reason)
        return found

    def _reasons(self, prefix: str) -> Iterator[tuple[str, str]]:
        told = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        for each in told.get("CommonPrefixes", ()):
            folder = each["Prefix"]
            yield folder.removeprefix(f"{prefix}reason=").rstrip("/"), folder

    def _listed(self, folder: str) -> Iterator[_Object]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder)
        for page in pages:
            for each in page.get("Contents", ()):
                yield _Object(each["Key"], folder, each["Size"], each["LastModified"].timestamp())

    def _lines(self, key: str, *, needle: bytes) -> Iterator[bytes]:
        """The object's lines that have the needle in them."""
        body = cast("IO[bytes]", self._client.get_object(Bucket=self._bucket, Key=key)["Body"])
        rest = b""
        for block in _inflated(body):
            data = rest + block
            end = data.rfind(b"\n") + 1
            yield from _lines_with(data[:end], needle)
            rest = data[end:]
        yield from _lines_with(rest, needle)


def _folders(place: str, since: float, now: float) -> Iterator[str]:
    """The hour folders of a time, oldest first, as Firehose names them (UTC)."""
    for hour in range(int(since // HOUR_SECONDS), int(now // HOUR_SECONDS) + 1):
        yield place + time.strftime("year=%Y/month=%m/day=%d/hour=%H/", time.gmtime(hour * HOUR_SECONDS))


def _name(found: _Object) -> str:
    return hashlib.sha256(found.key.encode()).hexdigest()[:_NAME_LENGTH]


def _inflated(body: "IO[bytes]") -> Iterator[bytes]:
    """A stream's blocks, inflated where it is gzipped, one member after the other. Raises zlib.error, EOFError."""
    block = body.read(_READ_BYTES)
    if not block.startswith(_GZIP_MAGIC):
        while block:
            yield block
            block = body.read(_READ_BYTES)
        return
    inflating = zlib.decompressobj(_EITHER)
    while block:
        yield inflating.decompress(block)
        block = inflating.unused_data or body.read(_READ_BYTES)
        if inflating.eof and block:
            inflating = zlib.decompressobj(_EITHER)
    if not inflating.eof:
        raise EOFError("the object ends in the middle")


def _lines_with(data: bytes, needle: bytes) -> Iterator[bytes]:
    at = data.find(needle)
    while at >= 0:
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        yield data[data.rfind(b"\n", 0, at) + 1 : end]
        at = data.find(needle, end)


def _raw(line: bytes) -> bytes:
    """What failed, out of an error record of Firehose; nothing for a line that is none."""
    try:
        return base64.b64decode(json.loads(line)["rawData"])
    except (ValueError, TypeError, KeyError):
        return b""
