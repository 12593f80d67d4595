"""One prepared text: everything of a message but who sent it and when.

The places of the marker and of a clock, if the text shows one, are held open by stand-ins of the same length.
"""

import time
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from loadtest.marker import HEAD, LENGTH, Marker

MARK: Final = HEAD + b"a" * (LENGTH - len(HEAD))
"""Stands for the marker."""
ACCESS_CLOCK: Final = b"00/Jan/0000:00:00:00"
"""Stands for the second at which the message is due, as access logs write it, in UTC."""
ISO_CLOCK: Final = b"0000-00-00T00:00:00Z"
"""Stands for the same second, as RFC 3339 writes it."""
CLOCK_LENGTH: Final = 20

Stream = Literal["stdout", "stderr"]
_NANOSECONDS: Final = 1_000_000_000
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WORDS: Final = """
order accepted cart payment customer shipped queue retry the a of for with timeout cache miss hit token session user
page stock warehouse invoice refund basket checkout gateway upstream worker batch index shard replica leader follower
request response header body connection pool thread latency budget quota limit region zone cluster task service deploy
version feature flag enabled disabled started stopped waiting ready healthy degraded slow fast first second third last
next previous found missing updated created removed because after before while until
"""
_PROSE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Text:
    """A prepared text with its stand-ins. `part` is (ordinal from 1, of how many) of a line that was cut."""

    data: bytes
    stream: Stream = "stdout"
    part: tuple[int, int] | None = None

    def write(self, marker: Marker) -> bytes:
        """The bytes that this message has."""
        second = marker.due_unix_nano // _NANOSECONDS
        written = self.data.replace(MARK, marker.encode(), 1)
        for stand_in in (ACCESS_CLOCK, ISO_CLOCK):
            if stand_in in written:
                return written.replace(stand_in, clock(stand_in, second), 1)
        return written


def clock(stand_in: bytes, second: int) -> bytes:
    """What takes the place of a clock's stand-in at a Unix second: 20 bytes."""
    at = time.gmtime(second)
    if stand_in == ISO_CLOCK:
        return b"%04d-%02d-%02dT%02d:%02d:%02dZ" % at[:6]
    month = _MONTHS[at.tm_mon - 1].encode()
    return b"%02d/%s/%04d:%02d:%02d:%02d" % (at.tm_mday, month, at.tm_year, *at[3:6])


def only_one_marker(data: bytes) -> bytes:
    """The text with nothing in it that could be taken for a marker, but its own; as long as it was."""
    before, after = data.split(MARK)
    return before.replace(HEAD, b"set") + MARK + after.replace(HEAD, b"set")


class Prose:
    """Words without end, in ASCII: a slice of what was made once costs nothing."""

    def __init__(self, random: Random) -> None:
        known = _WORDS.split()
        words: list[str] = []
        length = 0
        while length < _PROSE_BYTES:
            words.append(random.choice(known))
            length += len(words[-1]) + 1
        self._bytes = " ".join(words).encode("ascii")
        self._random = random

    def cut(self, length: int) -> bytes:
        """Exactly so many bytes of it, from anywhere; may begin or end inside a word."""
        pieces: list[bytes] = []
        while length > 0:
            start = self._random.randrange(len(self._bytes) // 2)
            pieces.append(self._bytes[start : start + length])
            length -= len(pieces[-1])
        return b"".join(pieces)
