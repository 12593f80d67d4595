"""A route's function on this machine: the settings that its stack would give it, and what stands in for AWS.

| In AWS | Here |
|---|---|
| the bucket, for originals of documents that are cut | a folder with the same keys |
| the secret that hashes are made with | a throw-away key: equal values have equal hashes within this run only |
| the stream, for documents that are sent once more | a list, of which the next batch is made |
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from explain.kinds import UsageError
from lambdas.transform.limits import MAX_PUT_BYTES
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.settings import Settings, read_settings
from lambdas.transform.store import S3Store, Store
from sluice import function, names
from sluice.globs import STAR
from sluice.local_run import ACCOUNT, REGION
from sluice.model import Config, deployment
from sluice.routes import Buffering, hashes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MEGABYTE: Final = 1_000_000
_KEY_BYTES: Final = 32
_SOME_TAG: Final = "app"


class Bucket(Protocol):
    """The one call of S3 that the transformer makes."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str, IfNoneMatch: str = "") -> object:  # noqa: N803
        """Keep an object."""


class Nowhere:
    """A bucket that forgets: to explain a line, nothing has to be kept."""

    def put_object(self, **_: object) -> None:
        """Forget an object."""


class Folder:
    """A folder that takes what a bucket would, under the same keys."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kept = 0

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str, IfNoneMatch: str = "") -> None:  # noqa: ARG002, N803 - S3's
        """Write a file."""
        file = self.root / Bucket / Key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(Body)
        self.kept += 1


class Loop:
    """A stream that hands back what it was given."""

    name: Final = "loop"
    most_bytes: Final = MAX_PUT_BYTES
    beside: Final = 0

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def put(self, records: Sequence[bytes]) -> list[bytes]:
        """Take records; none is ever refused."""
        self._waiting += records
        return []

    def take(self) -> list[bytes]:
        """Hand them back."""
        records, self._waiting = self._waiting, []
        return records


@dataclass(frozen=True, slots=True)
class Function:
    """Everything that a route's pipeline is made of, and how its records reach it."""

    settings: Settings = field(default_factory=Settings)
    stream: str = "explain"
    tag: str = _SOME_TAG
    buffering: Buffering = field(default_factory=Buffering)
    hashes: bool = False
    store: Store = field(default_factory=lambda: _store("none", route=_SOME_TAG, bucket=Nowhere()))
    key: RedactionKey = field(default_factory=lambda: _throw_away_key())  # noqa: PLW0108 - it is defined below


def function_of(config: Config, *, route: str, environment: str | None, bucket: Bucket) -> Function:
    """The function of a route, as it would be deployed. UsageError when there is no such route or environment."""
    name = environment or next(iter(config.environments))
    if name not in config.environments:
        raise UsageError(f"there is no environment {name!r}; there are {', '.join(config.environments)}")
    here = deployment(config, name)
    found = next((each for each in here.routes if each.name == route), None)
    if found is None:
        known = ", ".join(f"{each.name} ({each.match})" for each in here.routes)
        raise UsageError(f"there is no route {route!r}; there are {known}")
    name = names.bucket(here, account=here.account or ACCOUNT, region=here.region or REGION)
    told = function.environment(found, bucket=name, key_arn="throw-away")
    return Function(
        settings=read_settings(told),
        stream=names.stream(here, found),
        tag=found.match.replace(STAR, "").strip(".-_/:@") or _SOME_TAG,
        buffering=found.buffering,
        hashes=hashes(found),
        store=_store(name, route=route, bucket=bucket),
    )


def _store(name: str, *, route: str, bucket: Bucket) -> Store:
    return S3Store(bucket=name, route=route, client=cast("Callable[[], S3Client]", lambda: bucket))


def _throw_away_key() -> RedactionKey:
    """A key that nobody else has, made without a call."""
    return RedactionKey("throw-away", fetch=lambda _: secrets.token_hex(_KEY_BYTES))
