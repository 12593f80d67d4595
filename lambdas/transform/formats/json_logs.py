"""Step `json`: a body that is a JSON object becomes attributes, a message, a severity and a time.

A record without a line of its own is such an object itself: a client or a sidecar has parsed the line already.

**What is taken.** A key is consumed when its value means what its name says, and then it lives on as body, severity
or `@timestamp`; otherwise it is an attribute like all the others. json_plans tells which names that may be and what a
number means as a level. The first whose value will do is taken, the others stay: `{"message": {"id": 1}}` has no
message but an attribute `message`, and its body is empty text, since the attributes say everything the line said.

**What stays** is as it was written: `{"a.b": 1}` and `{"a": {"b": 1}}` are both kept, neither is turned into the other,
and an object is not made text for standing where other lines have text. NULs stay; what jsontext had to rewrite (lone
surrogates, bytes that are not UTF-8, repeated keys, numbers too large) is told in an attribute.

**Nested.** ECS's `log: {level}` and loguru's `record: {message, level: {name}, time: {repr}}` are read where they are,
and named with dots if they are not consumed. log4j2's `instant`, Google's `timestamp` of seconds and nanos, logback's
`timestamp` and `nanoseconds`, and OpenTelemetry's body and attributes of typed values are read as what they stand for.

Cost: reading the line, proving that nothing was lost, and a look-up each for its shape, message, level and time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lambdas.transform.document import TIME_DOUBT, Document
from lambdas.transform.formats.json_plans import LevelReader, Plan, find_plan
from lambdas.transform.formats.json_values import read_attributes, read_message, read_moment
from lambdas.transform.jsontext import read_object
from lambdas.transform.levels import Severity, read_level
from lambdas.transform.limits import EARLIEST_TIME
from lambdas.transform.times import doubt, read_time

_BEGINNINGS = frozenset("{ \t\r\n")


def lift_json_bodies(documents: Iterable[Document]) -> None:
    """Lift the members out of every body that is a JSON object, see lift_json_body."""
    for document in documents:
        body = document.body
        if type(body) is not str or body[:1] in _BEGINNINGS:
            lift_json_body(document)


def lift_json_body(document: Document) -> None:
    """Lift the members of a JSON object out of the body, or of a record that has none out of its attributes."""
    body = document.body
    if type(body) is str:
        if body[:1] != "{" and body.lstrip()[:1] != "{":
            return
        members = _read(body, document)
    elif body is None:
        members, document.attributes = dict(document.attributes), {}
    elif type(body) is dict:
        members = dict(body)
    else:
        return
    if members:
        _lift(members, document)


def _read(text: str, document: Document) -> dict[str, Any] | None:
    found = read_object(text)
    if found is None:
        return None
    members, rewritten = found
    if rewritten:
        document.rewritten += rewritten
    return members


def _lift(members: dict[str, Any], document: Document) -> None:
    plan = find_plan(tuple(members))
    if plan.usual and _lift_usual(members, plan.usual, document):
        return
    if plan.paths and _hoist(members, plan.paths):
        plan = find_plan(tuple(members))
    document.body = ""
    for key in plan.messages:
        message = members[key]
        if type(message) is str or (message := read_message(message)) is not None:
            document.body = message
            del members[key]
            break
    for key, read in plan.levels:
        if severity := read(members[key]):
            document.severity = severity
            del members[key]
            break
    if plan.times:
        _take_time(members, plan.times, document)
    if plan.is_special:
        _take_special(members, plan, document)
    else:
        document.add(members)


def _lift_usual(members: dict[str, Any], keys: tuple[str, str, LevelReader, str], document: Document) -> bool:
    """What nine lines in ten need, if they are as usual; done without a loop, and in full or not at all."""
    message_key, level_key, read, time_key = keys
    message = members[message_key]
    observed = document.observed
    time = read_time(members[time_key], observed=observed)
    if type(message) is not str or time is None or not EARLIEST_TIME <= time <= observed:
        return False
    if (severity := read(members[level_key])) is None:
        return False
    document.body = message
    document.severity = severity
    document.time = time
    del members[message_key], members[level_key], members[time_key]
    shared = document.attributes
    if members.keys().isdisjoint(shared):
        members.update(shared)  # the shorter of the two, as a rule
        document.attributes = members
    else:
        document.add(members)
    return True


def _take_time(members: dict[str, Any], keys: tuple[str, ...], document: Document) -> None:
    observed = document.observed
    first = None
    for key in keys:
        value = members[key]
        time = read_moment(value) if type(value) is dict else read_time(value, observed=observed)
        doubted = doubt(time, observed=observed)
        if time and not doubted:
            document.time = time
            del members[key]
            return
        first = first or doubted
    document.keep(TIME_DOUBT, first)


def _take_special(members: dict[str, Any], plan: Plan, document: Document) -> None:
    """What few shapes have: a severity that goes without saying, or is said twice, and attributes of typed values."""
    if plan.implied and document.severity is None:
        document.severity = plan.implied(members)
    if plan.level_text:
        _drop_level_text(members, plan.level_text, document.severity)
    typed = read_attributes(members[plan.attributes]) if plan.attributes else None
    if plan.attributes and typed is not None:
        del members[plan.attributes]
    document.add(members)
    if typed:
        document.add(typed)


def _drop_level_text(members: dict[str, Any], key: str, severity: Severity | None) -> None:
    said = read_level(members.get(key))
    if said and severity and said.text == severity.text:
        del members[key]


def _hoist(members: dict[str, Any], paths: tuple[tuple[str, ...], ...]) -> bool:
    """Move what is nested at known paths up, under its name with dots. Say whether anything was."""
    moved = False
    for path in paths:
        moved = (_join_nanoseconds(members) if len(path) == 1 else _move_up(members, path)) or moved
    return moved


def _move_up(members: dict[str, Any], path: tuple[str, ...]) -> bool:
    name = ".".join(path)
    value: Any = members
    for step in path:
        if type(value) is not dict or step not in value:
            return False
        value = value[step]
    is_level = "level" in path
    if type(value) is not str or name in members or (is_level and not read_level(value)):
        return False
    if rest := _without(members[path[0]], path[1:]):
        members[path[0]] = rest
    else:
        del members[path[0]]
    members[name] = value
    return True


def _without(outer: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """An object without what is at a path, nor what that leaves empty. A copy, since objects may be shared."""
    first, *inner = path
    rest = {key: value for key, value in outer.items() if key != first}
    if inner and (left := _without(outer[first], tuple(inner))):
        rest[first] = left
    return rest


def _join_nanoseconds(members: dict[str, Any]) -> bool:
    """Put one number for logback's `timestamp`, in milliseconds, and the nanoseconds of its second."""
    milliseconds, nanoseconds = members.get("timestamp"), members["nanoseconds"]
    if type(milliseconds) is not int or type(nanoseconds) is not int:
        return False
    if milliseconds % 1000 != nanoseconds // 10**6:
        return False
    del members["nanoseconds"]
    members["timestamp"] = milliseconds * 10**6 + nanoseconds % 10**6
    return True
