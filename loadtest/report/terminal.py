"""The result for the terminal: 80 columns, whatever the numbers."""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loadtest.tally.result import Account, Result

WIDTH: Final = 80
NAME_WIDTH: Final = 16
LONG: Final = 7
"""Digits from which on commas take room that is not there."""


def summary(result: Result) -> RenderableType:
    """The accounts of loads and the whole, of each event, and why the run has failed, if it has."""
    parts: list[RenderableType] = [loads_table(result)]
    if result.marks:
        parts.append(marks_table(result))
    parts += [Text(note, style="dim") for note in result.notes]
    if result.passed:
        parts.append(Text("passed: every message is accounted for as the profile asks", style="bold green"))
    parts += [Text(f"failed: {each.says}", style="bold red") for each in result.breaches]
    return Group(*parts)


def loads_table(result: Result) -> Table:
    """A row for each load, and one for all; columns that are nothing but zeros are left out if they may be."""
    rows: list[tuple[str, Account]] = [(load.name + (" *" if load.tracer else ""), load) for load in result.loads]
    rows += [("all", result.total)] if len(rows) > 1 else []
    tracers = "; *: tracers" if any(load.tracer for load in result.loads) else ""
    grid = _grid(f"broken: lost though acknowledged; p50, p99: seconds from due to readable{tracers}")
    grid.add_column("load", overflow="fold", max_width=NAME_WIDTH)
    kept = [name for name in ("failed", "dropped") if any(getattr(account, name) for _, account in rows)]
    for name in ("sent", "delivered", *kept, "lost", "broken", "twice", "wrong", "p50", "p99"):
        grid.add_column(name, justify="right", no_wrap=True)
    for name, account in rows:
        grid.add_row(
            name,
            _number(account.sent),
            _number(account.delivered),
            *(_number(getattr(account, each)) for each in kept),
            _alarming(account.lost),
            _alarming(account.lost_acknowledged),
            _number(account.duplicated),
            _alarming(wrong(account)),
            _seconds(account.latency.p50),
            _seconds(account.latency.p99),
        )
    return grid


def marks_table(result: Result) -> Table:
    """A row for each event."""
    grid = _grid("lost and duplicated: of the messages that were due from the event to the next")
    grid.add_column("event", overflow="fold", max_width=30)
    for name in ("at", "sent", "lost", "broken", "twice"):
        grid.add_column(name, justify="right", no_wrap=True)
    for mark in result.marks:
        at = f"{mark.at - result.began:.1f} s"
        lost, broken = _alarming(mark.lost), _alarming(mark.lost_acknowledged)
        grid.add_row(mark.name, at, _number(mark.sent), lost, broken, _number(mark.duplicated))
    return grid


def wrong(account: Account) -> int:
    """How much happened that never may: other ids, altered, in another route's place, never sent."""
    return account.duplicated_otherwise + (account.altered or 0) + account.misrouted + account.unexpected


def _grid(caption: str, columns: Sequence[str] = ()) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, padding=0, pad_edge=False, caption=caption, caption_justify="left")


def _number(number: int) -> str:
    return f"{number:,}" if number < 10**LONG else str(number)


def _alarming(number: int) -> Text:
    return Text(_number(number), style="bold red" if number else "green")


def _seconds(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    seconds = milliseconds / 1000
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"  # noqa: PLR2004 - three digits tell enough
