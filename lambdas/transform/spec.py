"""What a route's rules are, as the function is told them: JSON in an environment variable, made by `sluice`.

    {"redact": [{"pattern": "card", "action": "mask"}, {"name": "token", "regex": "tok_[a-z0-9]+", "action": "remove"},
                {"field": "attributes.user.email", "action": "hash"}],
     "drop":   [{"name": "health", "where": [{"field": "attributes.url.path", "equals": "/health"}]}],
     "sample": [{"name": "debug", "keep_percent": 1, "by": "trace_id", "errors": false, "where": [{"tag": "web*"}]}],
     "formats": ["logfmt"], "oversize": "split",
     "shape": "search", "numbers": ["queue.depth"],
     "partition_by": [{"name": "service", "field": "resource.service.name", "values": ["web", "shop"]}]}

`sluice validate` checks the same more kindly and before anything is deployed; here whatever is not understood is
refused, since a rule for redaction that is half understood is worse than a function that does not start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lambdas.transform.levels import read_level

Action = Literal["mask", "remove", "hash"]
Oversize = Literal["truncate", "split"]
Shape = Literal["stored", "search"]
Test = Literal["equals", "prefix", "contains", "regex", "exists", "severity_below", "tag"]
PATTERN_NAMES = ("private-key", "jwt", "aws-secret", "aws-key", "iban", "card", "email", "ipv6", "ipv4", "phone")
"""The built-in patterns, see rules/patterns."""
PARTITION_VALUE = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What may be part of an object's name, see partitions."""
_PARTITION_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FIELD_TESTS: frozenset[str] = frozenset({"equals", "prefix", "contains", "regex", "exists"})


