"""A copy of a tracer, as it was found somewhere."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from loadtest.canary.kept import ID_LENGTH
from loadtest.canary.settings import Route
from loadtest.marker import Marker, find


class Copy(NamedTuple):
    """Which tracer, the beginning of the document's id, and from when on it could be read (Unix seconds)."""

    marker: Marker
    event_id: str
    readable_at: float


def copies_in(line: bytes, route: Route, *, run: int, readable_at: float) -> Iterator[Copy]:
    """The route's tracers in a line of JSON that is a document under its tag; somebody else's text is none."""
    try:
        document = json.loads(line)
    except ValueError:
        return
    if isinstance(document, dict) and document.get("tag") == route.tag:
        for marker in _markers(line, route, run=run):
            yield Copy(marker, str(document.get("event_id", ""))[:ID_LENGTH], readable_at)


def markers_of(data: bytes, route: Route, *, run: int) -> frozenset[int]:
    """The numbers of the route's tracers in some bytes."""
    return frozenset(marker.sequence for marker in _markers(data, route, run=run))


def delay_of(document: dict[str, Any]) -> float | None:
    """How long a document took up to the transformer, in seconds, where it says so."""
    attributes = document.get("attributes")
    told = attributes.get("log.record.delay") if isinstance(attributes, dict) else None
    try:
        return None if told is None else float(told)
    except (TypeError, ValueError):
        return None


def _markers(data: bytes, route: Route, *, run: int) -> Iterator[Marker]:
    return (marker for marker in find(data) if marker.run == run and marker.source == route.source)
