"""What a redact rule puts in the place of what it finds, and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import orjson

from lambdas.transform.limits import MAX_REDACTIONS_PER_TEXT
from lambdas.transform.rules.fields import MISSING
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.rules.numbers import Span
from lambdas.transform.spec import Action

Counts = dict[str, int]
"""How often each rule redacted something, by its name."""


class Marker:
    """What a rule leaves behind."""

    __slots__ = ("_action", "_key", "name")

    def __init__(self, name: str, action: Action, key: RedactionKey) -> None:
        self.name = name
        self._action = action
        self._key = key

    def count(self, counts: Counts, times: int = 1) -> None:
        """Count what was put in the place of something."""
        counts[self.name] = counts.get(self.name, 0) + times

    def put(self, canonical: str) -> str:
        """Give the text to put in a value's place. RecordError when it has to be hashed and there is no key."""
        match self._action:
            case "mask":
                return f"[redacted:{self.name}]"
            case "hash":
                return f"[redacted:{self.name}:{self._key.hash(canonical)}]"
            case _:
                return ""

    def put_field(self, value: object, *, counts: Counts) -> object:
        """Give what to put in a whole field's place, MISSING for nothing."""
        self.count(counts)
        if self._action == "remove":
            return MISSING
        told = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        return self.put(told)


class TextRule:
    """A pattern or an expression, and what to do with what it finds; `probe` gives None where it finds nothing."""

    __slots__ = ("_find", "marker", "probe")

    def __init__(self, find: Callable[[str], Iterator[Span]], marker: Marker, probe: Callable[[str], object]) -> None:
        self._find = find
        self.probe = probe
        self.marker = marker

    def apply(self, text: str, counts: Counts) -> str:
        """Give the text without what is found in it, and count that. A text that is full of it goes as a whole."""
        pieces: list[str] = []
        at = found = 0
        for start, end, canonical in self._find(text):
            found += 1
            if found > MAX_REDACTIONS_PER_TEXT:
                pieces, at = [self.marker.put(text)], len(text)
                break
            pieces += text[at:start], self.marker.put(canonical)
            at = end
        if not found:
            return text
        self.marker.count(counts, found)
        return "".join(pieces) + text[at:]
