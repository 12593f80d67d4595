"""Latencies as histograms, one for each load and slot of time: bounded whatever arrives, and however often.

Buckets grow by the eighth root of two, so that a percentile read as its bucket's upper edge is at most 9 % too high,
over 1 ms to 200 days. Cost: 0.1 us for each message, and a kilobyte for each load and slot.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadtest.tally.block import Integers
from loadtest.tally.result import Percentiles

PER_OCTAVE: Final = 8
BUCKETS: Final = 34 * PER_OCTAVE
MAX_SLOTS: Final = 3600
"""Slots of a run: one second each up to an hour, longer ones beyond."""
_NANO: Final = 1_000_000_000
_SLOT_BITS: Final = 40
_SLOT_MASK: Final = (1 << _SLOT_BITS) - 1
_ELSEWHEN: Final = -1


def slot_seconds(seconds: float) -> int:
    """How long a slot of a run of so many seconds is."""
    return max(math.ceil(seconds / MAX_SLOTS), 1)


class Latencies:
    """The histograms of the loads of a run, by the slot in which messages were due."""

    def __init__(self, *, loads: int, step: int) -> None:
        self._step, self._most_rows = step, loads * (MAX_SLOTS + 2)
        self._rows: dict[tuple[int, int], int] = {}
        self._counts: NDArray[np.uint32] = np.zeros((16, BUCKETS), np.uint32)
        self._max: NDArray[np.float64] = np.full(loads, -np.inf)

    def add(self, load: Integers, due: Integers, *, readable_at: float) -> None:
        """Messages of loads, due at times (Unix ns), that could be read at a time (Unix s)."""
        if not len(load):
            return
        milliseconds = np.maximum((int(readable_at * _NANO) - due) / 1e6, 0.0)
        buckets = np.log2(np.maximum(milliseconds, 1.0)) * PER_OCTAVE
        buckets = np.minimum(buckets.astype(np.int64), BUCKETS - 1)
        np.maximum.at(self._max, load, milliseconds)
        slots = due // (self._step * _NANO)
        keys, which = np.unique((load << _SLOT_BITS) | (slots & _SLOT_MASK), return_inverse=True)
        rows = np.array([self._row(int(key) >> _SLOT_BITS, int(key) & _SLOT_MASK) for key in keys], np.int64)
        np.add.at(self._counts.reshape(-1), rows[which] * BUCKETS + buckets, 1)

    def put(self, load: int, *, bucket: int, count: int, slowest: float) -> None:
        """So many messages of a load in a bucket, of which nobody knows when they were due."""
        row = self._row(load, _ELSEWHEN)
        self._counts[row, min(bucket, BUCKETS - 1)] += count
        self._max[load] = max(self._max[load], slowest)

    def of(self, chosen: Callable[[int], bool]) -> Percentiles:
        """The percentiles of all messages of the loads that a function of their number chooses."""
        rows = [row for (load, _), row in self._rows.items() if chosen(load)]
        if not rows:
            return Percentiles()
        counts = self._counts[rows].sum(axis=0, dtype=np.int64)
        most = max(float(self._max[load]) for load in range(len(self._max)) if chosen(load))
        p50, p90, p99 = (min(_percentile(counts, percent), most) for percent in (50, 90, 99))
        return Percentiles(round(p50, 1), round(p90, 1), round(p99, 1), round(most, 1))

    def over_time(self, slots: range) -> list[tuple[float | None, float | None]]:
        """p50 and p99 of all loads for each slot; slots are numbered from the epoch."""
        sums: dict[int, NDArray[np.int64]] = {}
        for (_, slot), row in self._rows.items():
            counts = self._counts[row].astype(np.int64)
            sums[slot] = sums[slot] + counts if slot in sums else counts
        empty: tuple[None, None] = (None, None)
        return [
            (round(_percentile(sums[slot], 50), 1), round(_percentile(sums[slot], 99), 1)) if slot in sums else empty
            for slot in slots
        ]

    def _row(self, load: int, slot: int) -> int:
        key = (load, slot)
        if key not in self._rows and len(self._rows) >= self._most_rows:
            key = (load, _ELSEWHEN)  # a time that no message of this run can have
        if key not in self._rows:
            self._rows[key] = len(self._rows)
            if len(self._rows) > len(self._counts):
                self._counts = np.concatenate((self._counts, np.zeros_like(self._counts)))
        return self._rows[key]


def _percentile(counts: NDArray[np.int64], percent: int) -> float:
    """The upper edge of the bucket that holds the nearest rank, in ms."""
    rank = math.ceil(int(counts.sum()) * percent / 100)
    bucket = int(np.searchsorted(np.cumsum(counts), max(rank, 1)))
    return float(2 ** ((bucket + 1) / PER_OCTAVE))