class SpecError(ValueError):
    """Rules that cannot be what `sluice` wrote; says what is wrong with which part."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """One thing to redact: a built-in pattern, an expression, or a field; the name is what it is counted by."""

    name: str
    kind: Literal["pattern", "regex", "field"]
    what: str
    action: Action


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; field is empty where the test is about the severity or the tag."""

    field: str
    test: str
    value: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Documents that fulfil all conditions are dropped."""

    name: str
    where: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """Of the documents that fulfil all conditions this share is kept, by a hash of the id that `by` names."""

    name: str
    where: tuple[Condition, ...]
    keep_percent: float
    by: str = "event_id"
    errors: bool = False


@dataclass(frozen=True, slots=True)
class PartitionKey:
    """A field whose value divides the objects in the bucket; with `values`, what is none of them is `other`."""

    name: str
    field: str
    values: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """Everything that the variable holds. `numbers` are attributes that the search shape has a second time."""

    formats: tuple[str, ...] | None = None
    redact: tuple[Redaction, ...] = ()
    drop: tuple[Drop, ...] = ()
    sample: tuple[Sample, ...] = ()
    oversize: Oversize = "truncate"
    shape: Shape = "stored"
    numbers: tuple[str, ...] = ()
    partition_by: tuple[PartitionKey, ...] = ()


def read_spec(value: object) -> Spec:
    """Read what was JSON. SpecError when a part is missing, unknown or not of its kind."""
    known = {"formats", "redact", "drop", "sample", "oversize", "shape", "numbers", "partition_by"}
    members = _members(value, "the whole", known)
    oversize: Oversize = "split" if members.get("oversize") == "split" else "truncate"
    if members.get("oversize", oversize) != oversize:
        raise SpecError(f"oversize is {members['oversize']!r}, and can be {' or '.join(get_args(Oversize))}")
    shape: Shape = "search" if members.get("shape") == "search" else "stored"
    if members.get("shape", shape) != shape:
        raise SpecError(f"shape is {members['shape']!r}, and can be {' or '.join(get_args(Shape))}")
    if not members.keys().isdisjoint({"numbers"} if shape == "stored" else {"partition_by"}):
        raise SpecError("numbers are of the search shape alone, and partition_by is of the stored one")
    formats = members.get("formats")
    return Spec(
        formats=None if formats is None else tuple(_text(each, "formats") for each in _list(formats, "formats")),
        redact=tuple(_redaction(each) for each in _list(members.get("redact", []), "redact")),
        drop=tuple(_drop(each) for each in _list(members.get("drop", []), "drop")),
        sample=tuple(_sample(each) for each in _list(members.get("sample", []), "sample")),
        oversize=oversize,
        shape=shape,
        numbers=tuple(_text(each, "numbers") for each in _list(members.get("numbers", []), "numbers")),
        partition_by=_partition_keys(_list(members.get("partition_by", []), "partition_by")),
    )


def _partition_keys(told: list[Any]) -> tuple[PartitionKey, ...]:
    keys = tuple(_partition_key(each) for each in told)
    if len({key.name for key in keys}) < len(keys):
        raise SpecError("two keys of partition_by have one name")
    return keys


def _partition_key(value: object) -> PartitionKey:
    members = _members(value, "a key of partition_by", {"name", "field", "values"})
    name, field = _text(members.get("name"), "name"), _text(members.get("field"), "field")
    if not _PARTITION_NAME.fullmatch(name):
        raise SpecError(f"{name!r} cannot be the name of a partition key")
    _check_field(field)
    if "values" not in members:
        return PartitionKey(name, field)
    values = frozenset(_text(each, "values") for each in _list(members["values"], "values"))
    if not values or not all(map(PARTITION_VALUE.fullmatch, values)):
        raise SpecError(f"the values of {name!r} have to be letters, digits and . _ - of up to 64 characters")
    return PartitionKey(name, field, values)


def _redaction(value: object) -> Redaction:
    members = _members(value, "a redact rule", {"pattern", "regex", "field", "name", "action"})
    action = members.get("action", "mask")
    if action not in get_args(Action):
        raise SpecError(f"a redact rule's action is {action!r}, and can be {', '.join(get_args(Action))}")
    kinds: tuple[Literal["pattern", "regex", "field"], ...] = ("pattern", "regex", "field")
    given = [kind for kind in kinds if kind in members]
    if len(given) != 1:
        raise SpecError("a redact rule needs one of pattern, regex, field")
    kind = given[0]
    what = _text(members[kind], kind)
    if kind == "pattern" and what not in PATTERN_NAMES:
        raise SpecError(f"no pattern is called {what!r}; known are {', '.join(PATTERN_NAMES)}")
    if kind == "field":
        _check_field(what)
    return Redaction(_text(members.get("name", what), "name"), kind, what, action)


def _drop(value: object) -> Drop:
    members = _members(value, "a drop rule", {"name", "where"})
    name, where = _text(members.get("name"), "name"), _where(members.get("where"))
    if not where:
        raise SpecError(f"the drop rule {name!r} has no condition, and would drop everything")
    return Drop(name, where)


def _sample(value: object) -> Sample:
    members = _members(value, "a sample rule", {"name", "where", "keep_percent", "by", "errors"})
    keep, by, errors = members.get("keep_percent"), members.get("by", "event_id"), members.get("errors", False)
    if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep < 100:  # noqa: PLR2004 - percent
        raise SpecError(f"keep_percent is {keep!r}, and has to be a number between 0 and 100")
    if by not in {"event_id", "trace_id"} or not isinstance(errors, bool):
        raise SpecError("a sample rule is by event_id or trace_id, and errors is true or false")
    return Sample(_text(members.get("name"), "name"), _where(members.get("where", [])), float(keep), by, errors)


def _where(value: object) -> tuple[Condition, ...]:
    return tuple(_condition(each) for each in _list(value, "where"))


def _condition(told: object) -> Condition:
    members = _members(told, "a condition", {"field", *get_args(Test)})
    tests = [name for name in members if name != "field"]
    if len(tests) != 1 or (tests[0] in _FIELD_TESTS) != ("field" in members):
        raise SpecError(f"a condition is one test, of a field or of severity_below or tag, and not {sorted(members)}")
    field = _text(members["field"], "field") if "field" in members else ""
    value = _text(members[tests[0]], tests[0])
    if field:
        _check_field(field)
    elif tests[0] == "severity_below" and read_level(value) is None:
        raise SpecError(f"no severity is called {value!r}")
    return Condition(field, tests[0], value)


def _check_field(field: str) -> None:
    root, _, name = field.partition(".")
    if field not in {"body", "tag", "severity.text"} and (root not in {"attributes", "resource"} or not name):
        raise SpecError(f"there is no field {field!r}")


def _members(value: object, what: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not value.keys() <= known:
        told = f"has {sorted(value.keys() - known)}" if isinstance(value, dict) else "is no object"
        raise SpecError(f"{what} {told}; known are {', '.join(sorted(known))}")
    return value


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise SpecError(f"{what} has to be a list")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise SpecError(f"{what} has to be text")
    return value
