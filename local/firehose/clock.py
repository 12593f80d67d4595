"""Time as something that is handed in: nothing in this package reads a clock or sleeps but through here.

A `SystemClock` waits as long as it says. A `ManualClock` never waits: asked to wait until a time, it *is*
that time, so that a test of a fifteen-minute buffer or of four retries takes no time and is the same
every time. The price: it is for one thread. A Firehose on a manual clock is driven by `work()` and
`drain()`, without its background workers.
"""

import time
from threading import Condition
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def now(self) -> float:
        """Return the time in seconds since 1970, UTC."""
        ...

    def wait(self, condition: Condition, until: float | None) -> None:
        """Wait, holding `condition`, until it is notified or it is `until` (None: however long it takes)."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return the time in seconds since 1970, UTC."""
        return time.time()

    def wait(self, condition: Condition, until: float | None) -> None:
        """Wait, holding `condition`, until it is notified or it is `until`."""
        condition.wait(None if until is None else max(0.0, until - self.now()))


class ManualClock:
    """A clock that stands still until it is advanced or waited on."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """Return the time in seconds since 1970, UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += seconds

    def wait(self, condition: Condition, until: float | None) -> None:  # noqa: ARG002 - nobody else runs
        """Become `until`; waiting for nothing is a deadlock, and an error."""
        if until is None:
            raise RuntimeError("a ManualClock was asked to wait for ever: nothing else would wake it")
        self._now = max(self._now, until)


def backoff_seconds(failures: int, *, longest: float = 30.0) -> float:
    """Return how long to wait after that many failures in a row: 1, 2, 4 … up to `longest` seconds."""
    return min(longest, 2.0 ** (failures - 1))
