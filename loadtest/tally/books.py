"""What is known of every message: six bytes each, in sparse files that are mapped into memory.

A message's place is its source's offset and its number, so nothing is looked up and nothing grows: a message that
arrives a thousand times costs as much as one that arrives once. Of an event_id a fingerprint of 32 bits is kept, so
that one copy in four thousand millions with another id passes for an ordinary one.

Cost: per message about 0.3 us, in blocks of thousands, and six bytes of disk. What is resident is given back to the
kernel every TRIM_BYTES; the pages stay in its cache as long as nobody else needs the room.
"""

import mmap
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadtest.plan import Plan
from loadtest.tally.block import Fingerprints, Integers, Mask

SEEN: Final = 1
OWN: Final = 2
"""The fingerprint is that of the id under which it came first in its document, and not below another's lines."""
FAILED: Final = 4
ACKNOWLEDGED: Final = 8
ALTERED: Final = 16
MISROUTED: Final = 32
NAMES: Final = ("fingerprints", "flags", "copies")
MOST_COPIES: Final = 255
TRIM_MESSAGES: Final = 4_000_000
"""Messages between two times at which what is resident is given back: 24 MB if they are all in a row."""


class Copies(NamedTuple):
    """What some deliveries were, in their order: the first copy of a message, one more, or one under another id."""

    new: Mask
    other: Mask


class Books:
    """The files, and how a delivery changes them. `offsets[source]` is the place of a source's message 0."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.counts: Integers = np.array([plan.count(source) for source in plan], np.int64)
        self.offsets: Integers = np.concatenate(([0], np.cumsum(self.counts)))
        self._highest: Integers = np.full(len(self.counts), -1, np.int64)
        self._since_trim = 0
        folder.mkdir(parents=True, exist_ok=True)
        size = max(int(self.offsets[-1]), 1)
        self._files = [folder / f"{name}.tally" for name in NAMES]
        self._maps = [_map(file, size * width) for file, width in zip(self._files, (4, 1, 1), strict=True)]
        self.fingerprints: NDArray[np.uint32] = np.frombuffer(self._maps[0], np.uint32)
        self.flags: NDArray[np.uint8] = np.frombuffer(self._maps[1], np.uint8)
        self.copies: NDArray[np.uint8] = np.frombuffer(self._maps[2], np.uint8)

    def places(self, source: Integers, sequence: Integers) -> Integers:
        """Where messages stand; all must be the plan's."""
        found: Integers = self.offsets[source] + sequence
        return found

    def deliver(self, place: Integers, fingerprint: Fingerprints, first: Integers) -> Copies:
        """Write down deliveries, in their order. `first` is the position, among these, of the first of each's document.

        A document that joins lines has the id of its first line, so only that one's id can be wrong: another line of it
        may well have come alone, or below other lines, under another id.
        """
        new = (self.flags[place] & SEEN) == 0
        new &= is_first(place)
        alone = first == np.arange(len(place))
        mine, its = place[alone], fingerprint[alone]
        unknown = (self.flags[mine] & OWN) == 0
        unknown[unknown] = is_first(mine[unknown])
        self.fingerprints[mine[unknown]] = its[unknown]
        self.flags[mine[unknown]] |= OWN
        wrong = np.zeros(len(place), np.bool_)
        wrong[alone] = self.fingerprints[mine] != its
        self.flags[place] |= SEEN
        again = ~new
        if again.any():
            places, counts = np.unique(place[again], return_counts=True)
            self.copies[places] = np.minimum(self.copies[places] + counts, MOST_COPIES)
        self._spend(len(place))
        return Copies(new, again & wrong[first])

    def overtaken(self, source: Integers, sequence: Integers) -> Mask:
        """Which of some first copies, in their order, came after a higher number of their source."""
        if not len(source):
            return np.zeros(0, np.bool_)
        order = np.argsort(source, kind="stable")
        of, number = source[order], sequence[order]
        highest = np.maximum.accumulate((of << 32) | number)
        before = np.full(len(of), -1, np.int64)
        same = of[1:] == of[:-1]
        before[1:][same] = highest[:-1][same] & 0xFFFFFFFF
        late = np.zeros(len(of), np.bool_)
        late[order] = number < np.maximum(before, self._highest[of])
        np.maximum.at(self._highest, of, number)
        return late

    def mark(self, place: Integers, flag: int) -> None:
        """Set a flag of some messages."""
        self.flags[place] |= flag

    def fail(self, place: Integers, reason: int) -> None:
        """Write down that messages are in the failure store, and why, as long as they have not arrived."""
        self.flags[place] |= FAILED
        unseen = place[(self.flags[place] & SEEN) == 0]
        self.fingerprints[unseen] = reason
        self._spend(len(place))

    def trim(self) -> None:
        """Give what is resident back to the kernel, which keeps what was written."""
        for each in self._maps:
            each.madvise(mmap.MADV_DONTNEED)
        self._since_trim = 0

    def close(self) -> None:
        """Let go of the files and delete them."""
        del self.fingerprints, self.flags, self.copies
        for each in self._maps:
            each.close()
        for file in self._files:
            file.unlink(missing_ok=True)

    def _spend(self, messages: int) -> None:
        self._since_trim += messages
        if self._since_trim >= TRIM_MESSAGES:
            self.trim()


def is_first(values: Integers) -> Mask:
    """Which values are there for the first time."""
    found = np.zeros(len(values), np.bool_)
    found[np.unique(values, return_index=True)[1]] = True
    return found


def _map(file: Path, size: int) -> mmap.mmap:
    with file.open("w+b") as opened:
        opened.truncate(size)
        return mmap.mmap(opened.fileno(), size)
