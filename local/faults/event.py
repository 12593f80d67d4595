"""What is done to the system while a load runs, as a value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from local.faults.stage import Stage

Need = Literal["faketime", "mount", "opensearch", "gate"]
"""What not every machine has; `local.faults.needs` tells whether this one does."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happens to aggregators, the network, the machine or a destination.

    `act` does it, in the caller's thread, and returns when it is over and the stage is whole again: as many tasks as
    before, plainly configured, nothing injected. The load goes on meanwhile.

    Args:
        name: short, unique, in lower case with hyphens.
        group: what it happens to; a heading of the report.
        says: one line for people: what happens, in which order.
        act: does it, once.
        seconds: how long the load lasts at least that it happens in, from before it until after it.
        repeats: how often it is done in that time, one after the other.
        may_lose_acknowledged: it is admitted to lose what was acknowledged.
        must_lose: a negative control: a run without loss has failed.
        needs: without it, it is skipped by name.
    """

    name: str
    group: str
    says: str
    act: Callable[[Stage], None]
    seconds: float
    repeats: int = 1
    may_lose_acknowledged: bool = False
    must_lose: bool = False
    needs: Need | None = None
