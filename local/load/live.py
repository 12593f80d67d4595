"""What a person sees while a load runs: on a terminal one panel that changes, elsewhere a line now and then.

Cost: a terminal is written to four times a second.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.table import Table

from loadtest.plan import Plan
from loadtest.profile import MEGABYTE
from loadtest.tally import Result
from local.load.running import Moment, Show

RATE_SECONDS: Final = 2.0
"""Rates are those of so long before."""
_LEAST_SECONDS: Final = 2.0
_LINES: Final = 12
"""About so many lines are written for the time of a load, where there is no terminal."""
_REFRESH: Final = 4
_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Rates:
    """Messages a second, and megabytes of them."""

    sent: float = 0.0
    megabytes: float = 0.0
    acknowledged: float = 0.0
    delivered: float = 0.0


@dataclass
class Meter:
    """Turns what was counted into rates."""

    _moments: deque[Moment] = field(default_factory=deque)

    def rates(self, moment: Moment) -> Rates:
        """Those of the last two seconds."""
        self._moments.append(moment)
        while len(self._moments) > 1 and moment.elapsed - self._moments[0].elapsed > RATE_SECONDS:
            self._moments.popleft()
        first = self._moments[0]
        seconds = moment.elapsed - first.elapsed
        if seconds <= 0:
            return Rates()
        now, then = moment.progress, first.progress
        return Rates(
            sent=(now.sent - then.sent) / seconds,
            megabytes=(now.bytes - then.bytes) / seconds / MEGABYTE,
            acknowledged=(now.acknowledged - then.acknowledged) / seconds,
            delivered=(moment.delivered - first.delivered) / seconds,
        )


@contextmanager
def shown(plan: Plan, console: Console) -> Iterator[Show]:
    """What a run is to call with each moment; what it shows is gone from a terminal when the block ends."""
    meter = Meter()
    if console.quiet:
        yield lambda _moment: None
    elif console.is_terminal:
        with Live(console=console, refresh_per_second=_REFRESH, transient=True) as live:
            yield lambda moment: live.update(panel(plan, moment, meter.rates(moment)))
    else:
        lines = _Lines(plan, console, meter)
        yield lines


def panel(plan: Plan, moment: Moment, rates: Rates) -> Table:
    """The numbers of a moment, in two columns of names and values; no wider than 80."""
    due = sum(plan.count(source) for source in plan)
    seen = moment.observation
    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "left", "right"):
        grid.add_column(justify=justify, no_wrap=True)
    elapsed = min(max(moment.elapsed, 0.0), plan.profile.seconds)
    grid.add_row(f"[bold]{moment.phase}[/bold]", f"{elapsed:.0f} of {plan.profile.seconds:g} s", "", "")
    grid.add_row("sent", f"{moment.progress.sent:,} of {due:,}", "rate", f"{rates.sent:,.0f}/s")
    grid.add_row("acknowledged", f"{moment.progress.acknowledged:,}", "rate", f"{rates.acknowledged:,.0f}/s")
    grid.add_row("delivered", f"{moment.delivered:,}", "rate", f"{rates.delivered:,.0f}/s")
    grid.add_row("in flight", f"{in_flight(moment):,}", "megabytes", f"{rates.megabytes:,.1f} MB/s")
    grid.add_row("late by", f"{moment.progress.behind_seconds:.2f} s", "errors", f"{len(moment.progress.errors)}")
    if seen is not None:
        paused = "[red]paused[/red]" if seen.paused else "open"
        grid.add_row("aggregator", f"{seen.cpu:.2f} cores", "memory", f"{seen.memory / _MIB:,.0f} MiB")
        grid.add_row("buffer", f"{seen.chunks:,} chunks", f"{seen.buffered / _MIB:,.1f} MiB", f"input {paused}")
    for error in moment.progress.errors[-2:]:
        grid.add_row("[red]error[/red]", error[:50], "", "")
    return grid


def line(plan: Plan, moment: Moment, rates: Rates) -> str:
    """The same on one line, for a log."""
    seen = moment.observation
    told = (
        f"{moment.phase} {max(moment.elapsed, 0):.0f}/{plan.profile.seconds:g} s: "
        f"sent {moment.progress.sent:,} ({rates.sent:,.0f}/s, {rates.megabytes:.1f} MB/s), "
        f"acknowledged {moment.progress.acknowledged:,}, delivered {moment.delivered:,}, "
        f"late {moment.progress.behind_seconds:.2f} s"
    )
    if seen is None:
        return told
    paused = ", PAUSED" if seen.paused else ""
    buffer = f"buffer {seen.buffered / _MIB:.1f} MiB{paused}"
    return f"{told}, cpu {seen.cpu:.2f}, memory {seen.memory / _MIB:.0f} MiB, {buffer}"


def throughput(result: Result) -> str:
    """How fast it was, and what that took of an aggregator that was observed."""
    seconds, total = result.seconds, result.total
    told = f"{total.sent / seconds:,.0f} messages/s and {result.bytes / seconds / MEGABYTE:,.1f} MB/s of messages"
    load = [cores for cores in result.series.cpu[: int(seconds / result.series.step) + 1] if cores is not None]
    if not load:
        return f"{told}."
    memory = max((size for size in result.series.memory if size is not None), default=0) / _MIB
    deepest = max((size for size in result.series.buffered if size is not None), default=0) / _MIB
    return (
        f"{told}; Fluent Bit took {sum(load) / len(load):.2f} cores on average and {memory:,.0f} MiB at most, "
        f"and its buffer held up to {deepest:,.1f} MiB."
    )


def in_flight(moment: Moment) -> int:
    """Sent and not yet acknowledged; what was never to be acknowledged counts until it arrives."""
    return max(moment.progress.sent - max(moment.progress.acknowledged, moment.delivered), 0)


class _Lines:
    """Writes a line when the phase changes, and every so often."""

    def __init__(self, plan: Plan, console: Console, meter: Meter) -> None:
        self._plan, self._console, self._meter = plan, console, meter
        self._every = max(plan.profile.seconds / _LINES, _LEAST_SECONDS)
        self._phase, self._next = "", 0.0

    def __call__(self, moment: Moment) -> None:
        rates = self._meter.rates(moment)
        now = time.monotonic()
        if moment.phase != self._phase or now >= self._next:
            self._phase, self._next = moment.phase, now + self._every
            self._console.print(line(self._plan, moment, rates), highlight=False, soft_wrap=True, markup=False)
