"""What the function is told by its environment; the other side is `sluice.canary`."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from loadtest.marker import LAST_SOURCE, Marker

PLACES: Final = 60
"""How many sequence numbers a minute has; so many tracers at most."""
_NANO: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route to watch; see `sluice.canary.Watched`."""

    name: str
    tag: str
    kind: Literal["s3", "search"]
    place: str
    expected: int
    found_after: int

    @property
    def source(self) -> int:
        """Its number in a marker, by its name: routes may be put in another order."""
        return zlib.crc32(self.name.encode()) & LAST_SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything. `system` is the environment's name, as `sluice-prod`; `search` the address and `es` or `aoss`."""

    system: str
    bucket: str
    search: tuple[str, str] | None
    run: int
    host: str
    ports: tuple[int, ...]
    per_minute: int
    margin: int
    read_bytes: int
    routes: tuple[Route, ...]

    def deadline(self, route: Route) -> int:
        """After so many seconds a tracer that was acknowledged and is nowhere is lost: twice the longest, and a bit."""
        return 2 * route.expected + self.margin

    def marker(self, route: Route, sequence: int, due_unix_nano: int) -> bytes:
        """A tracer's marker."""
        return Marker(self.run, route.source, sequence, due_unix_nano).encode()


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings. Raises KeyError or ValueError for an environment that is not the canary's."""
    told = json.loads(environment["SLUICE_CANARY"])
    endpoint = environment.get("SLUICE_SEARCH_ENDPOINT")
    return Settings(
        system=environment["SLUICE_SYSTEM"],
        bucket=environment["SLUICE_BUCKET"],
        search=(endpoint, environment["SLUICE_SEARCH_SERVICE"]) if endpoint else None,
        run=told["run"],
        host=told["host"],
        ports=tuple(told["ports"]),
        per_minute=told["per_minute"],
        margin=told["margin"],
        read_bytes=told["read_bytes"],
        routes=tuple(
            Route(name=name, tag=tag, kind=kind, place=place, expected=expected, found_after=after)
            for name, tag, kind, place, expected, after in told["routes"]
        ),
    )


def minute_of(sequence: int) -> int:
    """The minute that a tracer belongs to, since 1970."""
    return sequence // PLACES


def first_of(minute: int) -> int:
    """The number of a minute's first tracer."""
    return minute * PLACES


def seconds_of(due_unix_nano: int) -> float:
    """Unix seconds."""
    return due_unix_nano / _NANO
