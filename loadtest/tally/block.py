"""A block of lines, read: each line's event_id, and every marker with the line that it stands in.

Each line is parsed as JSON, whole, by orjson: a line that is cut off must not count as delivered, and an `event_id` in
a client's own JSON, in a nested object or behind an escaped quote must not pass for the document's. Cheaper ways were
looked at: a regular expression for `"event_id":"` is exact only with what is around it parsed as well. Markers are
looked for in the bytes as they are, since they are letters only, two bytes at a time by numpy: a third of what a
regular expression costs. Cost: per line what orjson needs, 2 to 3 us, and 1 us for all else.
"""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np
import orjson
from numpy.typing import NDArray

from loadtest.marker import HEAD, LENGTH, RUN_LETTERS, SEQUENCE_LETTERS, SOURCE_LETTERS

Integers = NDArray[np.int64]
Fingerprints = NDArray[np.uint32]
Mask = NDArray[np.bool_]

MAX_BYTES: Final = 4_000_000
_FIRST_TWO: Final = int.from_bytes(HEAD[:2], "little")
_A: Final = ord("a")
_LETTERS: Final = 16
_BEHIND_HEAD: Final = np.arange(len(HEAD), LENGTH)
_SOURCE_AT: Final = RUN_LETTERS
_SEQUENCE_AT: Final = _SOURCE_AT + SOURCE_LETTERS
_TIME_AT: Final = _SEQUENCE_AT + SEQUENCE_LETTERS


class Markers(NamedTuple):
    """Markers in the order in which they stand: all arrays are of one length. `at` is where in the bytes."""

    at: Integers
    run: Integers
    source: Integers
    sequence: Integers
    due: Integers

    def only(self, chosen: Mask | Integers) -> "Markers":
        """Those that a mask, or their positions, say."""
        return Markers(*(each[chosen] for each in self))


class Lines(NamedTuple):
    """The lines of a block, and of each where it begins, the fingerprint of its id, and what is wrong with it."""

    lines: Sequence[bytes]
    begins: Integers
    fingerprints: Fingerprints
    unreadable: Mask
    """It is no JSON object: nothing in it counts. Lines of blanks only are among them, and are not `bad`."""
    nameless: Mask
    """It is an object without an event_id of its own."""
    bad: int


def find_markers(data: bytes) -> Markers:
    """Every marker in some bytes: what `loadtest.marker.find` finds."""
    there = np.frombuffer(data, np.uint8)
    starts = [2 * np.flatnonzero(there[: len(there) // 2 * 2].view("<u2") == _FIRST_TWO)]
    if len(there) > 1:
        odd = there[1 : 1 + (len(there) - 1) // 2 * 2]
        starts.append(2 * np.flatnonzero(odd.view("<u2") == _FIRST_TWO) + 1)
    at = np.sort(np.concatenate(starts))
    at = at[at + LENGTH <= len(there)]
    at = at[there[at + 2] == HEAD[2]]
    letters = there[at[:, None] + _BEHIND_HEAD] - np.uint8(_A)
    whole = (letters < _LETTERS).all(axis=1)
    at, letters = at[whole], letters[whole]
    return Markers(
        at,
        _number(letters[:, :_SOURCE_AT]),
        _number(letters[:, _SOURCE_AT:_SEQUENCE_AT]),
        _number(letters[:, _SEQUENCE_AT:_TIME_AT]),
        _number(letters[:, _TIME_AT:]),
    )


def _number(letters: NDArray[np.uint8]) -> Integers:
    """What each row of four bits means, the most significant first; a time beyond 63 bits becomes negative."""
    packed = (letters[:, 0::2] << 4) | letters[:, 1::2]
    wide = np.zeros((len(packed), 8), np.uint8)
    wide[:, 8 - packed.shape[1] :] = packed
    return wide.view(">i8")[:, 0].astype(np.int64)


def read_lines(block: bytes) -> Lines:
    """The lines of a block, each parsed."""
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    begins = np.zeros(len(lines), np.int64)
    np.cumsum(np.fromiter(map(len, lines[:-1]), np.int64, max(len(lines) - 1, 0)) + 1, out=begins[1:])
    loads, ids = orjson.loads, []
    for line in lines:
        try:
            ids.append(loads(line)["event_id"])
        except (ValueError, KeyError, TypeError):
            ids.append(_slowly(line))
    try:
        prints = [crc32(each.encode()) for each in ids]
        unreadable = nameless = np.zeros(len(ids), np.bool_)
    except (AttributeError, UnicodeEncodeError):
        prints = [crc32(each.encode("utf-8", "surrogatepass")) if isinstance(each, str) else 0 for each in ids]
        unreadable = np.fromiter((each is _UNREADABLE for each in ids), np.bool_, len(ids))
        nameless = np.fromiter((not isinstance(each, str) for each in ids), np.bool_, len(ids)) & ~unreadable
    bad = int(unreadable.sum()) - sum(not lines[number].strip() for number in np.flatnonzero(unreadable))
    return Lines(lines, begins, np.array(prints, np.uint32), unreadable, nameless, bad)


_UNREADABLE: Final = object()


def _slowly(line: bytes) -> Any:  # noqa: ANN401 - whatever the document has
    """The event_id of a line that orjson refuses, or that has none; json takes lone surrogates, and NaN."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return _UNREADABLE
    return document.get("event_id") if isinstance(document, dict) else _UNREADABLE


def pieces(lines: bytes, *, most: int = MAX_BYTES) -> Sequence[bytes]:
    """Blocks of whole lines, of about `most` bytes each."""
    if len(lines) <= most:
        return (lines,)
    found, start = [], 0
    while start < len(lines):
        end = lines.find(b"\n", start + most) + 1 or len(lines)
        found.append(lines[start:end])
        start = end
    return found
