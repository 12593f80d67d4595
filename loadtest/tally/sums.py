"""Messages counted by their flags: of a source, of a load, of those that were due in a mark's window.

Every number that counts messages is a sum over the 256 values that flags can have. Cost: 10 ns for each message.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadtest.journal import Journal
from loadtest.tally.books import ACKNOWLEDGED, ALTERED, FAILED, MISROUTED, SEEN, Books

CHUNK: Final = 1 << 20
_VALUES: Final = np.arange(256)
IS_SEEN: Final = (_VALUES & SEEN) > 0
IS_FAILED: Final = ~IS_SEEN & ((_VALUES & FAILED) > 0)
IS_MISSING: Final = (_VALUES & (SEEN | FAILED)) == 0
IS_ACKNOWLEDGED: Final = (_VALUES & ACKNOWLEDGED) > 0
IS_ALTERED: Final = (_VALUES & ALTERED) > 0
IS_MISROUTED: Final = (_VALUES & MISROUTED) > 0


@dataclass
class Sums:
    """What is added up over sources. `dropped` is how many of what is missing a rule explains."""

    sent: int = 0
    flags: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    duplicated: int = 0
    otherwise: int = 0
    reordered: int = 0
    unexpected: int = 0
    dropped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Sums") -> None:
        """Add what others came to."""
        self.sent += other.sent
        self.flags = self.flags + other.flags
        self.duplicated += other.duplicated
        self.otherwise += other.otherwise
        self.reordered += other.reordered
        self.unexpected += other.unexpected
        self.dropped += other.dropped
        self.reasons += other.reasons

    def number(self, those: NDArray[np.bool_]) -> int:
        """How many messages have flags of these values."""
        return int(self.flags[those].sum())

    @property
    def missing(self) -> int:
        """How many neither arrived nor failed."""
        return self.number(IS_MISSING)

    @property
    def lost(self) -> int:
        """What is missing and no rule explains."""
        return self.missing - self.dropped

    @property
    def lost_acknowledged(self) -> int:
        """Of what was acknowledged and is missing, what may be lost: all that rules cannot explain."""
        return min(self.number(IS_MISSING & IS_ACKNOWLEDGED), self.lost)


def sent_of(journal: Journal, source: int, *, most: int) -> int:
    """How many messages of a source were sent: what is acknowledged was sent, whatever a killed process still said."""
    ends = (end for _, end in journal.acknowledged.get(source, ()))
    return min(max(journal.sent.get(source, 0), max(ends, default=0)), most)


def acknowledge(journal: Journal, source: int, books: Books, *, sent: int) -> None:
    """Flag what was acknowledged of a source."""
    begin = int(books.offsets[source])
    for first, end in journal.acknowledged.get(source, ()):
        books.flags[begin + max(first, 0) : begin + min(end, sent)] |= ACKNOWLEDGED


def count(books: Books, begin: int, end: int) -> Sums:
    """The messages between two places."""
    made = Sums(sent=max(end - begin, 0))
    for at in range(begin, end, CHUNK):
        flags = books.flags[at : min(at + CHUNK, end)]
        made.flags += np.bincount(flags, minlength=256)
        made.duplicated += int(books.copies[at : min(at + CHUNK, end)].sum(dtype=np.int64))
    return made


def count_reasons(books: Books, begin: int, end: int, reasons: list[str]) -> Counter[str]:
    """Why messages between two places failed."""
    found: Counter[str] = Counter()
    for at in range(begin, end, CHUNK):
        failed = np.flatnonzero(IS_FAILED[books.flags[at : min(at + CHUNK, end)]])
        for reason, number in enumerate(np.bincount(books.fingerprints[at + failed])):
            if number:
                found[reasons[reason]] += int(number)
    return found


def runs_of(books: Books, begin: int, end: int, those: NDArray[np.bool_], *, most: int) -> list[tuple[int, int]]:
    """Where flags of these values stand, as (place from `begin` on, how many in a row); at most so many, the first.

    A row that reaches over a million messages is told in two.
    """
    found: list[tuple[int, int]] = []
    for at in range(begin, end, CHUNK):
        there = those[books.flags[at : min(at + CHUNK, end)]].astype(np.int8)
        edges = np.diff(there, prepend=0, append=0)
        starts, ends = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
        for first, last in zip(starts[:most].tolist(), ends[:most].tolist(), strict=True):
            found.append((at - begin + first, last - first))
        if len(found) >= most:
            break
    return found[:most]
