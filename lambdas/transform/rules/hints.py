"""One pass over many documents for the few that may hold something to redact.

RE2 goes over all of them joined, as one automaton of all hints; where it stops, the document is asked which hints it
was, and the pass goes on behind it. So a document without a hint costs its bytes, whatever its neighbours hold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

MAX_AUTOMATON_BYTES = 64 * 1024 * 1024
"""What RE2 may use for its automaton, which grows with what it meets; the usual 8 MB are shared by ten hints."""


class Hints:
    """The hints of patterns, by the patterns' names."""

    __slots__ = ("_any", "_each", "_names")

    def __init__(self, hints: Mapping[str, str]) -> None:
        import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - 10 ms that only routes with redaction pay

        options = re2.Options()
        options.never_capture = True
        options.max_mem = MAX_AUTOMATON_BYTES
        options.encoding = re2.Options.Encoding.LATIN1  # bytes, not characters: fewer states
        self._names = tuple(hints)
        self._any = re2.compile("|".join(f"(?:{hint})" for hint in hints.values()).encode(), options)
        self._each = re2.Set.SearchSet(options)
        for hint in hints.values():
            self._each.Add(hint.encode())
        self._each.Compile()

    def find(self, texts: Sequence[bytes]) -> dict[int, tuple[str, ...]]:
        """Find the texts, which hold no line feed, that some hint fits: their places, and the names of the hints."""
        joined = b"\n".join(texts)
        ends = list(accumulate(len(text) + 1 for text in texts))
        found: dict[int, tuple[str, ...]] = {}
        at = 0
        while at < len(joined) and (match := self._any.search(joined, at)):
            place = bisect_right(ends, max(match.end() - 1, at))
            found[place] = tuple(self._names[each] for each in self._each.Match(texts[place]) or ())
            at = ends[place]
        return found
