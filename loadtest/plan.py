"""A profile laid out: which source sends what, over which time.

A source is one connection of one load, with a number of its own; its messages are numbered from 0 in the order in which
they are due, so that a source, a number and the seed say all of a message.
"""

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from loadtest.marker import LAST_RUN, LAST_SEQUENCE, LAST_SOURCE
from loadtest.profile import Load, Profile, Ramp, Spike, Steady


@dataclass(frozen=True, slots=True)
class Source:
    """One connection's worth of a load. `share` of the load's rate is its own."""

    number: int
    load: Load
    share: float


@dataclass(frozen=True)
class Plan:
    """A run of a profile: the same for every process that takes part, and for who verifies."""

    run: int
    profile: Profile
    sources: tuple[Source, ...]

    @property
    def run_name(self) -> str:
        """The run as people and file names write it: 8 hexadecimal digits."""
        return f"{self.run:08x}"

    def count(self, source: Source) -> int:
        """How many messages the source has: those that are due before the end."""
        return due_before(source, self.profile.seconds, seconds=self.profile.seconds)

    def __iter__(self) -> Iterator[Source]:
        return iter(self.sources)


def make_plan(profile: Profile, *, run: int | None = None) -> Plan:
    """Lay a profile out. `run` is made up when it is None. Raises ValueError for more than can be numbered."""
    sources: list[Source] = []
    for load in profile.loads:
        for _ in range(load.connections):
            sources.append(Source(number=len(sources), load=load, share=1 / load.connections))
    if len(sources) > LAST_SOURCE:
        raise ValueError(f"{len(sources)} connections: at most {LAST_SOURCE} can be numbered")
    plan = Plan(run=secrets.randbelow(LAST_RUN) if run is None else run, profile=profile, sources=tuple(sources))
    for source in plan:
        if plan.count(source) > LAST_SEQUENCE:
            raise ValueError(f"load {source.load.name}: more messages than can be numbered: take more connections")
    return plan


def due_before(source: Source, elapsed: float, *, seconds: float) -> int:
    """How many of the source's messages are due before `elapsed` seconds of a load that takes `seconds`."""
    at = min(max(elapsed, 0.0), seconds)
    return math.floor(source.load.rate * source.share * _work(source.load, at, seconds) + 1e-6)


def _work(load: Load, at: float, seconds: float) -> float:
    """The course's integral: how many seconds at the plain rate would have sent as much."""
    match load.course:
        case Steady():
            return at
        case Ramp(begin=begin, end=end):
            return begin * at + (end - begin) * at * at / (2 * seconds)
        case Spike(at_seconds=start, seconds=lasting, times=times):
            return at + (times - 1) * min(max(at - start, 0.0), lasting)
        case other:
            assert_never(other)
