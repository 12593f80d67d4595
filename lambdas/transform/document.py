"""A record on its way to becoming a document, and the document's form.

One per line, in a loop that runs a hundred thousand times a second, so it is the one mutable value here: parsing
makes it, each step may change it, encoding reads it. What many lines share (where they come from) is a frozen
Resource that carries its JSON ready made; a step that knows better puts another in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from lambdas.transform.jsontext import free_name
from lambdas.transform.levels import Severity

REWRITTEN = "log.record.rewritten"
"""Attribute that lists what could not be kept as it was written, see jsontext."""
TIME_DOUBT = "log.record.time_doubt"
"""Attribute that says why a time in the record was not believed: `before_2000`, `after_observed`, `unparsable`."""


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """Where records come from: OpenTelemetry's resource attributes, nested, and the same as JSON."""

    members: Mapping[str, Any]
    json: orjson.Fragment = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "json", orjson.Fragment(orjson.dumps(self.members)))


@dataclass(slots=True)
class Document:
    """A record in the one schema. Times are RFC 3339 in UTC with nine digits; body is None until there is one."""

    time: str
    observed: str
    body: Any
    resource: Resource
    attributes: dict[str, Any]
    tag: str | None
    event_id: str
    rewritten: tuple[str, ...] = ()
    severity: Severity | None = None

    def keep(self, name: str, value: object) -> None:
        """Add an attribute. One that is there already stays, and the newcomer is called `name#1`."""
        attributes = self.attributes
        attributes[free_name(attributes, name) if name in attributes else name] = value


def encode(document: Document) -> bytes:
    """Write a document as a line of JSON, without the members that are empty."""
    members: dict[str, Any] = {
        "@timestamp": document.time,
        "observedTimestamp": document.observed,
        "body": "" if document.body is None else document.body,
    }
    if document.severity:
        members["severity"] = document.severity
    if document.resource.members:
        members["resource"] = document.resource.json
    if document.rewritten:
        document.keep(REWRITTEN, sorted(set(document.rewritten)))
    if document.attributes:
        members["attributes"] = document.attributes
    if document.tag is not None:
        members["tag"] = document.tag
    members["event_id"] = document.event_id
    return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)
