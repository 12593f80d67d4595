"""Step `severity`: the level that a line of plain text states, where loggers put it.

Read are `level=…` (and `lvl=`, `severity=`), and from the start of the line, past dates, numbers and brackets (what
starts with an address is an access log, and states none):

    INFO starting · WARNING: disk · ERROR:root:refused · error: refused
    2026-11-21 02:36:00,123 ERROR refused · 2026-11-21 02:36:00 - shop.pay - ERROR - refused
    2026/11/21 02:36:00 [error] 31#31: … · [Sat Nov 21 02:36:00 2026] [core:error] … · <warn> …

The first word of prose ends the search: `User saw ERROR` states nothing. A word in lower case counts only in brackets,
or at the start before a colon. Eight words within 256 characters are read at most, whatever the length of the line.
"""

from __future__ import annotations

from collections.abc import Iterable

from lambdas.transform.document import Document
from lambdas.transform.levels import Severity, read_level

_HEAD_LENGTH = 256
_MOST_WORDS = 8
_KEYS = ("level=", "lvl=", "severity=")
_CLOSING = {"[": "]", "<": ">", "(": ")"}
_SEPARATORS = ("-", "|", ":")


def find_severities(documents: Iterable[Document]) -> None:
    """Give each document with a text body that no format took, and no severity yet, the one that its text states."""
    for document in documents:
        if document.severity is None and not document.is_understood and isinstance(document.body, str):
            head = document.body[:_HEAD_LENGTH]
            document.severity = _read_key(head) or _read_prefix(head)


def _read_key(head: str) -> Severity | None:
    if "=" not in head:
        return None
    for key in _KEYS:
        start = head.find(key)
        if start == 0 or (start > 0 and head[start - 1] in " \t,{"):
            return read_level(head[start + len(key) :].partition(" ")[0].strip('",}'))
    return None


def _read_prefix(head: str) -> Severity | None:
    rest = head.lstrip()
    for position in range(_MOST_WORDS):
        if not rest:
            return None
        first = rest[0]
        if closing := _CLOSING.get(first):
            inside, _, rest = rest[1:].partition(closing)
            if severity := read_level(inside.rpartition(":")[2]):
                return severity
        else:
            word, _, rest = rest.partition(" ")
            if first.isalpha():
                severity = _read_word(word, is_first=position == 0)
                if severity or not rest.startswith(_SEPARATORS):
                    return severity
            elif word not in _SEPARATORS and (not first.isdigit() or word.count(".") > 1):
                return None
        rest = rest.lstrip()
    return None


def _read_word(word: str, *, is_first: bool) -> Severity | None:
    level, colon, _ = word.partition(":")
    return read_level(level) if level.isupper() or (is_first and colon) else None
