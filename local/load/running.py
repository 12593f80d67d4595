"""One run: a plan onto a stage, watched while it lasts, and its account at the end.

The order of things: send until everything was sent or somebody wants it to end; wait for what is under way until
nothing new has come for the profile's `settle_seconds`; empty the stage as ECS would; read once more; account.

What a run leaves in its folder: `plan.json` (profile, run and target, so that `verify` can account for it again), the
journals of the senders, the tally's arrays, `report.json` and `report.html`, and the stage's own logs below `stage`.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from loadtest.drive import Driver, DriverError, Progress
from loadtest.journal import Journal
from loadtest.plan import Plan
from loadtest.tally import Breach, Mark, Observation, Result, Tally
from local.load.folder import NoRunError
from local.load.interrupts import Interrupts
from local.load.observe import Observer
from local.load.stage import Stage, route_of

SENDING: Final = "sending"
"""The phase in which messages are sent."""
TICK_SECONDS: Final = 0.2
COLLECT_SECONDS: Final = 0.25
VERIFY_SECONDS: Final = 1.0
SENDERS_SECONDS: Final = 90
"""How long senders may take to end after they were told to: they give up on a silent aggregator after a minute."""
QUIET_SECONDS: Final = 2.0
"""A stage that holds nothing, and of which nothing came for so long, has passed on everything."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """How a run stands."""

    phase: str
    elapsed: float
    """Seconds since the load began."""
    progress: Progress
    delivered: int
    observation: Observation | None


Show = Callable[[Moment], None]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something to be done to the aggregator at a time of the load, in seconds; it is a mark of the report."""

    name: str
    at: float
    act: Callable[[], None]


class Collector:
    """A thread that hands a tally what arrives; the block's end reads once more."""

    def __init__(self, stage: Stage, tally: Tally) -> None:
        self._stage, self._tally = stage, tally
        self._ending = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="collector", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what reading came upon, if anything."""
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the thread; who collects afterwards is alone."""
        self._ending.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ending.wait(COLLECT_SECONDS):
            try:
                self._stage.collect(self._tally)
            except Exception as error:  # told by check, in the thread that can do something about it
                self._error = error
                return


def run(
    plan: Plan,
    stage: Stage,
    *,
    folder: Path,
    show: Show,
    interrupts: Interrupts,
    events: Sequence[Event] = (),
    overtime: float = SENDERS_SECONDS,
    drive: type[Driver] = Driver,
) -> Result:
    """Send the plan to the stage and account for it.

    `overtime` is how long after the load's end senders may go on with what they are late with, `drive` what sends.
    Raises DriverError when
    the senders do not start, and whatever reading what arrived comes upon.
    """
    tally = Tally(plan, folder=folder, route_of=lambda tag: route_of(stage.deployment, tag))
    with ExitStack() as running:
        observer = None
        if stage.observed is not None:
            observer = running.enter_context(Observer.of(stage.observed))
        collector = Collector(stage, tally)
        running.callback(collector.stop)
        running.enter_context(interrupts.gentle())
        to = {load.name: stage.to for load in plan.profile.loads}
        driver = running.enter_context(drive(plan, to=to, folder=folder))
        watch = _Watch(
            plan=plan,
            driver=driver,
            tally=tally,
            observer=observer,
            show=show,
            collector=collector,
            coming=sorted(events, key=lambda event: event.at),
        )
        errors = _send(watch, interrupts, overtime=overtime)
        journal = driver.wait(timeout=SENDERS_SECONDS)
        _settle(watch, stage, interrupts, expected=sum(journal.sent.values()))
        watch.tick("emptying")
        stage.empty()
        collector.stop()
        collector.check()
    stage.collect(tally)
    result = tally.close(
        journal,
        dropped=stage.dropped(),
        marks=watch.marks,
        observations=() if observer is None else observer.observations,
        target=stage.facts,
    )
    return _ended_early(_broken_down(result, errors), interrupts)


