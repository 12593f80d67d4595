"""A record's members, told apart: what Docker, FireLens and our Fluent Bit put there, and everything else.

| Member | Becomes |
|---|---|
| `_time` | observedTimestamp, and the time until a step finds the line's own |
| `_tag` | tag |
| `log`, `source` and what else shippers call the line, see shapes | body, `log.iostream`, time, severity |
| container_id, container_name, ecs_*, ec2_instance_id, see ecs | resource |
| any other | attributes, as it is |

A member we know whose value is not what we expect is like one we do not know: nothing is dropped for being odd.

The lines of one container differ in `log` and `_time` alone. So these two are taken out first, and what the rest means
is worked out once for each spelling of it and remembered: some 3 KB for each of 4,096 sources.
"""

from __future__ import annotations

from typing import Any

from orjson import OPT_SORT_KEYS, dumps

from lambdas.transform.document import TIME_DOUBT, Document, Source
from lambdas.transform.event_id import Arrival, derive_event_id
from lambdas.transform.jsontext import free_name, is_deep, read_object
from lambdas.transform.limits import EARLIEST_TIME, MAX_NESTING
from lambdas.transform.parse.ecs import take_origin
from lambdas.transform.parse.shapes import Line, take_line
from lambdas.transform.times import doubt, is_normal, read_time

_STREAM = "log.iostream"
"""OpenTelemetry's name, https://opentelemetry.io/docs/specs/semconv/general/logs/#io-stream"""
_MOST_SOURCES = 4096
_LONGEST_REMEMBERED = 4096
_UNIQUE = frozenset({"partial_id", "log.record.uid"})
"""Members of which each line has its own: what carries one is not met again."""
_SECOND = len("2026-11-21T02:36:00.")
_NORMAL = len("2026-11-21T02:36:00.123456789Z")
_TEXT, _JSON = "\n", "\r"
"""What an event_id's content says of a line begins with one of these, so that text is never taken for JSON."""

_sources: dict[bytes, Source] = {}


def parse_all(rows: list[dict[str, Any]], arrival: Arrival) -> list[Document]:
    """Make documents of many records' members, in order: what `parse` does, with the usual case in one loop."""
    documents = []
    second = ""
    source: Source | None = None
    same: dict[str, Any] = {"": None}  # the members of that source, which are all text
    for members in rows:
        time, log = members.get("_time"), members.get("log")
        if type(log) is str and type(time) is str and len(time) == _NORMAL:
            if time[:_SECOND] != second:
                second = time[:_SECOND] if _is_usual(time, arrival) else ""
            if second and time[-1] == "Z" and time[_SECOND:-1].isdecimal() and time.isascii():
                del members["_time"], members["log"]
                if members != same:
                    source = _sources.get(dumps(members, option=OPT_SORT_KEYS))
                    # Only text equals nothing but itself: 1 equals True, and they are not the same members.
                    same = members if source and set(map(type, members.values())) == {str} else {"": None}
                if source is not None:
                    event_id = derive_event_id(source.hash, time, _TEXT + log, arrival)
                    documents.append(Document(source, time, log, event_id))
                    continue
                members["_time"], members["log"] = time, log
        documents.append(_parse_other(members, arrival))
    return documents


def _is_usual(time: str, arrival: Arrival) -> bool:
    """Whether a time has the one form, and any time within its second is believed."""
    return is_normal(time) and time >= EARLIEST_TIME and time[:_SECOND] < arrival.latest[:_SECOND]


def _parse_other(members: dict[str, Any], arrival: Arrival) -> Document:
    """Parse what was not met before, which may be nested deeper than a document can be."""
    if is_deep(members, MAX_NESTING + 1) and (found := read_object(dumps(members))):
        members, rewritten = found
        return parse(members, arrival, rewritten)
    return parse(members, arrival)


def parse(members: dict[str, Any], arrival: Arrival, rewritten: tuple[str, ...] = ()) -> Document:
    """Make a document of a record's members, which it takes apart, and what had to be rewritten in them."""
    carried = members.pop("_time", None)
    said = [members.pop("log")] if "log" in members else []
    rest = dumps(members, option=OPT_SORT_KEYS)
    time = read_time(carried) if type(carried) is str else None
    doubted = doubt(time, observed=arrival.time)
    if said:
        members["log"] = said[0]
    source, line = _tell_apart(members, rest)
    content = _spell(said, None if time else carried, rewritten)
    observed = time if time and not doubted else arrival.time
    document = Document(source, observed, line.body, derive_event_id(source.hash, time or "", content, arrival))
    document.severity = line.severity
    document.rewritten = rewritten
    if line.time is not None:
        _believe(document, line.time)
    if doubted and carried is not None:
        document.add({"_time": carried, TIME_DOUBT: doubted})
    return document


def _tell_apart(members: dict[str, Any], rest: bytes) -> tuple[Source, Line]:
    """Work out what a record's members mean; remembered if the next line of its source can have the same ones."""
    log = members.get("log")
    origin = take_origin(members)
    line = take_line(members)
    if line.stream is not None:
        members[free_name(members, _STREAM) if _STREAM in members else _STREAM] = line.stream
    source = Source(resource=origin.resource, tag=origin.tag, attributes=members, shared=rest)
    says_all = type(log) is str and line.body is log and line.time is None and line.severity is None
    if says_all and len(rest) <= _LONGEST_REMEMBERED and _UNIQUE.isdisjoint(members):
        if len(_sources) >= _MOST_SOURCES:
            _sources.clear()
        _sources[rest] = source
    return source, line


def _spell(said: list[Any], carried: object, rewritten: tuple[str, ...]) -> str:
    """What a record says besides its source and its time, for the event_id: its `log`, if it has one."""
    if said and type(said[0]) is str and carried is None and not rewritten:
        return _TEXT + said[0]
    return _JSON + dumps([said, carried, rewritten], option=OPT_SORT_KEYS).decode()


def _believe(document: Document, value: object) -> None:
    """Take the time that a shipper wrote beside the line, unless it cannot be right."""
    time = read_time(value)
    doubted = doubt(time, observed=document.observed)
    if time and not doubted:
        document.time = time
        return
    document.add({"time": value, TIME_DOUBT: doubted})
