"""The matrix: each event under a load of every kind of client, an account of each, and the bars they have to hold.

An event that cannot happen on this machine is skipped by name. One that goes wrong by itself, or whose fault hit
nothing, fails the matrix: what was not tried was not survived. What is accounted for and how is told in `measure`,
what has to hold in `rows`.

Cost: an event takes its own seconds and about eight more, to settle and to read what arrived.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

from local.faults.event import Event, Need
from local.faults.rows import Found, Outcome
from local.steps import Steps

Measure = Callable[[Event, Callable[[str], None]], Found]
"""Runs an event under load, telling what it does, and accounts for it."""

_SHOWN_CHARACTERS: Final = 300


def run(
    events: Iterable[Event], *, measure: Measure, lacks: Callable[[Need], str | None], steps: Steps
) -> Iterator[Outcome]:
    """Run events one after the other; an outcome for each, in their order.

    Args:
        events: what is to happen.
        measure: runs one.
        lacks: why this machine does not have what an event needs; None if it does.
        steps: told of each.
    """
    for event in events:
        missing = None if event.needs is None else lacks(event.needs)
        with suppress(_DidNotHoldError), steps.step(event.name) as step:
            outcome = Outcome.of(event, skipped=missing) if missing else _tried(event, measure, step.detail)
            step.result(sentence(outcome))
            if outcome.broken:
                raise _DidNotHoldError
        yield outcome


class _DidNotHoldError(Exception):
    """Marks the step as failed."""


def sentence(outcome: Outcome) -> str:
    """An outcome in a line."""
    if outcome.skipped is not None:
        return f"skipped: {outcome.skipped}"
    total = {name: sum(getattr(row, name) for row in outcome.rows) for name in ("sent", "lost", "duplicated", "failed")}
    said = ", ".join(f"{number:,} {name}" for name, number in total.items() if number or name == "lost")
    return f"{said}; FAILED: {'; '.join(outcome.broken)}" if outcome.broken else said


def _tried(event: Event, measure: Measure, tell: Callable[[str], None]) -> Outcome:
    began = time.monotonic()
    try:
        found = measure(event, tell)
    except Exception as error:  # one that cannot be accounted for has failed, and the others are tried all the same
        found = Found(rows=(), error=f"{type(error).__name__}: {error}"[:_SHOWN_CHARACTERS])
    seconds = round(time.monotonic() - began, 1)
    return Outcome.of(event, rows=found.rows, error=found.error, seconds=seconds)
