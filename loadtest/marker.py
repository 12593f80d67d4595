"""What every message of a load carries, so that it can be accounted for wherever it turns up.

A marker is 39 characters, `slt` and 36 letters of a to p, each of which stands for four bits: 8 letters for the run, 4
for the source, 8 for the sequence number and 16 for the time at which the message was due (Unix nanoseconds). Its
length is fixed, so that it can be written into a prepared payload. It is letters only, so that no rule takes it for a
card or telephone number and no parser takes it apart; it survives in a text, in JSON and in a URL alike.

Cost: finding markers is one regular expression over the bytes; nothing has to be parsed.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

ALPHABET: Final = b"abcdefghijklmnop"
HEAD: Final = b"slt"
RUN_LETTERS: Final = 8
SOURCE_LETTERS: Final = 4
SEQUENCE_LETTERS: Final = 8
TIME_LETTERS: Final = 16
LENGTH: Final = len(HEAD) + RUN_LETTERS + SOURCE_LETTERS + SEQUENCE_LETTERS + TIME_LETTERS
PATTERN: Final = re.compile(rb"slt([a-p]{8})([a-p]{4})([a-p]{8})([a-p]{16})")
LAST_RUN: Final = 16**RUN_LETTERS - 1
LAST_SOURCE: Final = 16**SOURCE_LETTERS - 1
LAST_SEQUENCE: Final = 16**SEQUENCE_LETTERS - 1

_TO_DIGITS: Final = bytes.maketrans(ALPHABET, b"0123456789abcdef")
_TO_LETTERS: Final = bytes.maketrans(b"0123456789abcdef", ALPHABET)


class Marker(NamedTuple):
    """Who sent a message: a run, one of its sources, and the message's number there, from 0; and when it was due."""

    run: int
    source: int
    sequence: int
    due_unix_nano: int

    def encode(self) -> bytes:
        """The 39 characters. Raises ValueError for a number that does not fit."""
        numbers = zip(self, (RUN_LETTERS, SOURCE_LETTERS, SEQUENCE_LETTERS, TIME_LETTERS), strict=True)
        return HEAD + b"".join(letters(number, length) for number, length in numbers)


def letters(number: int, length: int) -> bytes:
    """A number in so many letters, the most significant first. Raises ValueError if it does not fit."""
    written = b"%0*x" % (length, number)
    if number < 0 or len(written) != length:
        raise ValueError(f"{number} does not fit into {length} letters")
    return written.translate(_TO_LETTERS)


def number(text: bytes) -> int:
    """What letters stand for."""
    return int(text.translate(_TO_DIGITS), 16)


def find(data: bytes) -> Iterator[Marker]:
    """Every marker in some bytes, in their order."""
    for match in PATTERN.finditer(data):
        yield Marker(*map(number, match.groups()))
