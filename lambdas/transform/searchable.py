"""A document's form for OpenSearch: everything that `encode` writes, in places where no value can be of a wrong type.

OpenSearch answers 400 for a document of which one field has another type than its index expects, and the document is
lost. So nothing that an application chooses becomes a field of its own. What differs from the stored form:

| Member | Here |
|---|---|
| body | always text; another value is its JSON text, and then `body_is_json` is true |
| attributes | as they are, in one `flat_object`: any key, any type, no new fields |
| numbers | a copy of those attributes that are numbers by name (see numbers), for ranges and averages |
| overflow | a list of what its own place cannot hold: `at` says where from, `text` or `json` what; all three are text |

What a flat_object cannot hold (seen on 2.19.3): a term is a path and its value, and one beyond 32,766 bytes fails the
whole document. Short of that, each value is written four times, mostly with its path: 100,000 numbers under one key of
500 characters, a document of a megabyte, kept a node of 512 MB busy for eleven seconds, and those after it got 429. So
a text or a path of more than LONGEST_TERM characters is moved, and a member whose paths add up to more than MAX_PATHS;
in `overflow` it is found by its words, which for a stack trace is better anyway. Objects nested a thousand deep end the
node with a StackOverflowError; orjson writes 254. What in `resource` is no text where the mapping has text (a rule can
mask a whole object), or no object where it has one, is moved as well; and a time that 64 bits of nanoseconds cannot
say, which begin in 1970 and end in 2262, is replaced by the nearest that they can.

`at` is a JSON Pointer (RFC 6901) into the stored form: `/attributes/exception.stacktrace`, `/resource/container`,
`/@timestamp`. To get the stored form back: drop `numbers`; if `body_is_json`, drop that and read the body as JSON; take
`overflow` out and put each entry's `text`, or its `json` read as JSON, where `at` says, instead of what is there. An
object on the way there that is missing is made, for one that is left empty at the top is not written; in a list, a step
is an index, and null holds the place of what was moved.

Cost: half a microsecond over `encode` for a document that fits as it is, which is seen by its length and a few
comparisons; two where numbers are copied. Attributes of more than 2,048 characters are walked through once or twice. A
document grows by its numbers, and by a backslash for each quote inside of what became JSON text, which at worst doubles
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from lambdas.transform.document import Document, Encode, Resource, encode
from lambdas.transform.numbers import names_by_key, number_fields, numbers_of

RESOURCE_FIELDS: Final = (
    *("aws.ecs.cluster.arn", "aws.ecs.cluster.name", "aws.ecs.container.name", "aws.ecs.ec2_instance_id"),
    *("aws.ecs.task.arn", "aws.ecs.task.family", "aws.ecs.task.id", "aws.ecs.task.revision"),
    *("aws.log.group.names", "aws.log.stream.names", "cloud.account.id", "cloud.availability_zone"),
    *("container.id", "container.image.name", "container.name", "deployment.environment.name"),
    *("host.image.id", "host.name", "host.type", "service.name"),
)
"""All members that `resource` can have, see parse/ecs; sluice/search/fields.py has the same."""

LONGEST_TERM: Final = 2048
"""Characters of a text or a path in a flat_object. Both together are at most half of the 32,766 bytes that Lucene takes
(https://lucene.apache.org/core/9_12_0/core/org/apache/lucene/index/IndexWriter.html#MAX_TERM_LENGTH)."""

LONGEST_KEYWORD: Final = 1024
"""Characters of a keyword; what is longer the mapping would store and not index (ignore_above)."""

MAX_PATHS: Final = 1_000_000
"""Characters of a document's attributes, when each value is written with its whole path. Our own choice: it is as long
as a document, and costs a node a tenth of a second."""

FIRST_TIME: Final = "1970-01-01T00:00:00.000000000Z"
LAST_TIME: Final = "2262-04-11T23:47:16.854775807Z"
"""What date_nanos holds, https://docs.opensearch.org/latest/field-types/supported-field-types/date-nanos/"""

_SCALAR = 20
"""Characters of a value that is no text, about."""
_MOVED = object()


class _Moved(NamedTuple):
    """A value that its own place cannot hold: where it was, key by key, and what it is."""

    at: tuple[str | int, ...]
    value: object

    def entry(self) -> dict[str, str]:
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in self.at)
        at = "".join(f"/{step}" for step in steps)
        if isinstance(self.value, str):
            return {"at": at, "text": self.value}
        return {"at": at, "json": _json(self.value)}


@lru_cache(maxsize=16)
def make_searchable(numbers: frozenset[str]) -> Encode:
    """Make what writes a document as a line of JSON for OpenSearch, where `encode` writes it for S3.

    It raises what `encode` does, and adds to a document what `encode` does.

    Args:
        numbers: names of attributes that are numbers, besides those that always are.
    """
    by_key = names_by_key(number_fields(numbers))
    has_none = frozenset(by_key).isdisjoint

    def write(document: Document) -> str:
        line = encode(document)
        if (
            type(document.body) is not str
            or not FIRST_TIME <= document.time <= LAST_TIME
            or not FIRST_TIME <= document.observed <= LAST_TIME
            or _place(document.resource)[1]
            or (len(line) > LONGEST_KEYWORD and _may_be_long(document, line))
        ):
            line = _with_overflow(document)
        attributes = document.attributes
        if has_none(attributes):
            return line
        copies = numbers_of(attributes, by_key)
        return f'{{"numbers":{_json(copies)},{line[1:]}' if copies else line

    return write


