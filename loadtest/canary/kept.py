"""What the canary keeps in the bucket, under `canary/`: what was sent, and what was seen so far.

Every write has a condition, so that of two who would write one does.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html

Cost: for each minute two requests to put, for each five minutes one more and one to get; the state is some 20 kB for
each route.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SENT: Final = "canary/sent/"
STATE: Final = "canary/state.json"
VERSION: Final = 1
ID_LENGTH: Final = 12
_TAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_MISSING: Final = frozenset({"NoSuchKey", "404"})

Verdict = str
"""`found`, `lost`, `failed`, `unchecked` or `unsent`."""


@dataclass(frozen=True, slots=True)
class SentRoute:
    """How many tracers a route got in a minute, and which of them were acknowledged."""

    count: int
    acknowledged: frozenset[int]


@dataclass(frozen=True, slots=True)
class SentMinute:
    """What one invocation sent, by route; `at` is when it was done, in Unix seconds."""

    at: float
    routes: Mapping[str, SentRoute]


@dataclass(slots=True)
class Tracer:
    """What is known of one: what was said of it, and the beginnings of the ids of its copies."""

    verdict: Verdict
    ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RouteState:
    """A route: the first minute that is not judged; its tracers by number; by folder the objects that were read.

    `blind_until`: some of what became readable before (Unix seconds) was not read, so nothing missing is called lost.
    """

    since: int
    tracers: dict[int, Tracer] = field(default_factory=dict)
    read: dict[str, set[str]] = field(default_factory=dict)
    blind_until: float = 0.0


@dataclass(slots=True)
class State:
    """All routes, and the tag of the object that it was read from; None where there was none."""

    routes: dict[str, RouteState]
    etag: str | None = None


class Kept:
    """The objects under `canary/` of a bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def claim(self, minute: int, *, at: float) -> bool:
        """Whether it is this invocation that sends the minute's tracers: True for one of all that ask."""
        return self._put(_key(minute), {"claimed": at}, condition={"IfNoneMatch": "*"}) is not None

    def tell_sent(self, minute: int, sent: SentMinute) -> None:
        """Keep what was sent in a minute that was claimed."""
        routes = {name: [route.count, sorted(route.acknowledged)] for name, route in sent.routes.items()}
        self._put(_key(minute), {"at": sent.at, "routes": routes}, condition={})

    def sent(self, minute: int) -> SentMinute | None:
        """What was sent in a minute; None if nobody said so."""
        told = self._get(_key(minute))
        if told is None or "routes" not in told[0]:
            return None
        routes = {name: SentRoute(count, frozenset(of)) for name, (count, of) in told[0]["routes"].items()}
        return SentMinute(told[0]["at"], routes)

    def load(self) -> State:
        """The state; without routes if there is none, or one of another form."""
        told = self._get(STATE)
        if told is None or told[0].get("version") != VERSION:
            return State({}, None if told is None else told[1])
        return State({name: _read_route(route) for name, route in told[0]["routes"].items()}, told[1])

    def save(self, state: State) -> bool:
        """Put the state back; False if somebody else has done so since it was loaded: then that one holds."""
        routes = {name: _written_route(route) for name, route in state.routes.items()}
        condition = {"IfNoneMatch": "*"} if state.etag is None else {"IfMatch": state.etag}
        state.etag = self._put(STATE, {"version": VERSION, "routes": routes}, condition=condition)
        return state.etag is not None

    def _put(self, key: str, value: Mapping[str, Any], *, condition: Mapping[str, Any]) -> str | None:
        body = json.dumps(value, separators=(",", ":")).encode()
        try:
            return self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", **condition
            )["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _TAKEN:
                return None
            raise

    def _get(self, key: str) -> tuple[dict[str, Any], str] | None:
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        return json.loads(found["Body"].read()), found["ETag"]


def _key(minute: int) -> str:
    return f"{SENT}{minute}.json"


def _read_route(told: Mapping[str, Any]) -> RouteState:
    tracers = {int(number): Tracer(verdict, list(ids)) for number, (verdict, *ids) in told["tracers"].items()}
    read = {folder: set(keys) for folder, keys in told["read"].items()}
    return RouteState(told["since"], tracers, read, told["blind_until"])


def _written_route(route: RouteState) -> dict[str, Any]:
    return {
        "since": route.since,
        "tracers": {str(number): [tracer.verdict, *tracer.ids] for number, tracer in route.tracers.items()},
        "read": {folder: sorted(keys) for folder, keys in route.read.items()},
        "blind_until": route.blind_until,
    }