def verify(
    plan: Plan, stage: Stage, journal: Journal, *, folder: Path, interrupts: Interrupts, say: Callable[[str], None]
) -> Result:
    """Account again for what the journal says was sent, as long as something new arrives; an interruption ends that.

    Raises NoRunError for a journal without a run.
    """
    if journal.run is None:
        raise NoRunError(f"{folder} has no journals: nobody knows what was sent; name the folder of a run")
    tally = Tally(plan, folder=folder, route_of=lambda tag: route_of(stage.deployment, tag))
    expected, before, changed = sum(journal.sent.values()), -1, time.monotonic()
    with interrupts.gentle():
        while tally.delivered < expected and not interrupts.asked:
            stage.collect(tally)
            say(f"{tally.delivered:,} of {expected:,} messages")
            now = time.monotonic()
            if tally.delivered > before:
                before, changed = tally.delivered, now
            elif now - changed > plan.profile.settle_seconds:
                break
            time.sleep(VERIFY_SECONDS)
    return tally.close(journal, dropped=stage.dropped(), target=stage.facts)


def _broken_down(result: Result, errors: Sequence[str]) -> Result:
    """With what senders could not say in their journals, for they broke down."""
    said = "; ".join(result.errors)
    if not (more := tuple(error for error in dict.fromkeys(errors) if error not in said)):
        return result
    breach = Breach("errors", 0, len(more), f"senders broke down: {more[0]}")
    return replace(result, errors=(*result.errors, *more), breaches=(*result.breaches, breach))


def _ended_early(result: Result, interrupts: Interrupts) -> Result:
    """What was not sent because somebody ended the load is nobody's failure."""
    if not interrupts.asked or result.total.sent >= result.due:
        return result
    breaches = tuple(each for each in result.breaches if each.name != "achieved_percent")
    note = f"ended early: {result.total.sent:,} of {result.due:,} messages were sent"
    return replace(result, breaches=breaches, notes=(*result.notes, note))


@dataclass(kw_only=True)
class _Watch:
    """What is asked, told and done in every turn of the loops below."""

    plan: Plan
    driver: Driver
    tally: Tally
    observer: Observer | None
    show: Show
    collector: Collector
    coming: list[Event]
    marks: list[Mark] = field(default_factory=list)

    @property
    def elapsed(self) -> float:
        return time.time() - self.driver.began

    def tick(self, phase: str) -> Progress:
        """One turn: tell how it stands, and do what is due."""
        self.collector.check()
        progress = self.driver.progress()
        self.show(
            Moment(
                phase=phase,
                elapsed=self.elapsed,
                progress=progress,
                delivered=self.tally.delivered,
                observation=None if self.observer is None else self.observer.latest,
            )
        )
        while self.coming and self.elapsed >= self.coming[0].at:
            event = self.coming.pop(0)
            self.marks.append(Mark(event.name, time.time()))
            event.act()
        return progress


def _send(watch: _Watch, interrupts: Interrupts, *, overtime: float) -> tuple[str, ...]:
    """Until the senders have ended; their errors. Raises DriverError for senders that do not end when they are told."""
    stopped: float | None = None
    while not (progress := watch.tick(SENDING if stopped is None else "stopping")).ended:
        if stopped is None and (interrupts.asked or watch.elapsed > watch.plan.profile.seconds + overtime):
            stopped = watch.elapsed
            watch.coming.clear()
            watch.driver.stop()
        if stopped is not None and watch.elapsed - stopped > SENDERS_SECONDS:
            raise DriverError(f"the senders did not end within {SENDERS_SECONDS} s of being told to: see their logs")
        time.sleep(TICK_SECONDS)
    return progress.errors


def _settle(watch: _Watch, stage: Stage, interrupts: Interrupts, *, expected: int) -> None:
    """Until everything has come, or nothing new has for long enough, or nothing more is on its way.

    Who asked for an end while messages were sent wants to know what became of them; who asks now has waited enough.
    """
    asked = interrupts.asked
    patience = watch.plan.profile.settle_seconds
    before, changed = -1, time.monotonic()
    quiet: float | None = None
    while (watch.tally.delivered < expected or watch.coming) and interrupts.asked == asked:
        watch.tick("settling")
        now = time.monotonic()
        if watch.tally.delivered > before or watch.coming:
            before, changed = watch.tally.delivered, now
        quiet = (quiet or now) if stage.is_quiet() else None
        if now - changed > patience or (quiet is not None and now - max(quiet, changed) > QUIET_SECONDS):
            return
        time.sleep(TICK_SECONDS)
