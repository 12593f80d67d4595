"""Whether a delivered document still says what was sent, judged without the code that wrote it.

A plain line (and a part of a cut line) must be the body, character for character. A line that is a JSON
object may be taken apart: then each of its values must be found again, under `attributes` at its own path
(nested or dotted), or in one of the places that the schema promotes values to (body, severity, @timestamp,
trace and span ids, resource). A text may have markers, `[redacted:…]`, in the place of what a rule took out of it: what
is around them must be as it was sent. Cost: a JSON line is parsed once more here.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

# https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
SEVERITY_NUMBERS = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "notice": 10,
    "warn": 13,
    "warning": 13,
    "error": 17,
    "critical": 21,
    "fatal": 21,
}
_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))")
_MARKER = re.compile(r"\[redacted:[a-z0-9-]{1,40}(?::[0-9a-f]{32})?\]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Document = Mapping[str, Any]


def is_unaltered(text: str, document: Document) -> bool:
    """Whether the document carries all of a line (undecodable bytes as lone surrogates)."""
    line = as_delivered(text)
    body = document.get("body")
    if _same(line, body):
        return True
    try:
        value = json.loads(line)
    except ValueError:
        return False
    if _same(value, body):
        return True
    return isinstance(value, dict) and all(_carries(document, path, leaf) for path, leaf in _leaves(value))


def is_joined(texts: Sequence[str], document: Document) -> bool:
    """Whether the document's body is exactly these lines, one below the other, markers aside."""
    return _same("\n".join(map(as_delivered, texts)), document.get("body"))


def as_delivered(text: str) -> str:
    """The line as JSON can tell it: each byte that is not UTF-8 spelled `\\xNN`, which the aggregator does."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def parse_time(text: str) -> int | None:
    """Unix nanoseconds of an RFC 3339 time, or None when it is not one."""
    match = _RFC3339.fullmatch(text)
    if not match:
        return None
    *date, fraction, _, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        moment = datetime(*map(int, date), tzinfo=timezone(offset))  # type: ignore[misc,arg-type]  # six ints
    except ValueError:
        return None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


def _leaves(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _leaves(inner, (*path, key))
        else:
            yield (*path, key), inner


def _carries(document: Document, path: tuple[str, ...], leaf: object) -> bool:
    attributes = document.get("attributes", {})
    return any(_same(leaf, found) for found in _at(attributes, path)) or _is_promoted(document, leaf)


def _at(tree: object, path: tuple[str, ...]) -> Iterator[object]:
    """What stands at a path, however many of its steps were joined with dots into one key."""
    if not path:
        yield tree
    elif isinstance(tree, dict):
        for steps in range(1, len(path) + 1):
            key = ".".join(path[:steps])
            if key in tree:
                yield from _at(tree[key], path[steps:])


def _is_promoted(document: Document, leaf: object) -> bool:
    severity = document.get("severity") or {}
    places = [document.get("body"), document.get("traceId"), document.get("spanId"), severity.get("text")]
    places += [value for _, value in _leaves(document.get("resource") or {})]
    if any(_same(leaf, place) for place in places if place is not None):
        return True
    if not isinstance(leaf, str):
        return False
    level = SEVERITY_NUMBERS.get(leaf.casefold())
    if level is not None and level == severity.get("number"):
        return True
    moment = parse_time(leaf)
    return moment is not None and moment == parse_time(str(document.get("@timestamp")))


def _same(one: object, other: object) -> bool:
    """Equality of JSON values: true is not 1, at any depth, while 1.0 is 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return (isinstance(one, bool) == isinstance(other, bool) and one == other) or _is_redacted(one, other)


def _is_redacted(sent: object, found: object) -> bool:
    """Whether a text is what was sent, but for markers that each stand for something of it."""
    pieces = _MARKER.split(found) if isinstance(found, str) else []
    if len(pieces) < 2:  # noqa: PLR2004 - no marker
        return False
    text = sent if isinstance(sent, str) else json.dumps(sent)
    first, *between, last = pieces
    if not text.startswith(first) or not text.endswith(last):
        return False
    at = len(first)
    for piece in between:
        at = text.find(piece, at + 1)
        if at < 0:
            return False
        at += len(piece)
    return at < len(text) - len(last)
