"""A record on its way to becoming a document, and the document's form.

One per line, in a loop that runs a hundred thousand times a second, so it is the one mutable value here: parsing
makes it, each step may change it, encoding reads it. What the lines of one source share (where they come from, the
attributes that every one of them carries) is made once: a frozen Source, and a frozen Resource with its JSON ready
made. So attributes are shared until a document gets its own: they are replaced, never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from lambdas.transform.event_id import start_hash
from lambdas.transform.jsontext import free_name
from lambdas.transform.levels import Severity

REWRITTEN = "log.record.rewritten"
"""Attribute that lists what could not be kept as it was written, see jsontext."""
TIME_DOUBT = "log.record.time_doubt"
"""Attribute that says why a time in the record was not believed: `before_2000`, `after_observed`, `unparsable`."""


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """Where records come from: OpenTelemetry's resource attributes, nested, and the same as a member of JSON."""

    members: Mapping[str, Any]
    json: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "json", _member("resource", self.members) if self.members else "")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What the lines of one container, stream and tag share; `shared` is all of it, as it came."""

    resource: Resource
    tag: str | None
    attributes: dict[str, Any]
    shared: bytes
    hash: blake2b = field(init=False)
    json: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", start_hash(self.shared))
        object.__setattr__(self, "json", "" if self.tag is None else _member("tag", self.tag))


class Document:
    """A record in the one schema. Times are RFC 3339 in UTC with nine digits; body is None until there is one.

    `dropped_by` names the rule that drops it, upon which it is counted and not written. `is_understood` says that its
    body was read by a format that knows where a line of it has its severity.
    """

    __slots__ = (
        "attributes",
        "body",
        "dropped_by",
        "event_id",
        "is_understood",
        "observed",
        "resource",
        "rewritten",
        "severity",
        "source",
        "span_id",
        "time",
        "trace_id",
    )

    def __init__(self, source: Source, time: str, body: Any, event_id: str) -> None:  # noqa: ANN401 - any JSON
        self.source = source
        self.resource: Resource = source.resource
        self.attributes: dict[str, Any] = source.attributes
        self.time = self.observed = time
        self.body = body
        self.event_id = event_id
        self.severity: Severity | None = None
        self.trace_id: str | None = None
        self.span_id: str | None = None
        self.dropped_by: str | None = None
        self.is_understood = False
        self.rewritten: tuple[str, ...] = ()

    @property
    def tag(self) -> str | None:
        """The tag it was sent with."""
        return self.source.tag

    def add(self, attributes: dict[str, Any]) -> None:
        """Add attributes. A name that is taken keeps its value, and the newcomer is called `name#1`."""
        ours = self.attributes
        both = {**ours, **attributes}
        if len(both) == len(ours) + len(attributes):
            self.attributes = both
            return
        ours = dict(ours)
        for name, value in attributes.items():
            ours[free_name(ours, name) if name in ours else name] = value
        self.attributes = ours

    def keep(self, name: str, value: object) -> None:
        """Add one attribute, as `add` does."""
        self.add({name: value})


Encode = Callable[[Document], str]
"""Writes a document as a line of JSON, in one shape or another."""


def encode(document: Document) -> str:
    """Write a document as a line of JSON, without the members that are empty."""
    if document.rewritten:
        document.keep(REWRITTEN, sorted(set(document.rewritten)))
    body = "" if document.body is None else document.body
    attributes = document.attributes
    said = orjson.dumps({"body": body, "attributes": attributes} if attributes else {"body": body})[1:].decode()
    severity = document.severity.json if document.severity else ""
    trace = _trace(document) if document.trace_id or document.span_id else ""
    return (
        f'{{"@timestamp":"{document.time}","observedTimestamp":"{document.observed}",{severity}{trace}'
        f'{document.resource.json}{document.source.json}"event_id":"{document.event_id}",{said}\n'
    )


def _trace(document: Document) -> str:
    ids = {"traceId": document.trace_id, "spanId": document.span_id}
    return "".join(_member(name, value) for name, value in ids.items() if value)


def _member(name: str, value: object) -> str:
    return f'"{name}":{orjson.dumps(value).decode()},'
