"""What became of each tracer, said once: a route's state and new copies in, a verdict and the next state out. No I/O.

A copy is counted when it is found: the first as delivered, with its latency, or as late if the tracer was given up
before; every other as duplicated, whatever its id. A tracer is judged missing when its time is over (twice the route's
longest delivery, and a margin): lost if it was acknowledged; unsent if it was not; unchecked if some of what became
readable meanwhile was not read; failed if it lies in the failure store.

Cost: for each route the tracers of `KEEP_MINUTES`, and the missing ones of `AWAIT_MINUTES`, in memory.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from loadtest.canary.kept import RouteState, SentMinute, Tracer
from loadtest.canary.seen import Copy
from loadtest.canary.settings import PLACES, Route, Settings, first_of, minute_of, seconds_of

KEEP_MINUTES: Final = 30
"""A second copy is told from a first for so long after a tracer was judged."""
AWAIT_MINUTES: Final = 360
"""A tracer that was given up is awaited for so long, to be told as late."""
UNTOLD_SECONDS: Final = 120
"""A minute is sent by then, or nobody sends it: Lambda gives an event up after a minute, and sending takes less."""
LONGEST_GAP_MINUTES: Final = 360
"""After a longer pause of the canary itself it begins anew, instead of telling of hours in which it was not there."""
GONE: Final = frozenset({"lost", "failed", "unchecked", "unsent"})

Failed = Callable[[frozenset[int]], Mapping[int, str]]
"""Which of these tracers lie in the failure store, with the reason."""


@dataclass
class Verdict:
    """What is told of a route: counts, and the latency of every tracer that was found (seconds)."""

    route: Route
    delivered: int = 0
    duplicated: int = 0
    otherwise: int = 0
    late: int = 0
    latencies: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    unsent: list[int] = field(default_factory=list)
    unchecked: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


def begin(now: float) -> RouteState:
    """A route's state when nothing of it was sent before this minute."""
    return RouteState(since=int(now // 60))


def resumed(state: RouteState, now: float) -> RouteState:
    """The state, or a new one if the canary was away for too long."""
    return begin(now) if state.since < now // 60 - LONGEST_GAP_MINUTES else state


def awaited_since(state: RouteState) -> float:
    """The Unix seconds from which on something may become readable that is still of interest."""
    missing = (minute_of(number) for number, tracer in state.tracers.items() if tracer.verdict in GONE)
    return min([state.since, *missing]) * 60.0


def notice(verdict: Verdict, state: RouteState, copies: Iterable[Copy]) -> None:
    """Count copies that were not seen before."""
    oldest = state.since - KEEP_MINUTES
    for copy in copies:
        number = copy.marker.sequence
        tracer = state.tracers.get(number)
        if tracer is None and minute_of(number) < oldest:
            continue  # of a time of which nothing is remembered: it cannot be told from a first one
        if tracer is not None and tracer.ids:
            verdict.duplicated += 1
            verdict.otherwise += copy.event_id not in tracer.ids
            tracer.ids.append(copy.event_id)
            continue
        verdict.latencies.append(max(copy.readable_at - seconds_of(copy.marker.due_unix_nano), 0.0))
        if tracer is None or tracer.verdict == "unsent":
            verdict.delivered += 1
        else:
            verdict.late += 1
        state.tracers[number] = Tracer("found", [copy.event_id])


def unseen(state: RouteState, copies: Iterable[Copy]) -> Iterator[Copy]:
    """Of copies that are found again each time, those that were not counted yet."""
    counted = {number: Counter(tracer.ids) for number, tracer in state.tracers.items()}
    for copy in copies:
        known = counted.get(copy.marker.sequence)
        if known is not None and known[copy.event_id] > 0:
            known[copy.event_id] -= 1
        else:
            yield copy


def judge(
    verdict: Verdict,
    state: RouteState,
    settings: Settings,
    *,
    now: float,
    sent: Callable[[int], SentMinute | None],
    failed: Failed,
) -> None:
    """Say what became of the tracers whose time is over, minute for minute, and forget what is too old."""
    deadline = settings.deadline(verdict.route)
    missing: list[int] = []
    while state.since * 60 + deadline <= now:
        absent = [number for number in _numbers(state.since, settings.per_minute) if number not in state.tracers]
        if absent:
            told = sent(state.since)
            over = told.at + deadline if told else (state.since + 1) * 60 + UNTOLD_SECONDS
            if over > now:
                break
            missing += _acknowledged(verdict, state, absent, told)
        state.since += 1
    _give_up(verdict, state, missing, failed)
    _forget(state)


def _numbers(minute: int, count: int) -> range:
    return range(first_of(minute), first_of(minute) + min(count, PLACES))


def _acknowledged(verdict: Verdict, state: RouteState, absent: Iterable[int], told: SentMinute | None) -> Iterator[int]:
    """Those of the absent tracers that were acknowledged; the others were not sent, or not meant to be."""
    of = told.routes.get(verdict.route.name) if told else None
    for number in absent:
        if of is not None and number in of.acknowledged:
            yield number
        elif told is None or (of is not None and number < first_of(minute_of(number)) + of.count):
            verdict.unsent.append(number)
            state.tracers[number] = Tracer("unsent")


def _give_up(verdict: Verdict, state: RouteState, missing: list[int], failed: Failed) -> None:
    reasons = failed(frozenset(missing)) if missing else {}
    for number in missing:
        if number in reasons:
            verdict.failed[number] = reasons[number]
            state.tracers[number] = Tracer("failed")
        elif minute_of(number) * 60 <= state.blind_until:
            verdict.unchecked.append(number)
            state.tracers[number] = Tracer("unchecked")
        else:
            verdict.lost.append(number)
            state.tracers[number] = Tracer("lost")


def _forget(state: RouteState) -> None:
    for number, tracer in list(state.tracers.items()):
        kept = AWAIT_MINUTES if tracer.verdict in GONE and not tracer.ids else KEEP_MINUTES
        if minute_of(number) < state.since - kept:
            del state.tracers[number]