def _may_be_long(document: Document, line: str) -> bool:
    """Whether a line's attributes or its tag may be too long for where they are; most lines are long by their body."""
    if len(document.tag or "") > LONGEST_KEYWORD:
        return True
    return len(line) > LONGEST_TERM and len(orjson.dumps(document.attributes)) > LONGEST_TERM


def _with_overflow(document: Document) -> str:
    """The line of a document that does not fit as `encode` writes it."""
    moved: list[_Moved] = []
    body, mark = document.body, ""
    if not isinstance(body, str):
        body, mark = ("", "") if body is None else (_json(body), '"body_is_json":true,')
    attributes = _Walk(moved).members(document.attributes)
    times = _time("@timestamp", document.time, moved) + _time("observedTimestamp", document.observed, moved)
    place, tag = _place(document.resource), document.source.json
    if len(document.tag or "") > LONGEST_KEYWORD:
        moved.append(_Moved(("tag",), document.tag))
        tag = ""
    moved += place.moved
    severity = document.severity.json if document.severity else ""
    ids = {"traceId": document.trace_id, "spanId": document.span_id}
    trace = "".join(_member(name, value) for name, value in ids.items() if value)
    overflow = _member("overflow", [each.entry() for each in moved]) if moved else ""
    said = {"body": body, "attributes": attributes} if attributes else {"body": body}
    return (
        f'{{{times}{severity}{trace}{place.json}{tag}"event_id":"{document.event_id}",'
        f"{overflow}{mark}{_json(said)[1:]}\n"
    )


def _time(name: str, time: str, moved: list[_Moved]) -> str:
    if not FIRST_TIME <= time <= LAST_TIME:
        moved.append(_Moved((name,), time))
        time = min(max(time, FIRST_TIME), LAST_TIME)
    return f'"{name}":"{time}",'


class _Walk:
    """A walk through a document's attributes, which moves out what a flat_object cannot hold."""

    def __init__(self, moved: list[_Moved]) -> None:
        self._moved = moved
        self._room = MAX_PATHS

    def members(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """What of the attributes can stay."""
        kept: dict[str, Any] = {}
        for key, value in attributes.items():
            at = ("attributes", key)
            cost = _cost(value, len(key), self._room)
            if cost > self._room or len(key) > LONGEST_TERM:
                self._moved.append(_Moved(at, value))
                continue
            self._room -= cost
            settled = self._settle(value, len(key), at)
            if settled is not _MOVED:
                kept[key] = settled
        return kept

    def _settle(self, value: Any, length: int, at: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, str):
            if len(value) <= LONGEST_TERM:
                return value
        elif isinstance(value, dict):
            # All or none of an object, for each of its members would repeat the path.
            if length + 1 + max(map(len, value), default=0) <= LONGEST_TERM:
                return self._inside(value, length, at)
        elif isinstance(value, list):
            items = [self._settle(item, length, (*at, number)) for number, item in enumerate(value)]
            return [None if item is _MOVED else item for item in items]
        else:
            return value
        self._moved.append(_Moved(at, value))
        return _MOVED

    def _inside(self, value: dict[str, Any], length: int, at: tuple[str | int, ...]) -> dict[str, Any]:
        kept = {}
        for key, member in value.items():
            settled = self._settle(member, length + 1 + len(key), (*at, key))
            if settled is not _MOVED:
                kept[key] = settled
        return kept


def _cost(value: object, length: int, most: int) -> int:
    """Characters of all values inside of one, each with its path, whose beginning has this length.

    Long text does not count, for it will be moved. What is surely more than `most` is not counted to its end.
    """
    if isinstance(value, str):
        return length + (len(value) if len(value) <= LONGEST_TERM else 0)
    if not isinstance(value, (dict, list)):
        return length + _SCALAR
    cost = 0
    members = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, member in members:
        cost += _cost(member, length if key is None else length + 1 + len(key), most - cost)
        if cost > most:
            break
    return cost


class _Place(NamedTuple):
    """A resource as a member of JSON, and what of it cannot be one."""

    json: str
    moved: tuple[_Moved, ...]


@lru_cache(maxsize=4096)
def _place(resource: Resource) -> _Place:
    moved: list[_Moved] = []
    kept = _fitting(resource.members, _RESOURCE, ("resource",), moved)
    if not moved:
        return _Place(resource.json, ())
    return _Place(_member("resource", kept) if kept else "", tuple(moved))


def _fitting(
    members: Mapping[str, Any], fields: Mapping[str, Any], at: tuple[str | int, ...], moved: list[_Moved]
) -> dict[str, Any]:
    """The members that have a field of their kind; the others are moved."""
    kept: dict[str, Any] = {}
    for key, value in members.items():
        inner = fields.get(key)
        if inner and isinstance(value, dict):
            kept[key] = _fitting(value, inner, (*at, key), moved)
        elif inner == {} and _is_keyword(value):
            kept[key] = value
        else:
            moved.append(_Moved((*at, key), value))
    return kept


def _is_keyword(value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(isinstance(each, str) and len(each) <= LONGEST_KEYWORD for each in values)


def tree(names: Iterable[str]) -> dict[str, Any]:
    """Nest dotted names: an object for each of their words, an empty one at the end."""
    nested: dict[str, Any] = {}
    for name in names:
        inner = nested
        for word in name.split("."):
            inner = inner.setdefault(word, {})
    return nested


_RESOURCE: Final = tree(RESOURCE_FIELDS)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _member(name: str, value: object) -> str:
    return f'"{name}":{_json(value)},'
