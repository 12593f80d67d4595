"""Documents in S3: the objects of the hours that a time range can be in, copied here and read by DuckDB.

Which hours: an object's folder is the hour in which Firehose received its oldest record. A document arrives after it
was written, so its folder is the hour of its time or a later one, up to `late` later, and up to a buffer (15 minutes)
earlier, for it may share its object with an older record.

Cost: a listing for each folder, then every object of those hours is copied whole into a temporary folder; S3
bills a request for each, and the transfer when this is outside of AWS. More than `scan_limit` bytes (as they lie
there) are not read at all. Keys and values of the query never become part of SQL.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from query.documents import Census, Found, Notes, Question, UnreachableError
from query.lines import Lines
from query.times import SECOND_NS, TimeRange, zoned

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GIB: Final = 1024**3
BUFFER: Final = timedelta(minutes=15)
DEFAULT_LATE: Final = timedelta(hours=1)
_MOST_HOURS: Final = 24 * 92
_MOST_FOLDERS: Final = 2000
_COPIES_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRoute:
    """A route's folder in the bucket, and how many partition keys lie between it and the hours."""

    name: str
    prefix: str
    keys: int = 0


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing tells of it."""

    key: str
    size: int
    modified: datetime


def hours(time: TimeRange, *, now_ns: int, late: timedelta) -> Iterator[str]:
    """The folders of the arrival hours that a time range may be in, oldest first."""
    first = zoned(time.start_ns, UTC) - BUFFER
    last = min(zoned(time.end_ns, UTC) + late, zoned(now_ns, UTC))
    hour = first.replace(minute=0, second=0, microsecond=0)
    while hour <= last:
        yield f"year={hour:%Y}/month={hour:%m}/day={hour:%d}/hour={hour:%H}/"
        hour += timedelta(hours=1)


class Bucket:
    """The objects of some routes in a bucket."""

    def __init__(self, client: S3Client, *, bucket: str, routes: Sequence[StoredRoute]) -> None:
        self.name = f"s3://{bucket}"
        self._client, self._bucket, self._routes = client, bucket, routes

    def within(self, folders: Sequence[str]) -> list[StoredObject]:
        """The objects in some hours' folders, in the order of their keys. UnreachableError when S3 refuses."""
        found: list[StoredObject] = []
        for route in self._routes:
            for head in self._heads(route.prefix, route.keys):
                for folder in folders:
                    found += self._listed(head + folder)
        return found

    def copy(self, objects: Sequence[StoredObject], into: Path) -> list[Path]:
        """Copy objects into a folder, under names that are numbers."""
        files = [into / f"{number:06}" for number in range(len(objects))]

        def fetch(one: tuple[StoredObject, Path]) -> None:
            self._client.download_file(self._bucket, one[0].key, str(one[1]))

        with _refusing(self.name), ThreadPoolExecutor(_COPIES_AT_ONCE) as pool:
            for _ in pool.map(fetch, zip(objects, files, strict=True)):
                pass
        return files

    def newest_hour(self) -> str | None:
        """The newest hour that has objects, as `2026-11-21 10:00 UTC`; one listing for each level of folders."""
        newest = None
        for route in self._routes:
            for head in self._heads(route.prefix, route.keys):
                for _ in ("year", "month", "day", "hour"):
                    inside = self._folders(head)
                    if not inside:
                        break
                    head = inside[-1]  # noqa: PLW2901 - a step down
                parts = [part.partition("=")[2] for part in head.rstrip("/").split("/")[-4:]]
                if all(parts):
                    newest = max(newest or "", "{}-{}-{} {}:00 UTC".format(*parts))
        return newest

    def _heads(self, prefix: str, keys: int) -> list[str]:
        heads = [prefix]
        for _ in range(keys):
            heads = [inside for head in heads for inside in self._folders(head)]
            if len(heads) > _MOST_FOLDERS:
                raise UnreachableError(f"{self.name}/{prefix} has more than {_MOST_FOLDERS:,} partitions to look into")
        return heads

    def _folders(self, prefix: str) -> list[str]:
        with _refusing(self.name):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]

    def _listed(self, prefix: str) -> Iterator[StoredObject]:
        with _refusing(self.name):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for found in page.get("Contents", []):
                    yield StoredObject(found["Key"], found["Size"], found["LastModified"])


class StoredBackend:
    """Answers questions from the objects of some routes. Close it, for it keeps copies."""

    def __init__(
        self, bucket: Bucket, *, now_ns: int, late: timedelta = DEFAULT_LATE, scan_limit: int = 2 * GIB
    ) -> None:
        self.name = bucket.name
        self.notes = Notes()
        self._bucket, self._now_ns, self._late, self._scan_limit = bucket, now_ns, late, scan_limit
        self._stack = ExitStack()
        self._lines: dict[TimeRange, Lines] = {}

    def close(self) -> None:
        """Delete the copies."""
        self._stack.close()

    def find(self, question: Question) -> Iterator[Found]:
        """The documents that match, in order."""
        return self._read(question.range).find(question)

    def census(self, question: Question) -> Census:
        """How many documents there are in the time range, and the newest hour of all."""
        return Census(self._read(question.range).count(question), self._bucket.newest_hour())

    def _read(self, time: TimeRange) -> Lines:
        if time not in self._lines:
            self._lines[time] = self._copied(time)
        return self._lines[time]

    def _copied(self, time: TimeRange) -> Lines:
        if (time.end_ns - time.start_ns) // (3600 * SECOND_NS) > _MOST_HOURS:
            raise UnreachableError(f"{self.name}: a search reads up to 92 days at once: give a later `from`")
        objects = self._bucket.within(list(hours(time, now_ns=self._now_ns, late=self._late)))
        size = sum(found.size for found in objects)
        if size > self._scan_limit:
            raise UnreachableError(
                f"{self.name}: {len(objects):,} objects of {size / GIB:,.2f} GiB would have to be read, and the limit "
                f"is {self._scan_limit / GIB:,.2f}: search for a shorter time, for one --route, or raise --scan-limit"
            )
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-")))
        return self._stack.enter_context(Lines(self._bucket.copy(objects, folder), folder=folder, notes=self.notes))


class _refusing:  # noqa: N801 - read as a verb: `with _refusing(…)`
    """What boto3 raises, as UnreachableError."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Tell what S3 said."""
        if kind is None or error is None:
            return
        from boto3.exceptions import Boto3Error  # noqa: PLC0415 - `sluice --help` need not load it
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        if isinstance(error, Boto3Error | BotoCoreError | ClientError):
            raise UnreachableError(
                f"{self._name} cannot be read ({error}): it takes s3:ListBucket and s3:GetObject, and kms:Decrypt of "
                "its key"
            ) from None
