"""Two results side by side: what differs, and which is better.

Counts are compared for each million messages sent, since two runs are seldom equally long. Figures that are measured
differ a little by themselves; they are the same up to a tolerance: latencies up to 10 %, which is a bucket of the
histogram, processor, memory and rates up to 5 %.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from loadtest.tally.result import VERSION, Account, Result

Better = Literal["first", "second", "same", "neither"]

_MILLION: Final = 1_000_000
_COUNTS: Final = (
    *("lost", "lost_acknowledged", "failed", "duplicated", "duplicated_otherwise", "reordered"),
    *("altered", "misrouted", "unexpected"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of both runs. `of` is a load's name, or "all"; None where one does not know."""

    of: str
    name: str
    first: float | None
    second: float | None
    better: Better


@dataclass(frozen=True)
class Comparison:
    """All figures that are in both results."""

    first: str
    second: str
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """`version`, the runs, and the differences with all their fields."""
        return {"version": VERSION, **asdict(self)}

    def table(self) -> Table:
        """What is not the same, or is told anyway: the rates."""
        grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, caption_justify="left")
        grid.caption = "counts: for each million sent; better is green"
        grid.add_column("of", overflow="fold", max_width=14)
        grid.add_column("", overflow="fold", max_width=26)
        for name in (self.first, self.second):
            grid.add_column(name, justify="right", overflow="fold", max_width=17)
        for each in self.differences:
            if each.better != "same" or each.name in _ALWAYS:
                told = (
                    _told(each.name, each.first, better=each.better == "first"),
                    _told(each.name, each.second, better=each.better == "second"),
                )
                grid.add_row(each.of, each.name.replace("_", " "), *told)
        return grid


_ALWAYS: Final = ("passed", "messages_per_second", "mb_per_second", "latency_p99_ms", "lost")


def compare(one: Result, other: Result) -> Comparison:
    """What differs between two results."""
    differences = [*_whole(one, other), *_accounts("all", one.total, other.total)]
    others = {load.name: load for load in other.loads}
    for load in one.loads if len(one.loads) > 1 else ():
        if load.name in others:
            differences += _accounts(load.name, load, others[load.name])
    return Comparison(f"{one.profile} {one.run}", f"{other.profile} {other.run}", tuple(differences))


@dataclass(frozen=True, slots=True)
class _Figure:
    name: str
    of: Callable[[Result], float | None]
    more_is_better: bool | None
    tolerance: float = 0.05


def _whole(one: Result, other: Result) -> Iterator[Difference]:
    figures = (
        _Figure("passed", lambda result: float(result.passed), True, 0),
        _Figure("messages_per_second", lambda result: result.total.sent / result.seconds, None),
        _Figure("mb_per_second", lambda result: result.bytes / _MILLION / result.seconds or None, None),
        _Figure("achieved_percent", lambda result: result.achieved_percent, True, 0.01),
        _Figure("cpu_seconds_per_million", _cpu, False),
        _Figure("most_memory_mb", lambda result: _most(result.series.memory), False),
        _Figure("most_buffered_mb", lambda result: _most(result.series.buffered), False),
    )
    for figure in figures:
        found = figure.of(one), figure.of(other)
        yield _difference("all", figure.name, *found, more=figure.more_is_better, tolerance=figure.tolerance)


def _accounts(of: str, one: Account, other: Account) -> Iterator[Difference]:
    for name in _COUNTS:
        found = (_per_million(getattr(each, name), each.sent) for each in (one, other))
        yield _difference(of, name, *found, more=False, tolerance=0)
    for name in ("p50", "p90", "p99", "max"):
        found = (getattr(each.latency, name) for each in (one, other))
        yield _difference(of, f"latency_{name}_ms", *found, more=False, tolerance=0.1)


def _difference(
    of: str, name: str, first: float | None, second: float | None, *, more: bool | None, tolerance: float
) -> Difference:
    better: Better = "neither"
    if first is not None and second is not None:
        if abs(first - second) <= tolerance * max(abs(first), abs(second)):
            better = "same"
        elif more is not None:
            better = "first" if (first > second) == more else "second"
    return Difference(of, name, first, second, better)


def _per_million(count: int | None, sent: int) -> float | None:
    return None if count is None or not sent else round(count * _MILLION / sent, 3)


def _cpu(result: Result) -> float | None:
    known = [cores for cores in result.series.cpu if cores is not None]
    if not known or not result.total.sent:
        return None
    return sum(known) / len(known) * result.seconds * _MILLION / result.total.sent


def _most(values: tuple[int | None, ...]) -> float | None:
    return max((value / _MILLION for value in values if value is not None), default=None)


def _told(name: str, value: float | None, *, better: bool) -> Text:
    told = "-" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")
    if name == "passed":
        told = "yes" if value else "no"
    return Text(told, style="green" if better else "")
