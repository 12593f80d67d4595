"""The result of what SQL found of a run (see `athena`) and of what the journals say was sent.

The rows are written into the same books that the tally keeps, and closed in the same way. Cost: six bytes of disk for
each message, for a moment, and a microsecond for each row and gap.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from loadtest.journal import Journal
from loadtest.plan import Plan
from loadtest.tally.arrived import Arrived
from loadtest.tally.books import FAILED, MISROUTED, MOST_COPIES, SEEN, Books
from loadtest.tally.closing import Told, close
from loadtest.tally.latency import Latencies, slot_seconds
from loadtest.tally.result import Mark, Observation, Result

Row = Mapping[str, Any]
"""A row by its columns' names; values as text, as Athena's API has them, or as numbers."""

NOTE: Final = (
    "this account was made by SQL: it knows neither the order in which messages arrived nor whether their content is "
    "as it was sent, and no latency over time"
)


def account_from_rows(
    plan: Plan,
    journal: Journal,
    rows: Iterable[Row],
    *,
    failed: Iterable[Row] = (),
    route_of: Callable[[str], str],
    dropped: Mapping[str, int] | None = None,
    marks: Sequence[Mark] = (),
    observations: Sequence[Observation] = (),
    target: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Result:
    """The result. `rows` are those of `delivered_sql` of all routes, `failed` those of `failed_sql`.

    `folder` is where the books lie for that time; a temporary one unless it is given. Raises ValueError for the journal
    of another run.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        books = Books(plan, Path(scratch))
        filling = _Filling(plan, books, routes=[route_of(load.tag) for load in plan.profile.loads])
        try:
            filling.deliver(rows)
            reasons = filling.fail(failed)
            told = Told(
                journal=journal, dropped=dropped or {}, marks=marks, observations=observations, target=target or {}
            )
            made = close(plan, told, books=books, arrived=filling.arrived, routes=filling.routes, reasons=reasons)
        finally:
            books.close()
    series = replace(made.series, delivered=(None,) * len(made.series.delivered))
    return replace(made, series=series).without("reordered", "altered", note=NOTE)


class _Filling:
    """Writes rows into books. `routes` has the route of each load."""

    def __init__(self, plan: Plan, books: Books, *, routes: Sequence[str]) -> None:
        self._plan, self._books, self.routes = plan, books, routes
        self._load = {load.name: number for number, load in enumerate(plan.profile.loads)}
        latencies = Latencies(loads=len(routes), step=slot_seconds(plan.profile.seconds))
        self.arrived = Arrived.nothing(plan, latencies=latencies)

    def deliver(self, rows: Iterable[Row]) -> None:
        sources: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            sources.setdefault((str(row["route"]), int(row["source"])), []).append(row)
        for (route, number), those in sorted(sources.items()):
            for row in those:
                if not int(row["ours"]):
                    self._never_sent(number, sum(int(row[name]) for name in ("delivered", "copies", "otherwise")))
            ours = [row for row in those if int(row["ours"])]
            if ours:
                self._source(route, number, ours)

    def _never_sent(self, source: int, count: int) -> None:
        if source < len(self._plan.sources):
            self.arrived.unexpected[source] += count
        else:
            self.arrived.unexpected_nowhere += count

    def _source(self, route: str, number: int, rows: Sequence[Row]) -> None:
        arrived, books = self.arrived, self._books
        load = self._load[self._plan.sources[number].load.name]
        begin = int(books.offsets[number])
        for first, end in _there(rows):
            flags = books.flags[begin + first : begin + end]
            twice = np.flatnonzero(flags & SEEN)  # in the place of another route before
            copies = books.copies[begin + first + twice]
            books.copies[begin + first + twice] = np.minimum(copies, MOST_COPIES - 1) + 1
            arrived.duplicated[number] += len(twice)
            arrived.delivered += len(flags) - len(twice)
            flags |= SEEN | (MISROUTED if route != self.routes[load] else 0)
        for row in rows:
            arrived.duplicated[number] += int(row["copies"])
            arrived.otherwise[number] += int(row["otherwise"])
            if row["bucket"] is not None:
                arrived.latencies.put(
                    load, bucket=int(row["bucket"]), count=int(row["delivered"]), slowest=float(row["slowest"])
                )
            for sequence, more in _pairs(row["again"], ":"):
                books.copies[begin + sequence] = min(int(books.copies[begin + sequence]) + more, MOST_COPIES)

    def fail(self, rows: Iterable[Row]) -> list[str]:
        """Write down what failed; the reasons by their numbers."""
        reasons: dict[str, int] = {}
        for row in rows:
            reason = reasons.setdefault(str(row["reason"]), len(reasons))
            number, told = int(row["source"]), (int(row["first"]), int(row["end"]))
            most = int(self._books.counts[number]) if number < len(self._plan.sources) else 0
            self._never_sent(number, max(told[1], most) - max(told[0], most))
            if most:
                begin = int(self._books.offsets[number])
                first, end = (begin + min(each, most) for each in told)
                self._books.flags[first:end] |= FAILED
                unseen = first + np.flatnonzero((self._books.flags[first:end] & SEEN) == 0)
                self._books.fingerprints[unseen] = reason
        return list(reasons)


def _there(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """What is there of a source, as half-open ranges: all from the first to the last but the gaps."""
    at = min(int(row["first"]) for row in rows)
    for first, end in sorted(gap for row in rows for gap in _pairs(row["gaps"], "-")):
        yield at, first
        at = end
    yield at, max(int(row["last"]) for row in rows) + 1


def _pairs(told: str | None, between: str) -> Iterator[tuple[int, int]]:
    for each in (told or "").split():
        first, _, second = each.partition(between)
        yield int(first), int(second)
