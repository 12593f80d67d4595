"""The end of a tally: what arrived and what the journals say was sent, put together.

Cost: some 30 ns for each message, and once more for those in the windows of marks; memory for a million messages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from loadtest.journal import Journal
from loadtest.plan import Plan, Source, due_before
from loadtest.tally import accounts, sums
from loadtest.tally.arrived import EXAMPLES, Arrived
from loadtest.tally.books import Books
from loadtest.tally.result import Mark, MarkAccount, Observation, Result
from loadtest.tally.series import series_of
from loadtest.tally.sums import Sums


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the caller of a tally's `close` says: see there."""

    journal: Journal
    dropped: Mapping[str, int]
    marks: Sequence[Mark]
    observations: Sequence[Observation]
    target: Mapping[str, str]


@dataclass
class _Window:
    name: str
    at: float
    until: float
    loads: dict[str, Sums] = field(default_factory=dict)


def close(
    plan: Plan, told: Told, *, books: Books, arrived: Arrived, routes: Sequence[str], reasons: list[str]
) -> Result:
    """The result. `routes` has one for each load, `reasons` those of failures, by the numbers that the books have."""
    journal, load_sums = told.journal, {load.name: Sums() for load in plan.profile.loads}
    if journal.run not in (None, plan.run):
        raise ValueError(
            f"the journals are of run {journal.run:08x}, the plan is of {plan.run_name}: take the folder of that run"
        )
    windows = _windows(plan, told)
    for source in plan:
        sent = sums.sent_of(journal, source.number, most=int(books.counts[source.number]))
        sums.acknowledge(journal, source.number, books, sent=sent)
        load_sums[source.load.name].add(_of_source(source, sent, books=books, arrived=arrived, reasons=reasons))
        for window in windows:
            window.loads.setdefault(source.load.name, Sums()).add(
                _in_window(plan, source, window, sent=sent, journal=journal, books=books)
            )
        books.trim()
    accounts.explain(plan, load_sums, routes=routes, dropped=told.dropped)
    return accounts.result(
        plan,
        journal,
        loads=load_sums,
        routes=routes,
        latencies=arrived.latencies,
        marks=tuple(_mark(window, load_sums) for window in windows),
        series=series_of(plan.profile.seconds, journal, arrived=arrived, observations=told.observations),
        examples=tuple(arrived.examples),
        foreign=arrived.foreign,
        unreadable=arrived.unreadable,
        unexpected=arrived.unexpected_nowhere,
        target=told.target,
    )


def _of_source(source: Source, sent: int, *, books: Books, arrived: Arrived, reasons: list[str]) -> Sums:
    number = source.number
    begin, all_end = int(books.offsets[number]), int(books.offsets[number + 1])
    end = begin + sent
    found = sums.count(books, begin, end)
    found.duplicated, found.otherwise = int(arrived.duplicated[number]), int(arrived.otherwise[number])
    found.reordered = int(arrived.reordered[number])
    never = sums.count(books, end, all_end)
    found.unexpected = int(arrived.unexpected[number]) + never.number(~sums.IS_MISSING)
    if found.number(sums.IS_FAILED):
        found.reasons = sums.count_reasons(books, begin, end, reasons)
    _exemplify(source, begin, end, found=found, books=books, arrived=arrived)
    for place, length in sums.runs_of(books, end, all_end, ~sums.IS_MISSING, most=EXAMPLES):
        arrived.exemplify("unexpected", np.array([number]), np.array([sent + place]), np.array([length]))
    return found


def _exemplify(source: Source, begin: int, end: int, *, found: Sums, books: Books, arrived: Arrived) -> None:
    """Name some of what is missing, what was acknowledged apart from what was not."""
    kinds = {
        "lost acknowledged": sums.IS_MISSING & sums.IS_ACKNOWLEDGED,
        "lost": sums.IS_MISSING & ~sums.IS_ACKNOWLEDGED,
        "failed": sums.IS_FAILED,
    }
    for kind, those in kinds.items():
        if found.number(those):
            rows = np.array(sums.runs_of(books, begin, end, those, most=EXAMPLES), np.int64)
            arrived.exemplify(kind, np.full(len(rows), source.number), rows[:, 0], rows[:, 1])


def _windows(plan: Plan, told: Told) -> list[_Window]:
    """The marks with their ends: the next mark's beginning, or the load's end."""
    marks = sorted(told.marks, key=lambda mark: mark.at)
    end = told.journal.began + plan.profile.seconds
    following = [*(mark.at for mark in marks[1:]), end]
    return [
        _Window(mark.name, mark.at, max(mark.at, next_at) if mark.until is None else mark.until)
        for mark, next_at in zip(marks, following, strict=False)
    ]


def _in_window(plan: Plan, source: Source, window: _Window, *, sent: int, journal: Journal, books: Books) -> Sums:
    seconds, begin = plan.profile.seconds, int(books.offsets[source.number])
    first, end = (
        min(due_before(source, at - journal.began, seconds=seconds), sent) for at in (window.at, window.until)
    )
    return sums.count(books, begin + first, begin + end)


def _mark(window: _Window, loads: Mapping[str, Sums]) -> MarkAccount:
    """What a window came to; a load never has more lost in a window than it has in all, where rules explain some."""
    of = window.loads.items()
    return MarkAccount(
        name=window.name,
        at=window.at,
        until=window.until,
        sent=sum(each.sent for _, each in of),
        acknowledged=sum(each.number(sums.IS_ACKNOWLEDGED) for _, each in of),
        lost=sum(min(each.missing, loads[name].lost) for name, each in of),
        lost_acknowledged=sum(min(each.lost_acknowledged, loads[name].lost_acknowledged) for name, each in of),
        duplicated=sum(each.duplicated for _, each in of),
    )
