"""The part of the language that says when: `last 15m`, `since …`, `from … to …`, `until …`, `today`."""

import re
from typing import Final

from query import times
from query.scanner import Scanner
from query.terms import When

WORDS: Final = frozenset({"last", "since", "from", "until", "today", "yesterday"})
_WORD: Final = re.compile(r"(\S+)(?:\s+|$)")
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DURATION: Final = re.compile(r"[0-9]+[a-z]", re.ASCII)


def read(scanner: Scanner) -> When | None:
    """Read a time range if one begins here.

    Raises:
        QueryError: one begins, and what follows is no time.
    """
    start = scanner.at
    found = scanner.match(_WORD)
    word = found[1].lower() if found else ""
    if found is None or word not in WORDS:
        return None
    scanner.at = found.end(1)
    match word:
        case "today":
            return When(start="today")
        case "yesterday":
            return When(start="yesterday", end="yesterday")
        case "last":
            return When(start=_duration(scanner, start))
        case "until":
            return When(end=_moment(scanner, word, start))
        case _:
            began = _moment(scanner, word, start)
            ended = _moment(scanner, "to", start) if _takes_to(scanner) else None
            return When(start=began, end=ended)


def spell(when: When) -> str:
    """Write a time range so that `read` reads the same again."""
    if when.start is None:
        return f"until {when.end}"
    if when.end is None:
        if when.start == "today":
            return "today"
        return f"last {when.start}" if _DURATION.fullmatch(when.start) else f"from {when.start}"
    if when.start == when.end == "yesterday":
        return "yesterday"
    return f"from {when.start} to {when.end}"


def _takes_to(scanner: Scanner) -> bool:
    before = scanner.at
    scanner.skip_space()
    found = scanner.match(_WORD)
    if found and found[1].lower() in {"to", "until"}:
        scanner.at = found.end(1)
        return True
    scanner.at = before
    return False


def _duration(scanner: Scanner, start: int) -> str:
    scanner.skip_space()
    text = scanner.bare()
    found = times.duration(text) or times.duration(f"1{text}")
    if found is None and _NUMBER.fullmatch(text):
        found = times.duration(f"{text}{_next(scanner)}")
        if found:
            scanner.skip_space()
            scanner.bare()
    if found is None:
        scanner.fail("last wants a time", 'write last 15m, 2h or 3d; to search for the word, quote it: "last"', start)
    return found


def _moment(scanner: Scanner, word: str, start: int) -> str:
    scanner.skip_space()
    text = scanner.bare()
    following = _next(scanner)
    joined = f"{text}T{following}" if _DAY.fullmatch(text) else f"{text}{following}" if _NUMBER.fullmatch(text) else ""
    if joined and (found := times.moment(joined)):
        scanner.skip_space()
        scanner.bare()
        return found
    found = times.moment(text)
    if found is None:
        scanner.fail(
            f"{word} wants a time",
            f"write {word} 2h, 10:30, 2026-11-21, 2026-11-21T10:30 or 2026-11-21T10:30Z; "
            f'to search for the word, quote it: "{word}"',
            start,
        )
    return found


def _next(scanner: Scanner) -> str:
    """The next word, without stepping over it."""
    found = re.compile(r"\s+(\S+)").match(scanner.text, scanner.at)
    return found[1] if found else ""
