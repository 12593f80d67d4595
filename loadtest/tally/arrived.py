"""Counts of what arrived, kept while it arrives: for each source, and a few examples of whatever should not be."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

import numpy as np

from loadtest.plan import Plan
from loadtest.tally.block import Integers
from loadtest.tally.books import Copies
from loadtest.tally.latency import Latencies
from loadtest.tally.result import Example

EXAMPLES = 20
"""How many messages of each kind are named in the result."""


@dataclass
class Arrived:
    """Arrays have a number for each source. `unexpected_nowhere` are messages of this run, of no source of it."""

    plan: Plan
    latencies: Latencies
    duplicated: Integers
    otherwise: Integers
    reordered: Integers
    unexpected: Integers
    readable: Counter[int]
    """New messages by the slot in which they could be read."""
    examples: list[Example]
    delivered: int = 0
    foreign: int = 0
    unreadable: int = 0
    unexpected_nowhere: int = 0

    @classmethod
    def nothing(cls, plan: Plan, *, latencies: Latencies) -> Self:
        """The counts at the beginning."""
        duplicated, otherwise, reordered, unexpected = np.zeros((4, len(plan.sources)), np.int64)
        return cls(plan, latencies, duplicated, otherwise, reordered, unexpected, readable=Counter(), examples=[])

    def add(self, source: Integers, copies: Copies) -> None:
        """Count deliveries of messages of sources."""
        self.delivered += int(copies.new.sum())
        if not copies.new.all():
            again = ~copies.new & ~copies.other
            np.add.at(self.duplicated, source[again], 1)
            np.add.at(self.otherwise, source[copies.other], 1)

    def exemplify(self, kind: str, source: Integers, sequence: Integers, counts: Integers | None = None) -> None:
        """Name some of these messages, as far as there is room; `counts` says how many follow each."""
        if not len(source):
            return
        room = EXAMPLES - sum(each.kind == kind for each in self.examples)
        for at in range(min(room, len(source))):
            number = int(source[at])
            name, count = self.plan.sources[number].load.name, 1 if counts is None else int(counts[at])
            self.examples.append(Example(kind, name, number, int(sequence[at]), count))
