"""JSON objects read so that nothing in the text is lost.

orjson is quick, but it drops two things without a word, all but the last of a duplicate key and the digits of a
number beyond 64 bits, and it refuses what common loggers write (NaN, raw control characters, lone surrogates) or what
it could not write back (deep nesting). So an object read by orjson is written again: where that gives the same text,
spaces aside, nothing was lost. For other spellings there are tests that are exact and cost a pass over the bytes each:
a lost member is at least two lost quotes, a number beyond 64 bits has twenty digits or a minus and nineteen, nesting
needs brackets. Only a text that fails one of them is read again, by the standard library and about ten times slower,
with a hook for each case. A line costs twice what orjson alone would take to read it.

Decimals are IEEE 754 doubles, as they are to every consumer of JSON in this pipeline.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

from lambdas.transform.limits import MAX_NESTING

ReadObject = tuple[dict[str, Any], tuple[str, ...]]
"""The members, and what had to be rewritten to keep them: `duplicate_key`, `encoding`, `nesting`, `number`."""

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1
_SAFE_DIGITS = 18
_DIGITS_TO_ZERO = bytes(ord("0") if byte in b"0123456789" else ord(" ") for byte in range(256))
_NINETEEN_DIGITS = b"0" * 19
_BEYOND_64_BITS = re.compile(rb"\d{20}|-\d{19}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_RAW_BYTES = range(0xDC80, 0xDD00)
"""The surrogates that stand for undecodable bytes under Python's `surrogateescape`."""


def read_object(text: str | bytes) -> ReadObject | None:
    """Read a JSON object, or say with None that the text is not one. Bytes need not be UTF-8."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if text[:1] != "{" and text.lstrip()[:1] != "{":
        return None
    try:
        members = orjson.loads(text)
        written = orjson.dumps(members)
    except (ValueError, TypeError):
        return _read_irregular(text)
    if (_is_same(text, written.decode()) or _lost_nothing(text.encode(), written)) and not _is_too_deep(text, members):
        return members, ()
    return _read_irregular(text)


def _is_same(text: str, written: str) -> bool:
    """Whether it is written again the same, spaces aside, so that no digit and no quote can have gone unnoticed."""
    return written == text or written.replace(" ", "") == text.replace(" ", "")


def _lost_nothing(text: bytes, written: bytes) -> bool:
    return not (
        written.count(b'"') != text.count(b'"')
        or b"\\u0022" in text
        or (_NINETEEN_DIGITS in text.translate(_DIGITS_TO_ZERO) and _BEYOND_64_BITS.search(text))
    )


def _is_too_deep(text: str, members: object) -> bool:
    # Most objects hold no other, which takes a fraction of counting brackets to see.
    return (
        (text.rfind("{") > 0 or "[" in text)
        and text.count("{") + text.count("[") > MAX_NESTING
        and is_deep(members, MAX_NESTING + 1)
    )


def free_name(taken: dict[str, Any], name: str, *, start: int = 1) -> str:
    """Name a second value for a key that is taken: `key#1`, or the next that is free."""
    while (candidate := f"{name}#{start}") in taken:
        start += 1
    return candidate


def escape_bytes(text: bytes) -> tuple[str, tuple[str, ...]]:
    """Decode UTF-8, keeping bytes that are not as `\\xff`; and say whether there were any."""
    try:
        return text.decode(), ()
    except UnicodeDecodeError:
        return text.decode("utf-8", "backslashreplace"), ("encoding",)


def is_deep(value: object, levels: int) -> bool:
    """Say whether objects and arrays are nested in a value more than this many levels deep."""
    if isinstance(value, dict):
        return levels == 0 or any(is_deep(member, levels - 1) for member in value.values())
    if isinstance(value, list):
        return levels == 0 or any(is_deep(item, levels - 1) for item in value)
    return False


def _read_irregular(text: str) -> ReadObject | None:
    reader = _ExactReader()
    try:
        members = reader.read(text)
    except (ValueError, RecursionError):
        return None
    if members is None:
        return None
    return members, tuple(sorted(reader.rewritten))


class _ExactReader:
    """The standard library's reader with a hook for everything it would lose; one per text."""

    def __init__(self) -> None:
        self.rewritten: set[str] = set()

    def read(self, text: str) -> dict[str, Any] | None:
        value = json.loads(
            text,
            strict=False,
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._decimal,
            parse_constant=self._constant,
        )
        settled = self._settle(value, MAX_NESTING + 1)
        return settled if isinstance(settled, dict) else None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        self.rewritten.add("duplicate_key")
        # Consumers agree that the last one counts, so it keeps the name. The numbers are remembered, since counting
        # them anew for every repetition would take time quadratic in the length of the line.
        kept: dict[str, Any] = {}
        numbers: dict[str, int] = {}
        for key, value in pairs:
            if key in kept:
                name = free_name(members, key, start=numbers.get(key, 0) + 1)
                numbers[key] = int(name.rpartition("#")[2])
                members[name] = kept[name] = kept[key]
            kept[key] = value
        return kept

    def _integer(self, digits: str) -> int | str:
        if len(digits) <= _SAFE_DIGITS or (
            len(digits) <= len(str(_MIN_INTEGER)) and _MIN_INTEGER <= int(digits) <= _MAX_INTEGER
        ):
            return int(digits)
        return self._constant(digits)

    def _decimal(self, digits: str) -> float | str:
        value = float(digits)
        return value if math.isfinite(value) else self._constant(digits)

    def _constant(self, text: str) -> str:
        self.rewritten.add("number")
        return text

    def _settle(self, value: object, levels: int) -> object:
        """Make a value one that can be written: text for what is too deep, escapes for what is not Unicode."""
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, (dict, list)):
            return value
        if levels == 0:
            self.rewritten.add("nesting")
            return self._text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        if isinstance(value, list):
            return [self._settle(item, levels - 1) for item in value]
        settled: dict[str, Any] = {}
        for key, member in value.items():
            name = self._text(key)
            name = free_name(settled, name) if name in settled else name
            settled[name] = self._settle(member, levels - 1)
        return settled

    def _text(self, text: str) -> str:
        if text.isascii() or not _SURROGATE.search(text):
            return text
        self.rewritten.add("encoding")
        return _SURROGATE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    point = ord(found.group())
    return f"\\x{point - 0xDC00:02x}" if point in _RAW_BYTES else f"\\u{point:04x}"
