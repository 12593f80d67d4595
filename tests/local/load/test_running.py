"""When a run ends and what it tells, with senders and a stage that do what each test says."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from loadtest.drive import Progress
from loadtest.journal import Entry, Journal, JournalWriter
from loadtest.marker import Marker
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile
from loadtest.tally import Result, Tally
from local.load.interrupts import Interrupts
from local.load.running import Event, Moment, run
from sluice import local_run
from sluice.load import load
from sluice.model import Deployment

from .conftest import ROOT

MESSAGES = 20


class Senders:
    """Hands everything over at once, and ends when `until` says so, or when it is told to stop."""

    until: Callable[["Senders"], bool] = staticmethod(lambda _senders: True)
    sent = MESSAGES
    error: str | None = None

    def __init__(self, plan: Plan, *, to: Mapping[str, tuple[str, int]], folder: Path) -> None:
        assert to == {"web": ("127.0.0.1", 1)}
        self.began, self.stopped = time.time(), False
        self._folder = folder
        with JournalWriter(folder, run=plan.run, process=0, began=self.began) as journal:
            ranges = ((0, self.sent),) if self.sent else ()
            journal.write(Entry(self.began, {0: self.sent}, {0: ranges}, self.sent * 100, 0.0))
            journal.end(at=self.began, error=None)

    def __enter__(self) -> "Senders":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def progress(self) -> Progress:
        return Progress(
            at=time.time(),
            sent=self.sent,
            acknowledged=self.sent,
            bytes=0,
            behind_seconds=0,
            ended=self.stopped or self.until(self),
            errors=() if self.error is None else (self.error,),
        )

    def stop(self) -> None:
        self.stopped = True

    def wait(self, *, timeout: float) -> Journal:
        assert timeout > 0
        return Journal.read(self._folder)


class Stage:
    """Gives the tally some of the messages, the rest when it is emptied."""

    facts: Mapping[str, str] = {"stage": "a fake"}
    to = ("127.0.0.1", 1)
    observed = None

    def __init__(
        self, deployment: Deployment, plan: Plan, *, at_once: int, at_last: int = 0, quiet: bool = True
    ) -> None:
        self.deployment, self._plan, self._quiet = deployment, plan, quiet
        self._coming, self._last = list(range(at_once)), list(range(at_once, at_once + at_last))
        self.emptied = False

    def collect(self, tally: Tally) -> None:
        for number in self._coming:
            marker = Marker(self._plan.run, 0, number, time.time_ns()).encode()
            tally.accept(marker + b"\n", route="backend", readable_at=time.time())
        self._coming = []

    def is_quiet(self) -> bool:
        return self._quiet

    def empty(self) -> bool:
        self.emptied = True
        self._coming += self._last
        return True

    def dropped(self) -> Mapping[str, int]:
        return {}


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return local_run.of_this_machine(load(ROOT / "sluice.yaml"), search=None)


@pytest.fixture
def plan() -> Plan:
    loads = [{"name": "web", "tag": "backend-load", "messages_per_second": MESSAGES}]
    return make_plan(Profile.model_validate({"name": "p", "seconds": 1, "settle_seconds": 600, "loads": loads}))


@pytest.fixture
def account(plan: Plan, tmp_path: Path) -> Callable[..., Result]:
    def start(stage: Stage, **options: Any) -> Result:
        told: dict[str, Any] = {"interrupts": Interrupts(), "drive": Senders, "show": lambda _moment: None}
        return run(plan, stage, folder=tmp_path, **(told | options))

    return start


def test_it_ends_when_everything_is_there(account: Callable[..., Result], deployment: Deployment, plan: Plan):
    stage = Stage(deployment, plan, at_once=MESSAGES, quiet=False)
    result = account(stage)
    assert result.passed, result.breaches
    assert (result.total.delivered, result.target) == (MESSAGES, {"stage": "a fake"})
    assert stage.emptied


def test_what_comes_out_when_the_stage_is_emptied_counts(
    account: Callable[..., Result], deployment: Deployment, plan: Plan
):
    assert account(Stage(deployment, plan, at_once=15, at_last=5)).passed


def test_a_stage_that_holds_nothing_is_not_waited_for(
    account: Callable[..., Result], deployment: Deployment, plan: Plan
):
    """The profile would wait ten minutes for something new; the test ends long before."""
    began = time.monotonic()
    result = account(Stage(deployment, plan, at_once=15))
    assert result.total.lost == 5
    assert time.monotonic() - began < 300


def test_where_nobody_can_tell_it_waits_as_long_as_the_profile_says(deployment: Deployment, plan: Plan, tmp_path: Path):
    impatient = make_plan(plan.profile.model_copy(update={"settle_seconds": 1}), run=plan.run)
    began = time.monotonic()
    stage = Stage(deployment, plan, at_once=15, quiet=False)
    result = run(impatient, stage, folder=tmp_path, interrupts=Interrupts(), drive=Senders, show=lambda _moment: None)
    assert result.total.lost == 5
    assert time.monotonic() - began >= 1


def test_an_interruption_while_sending_stops_the_senders_and_still_waits(
    account: Callable[..., Result], deployment: Deployment, plan: Plan
):
    class Endless(Senders):
        sent = 12
        until = staticmethod(lambda _senders: False)

    interrupts, moments = Interrupts(), list[Moment]()

    def show(moment: Moment) -> None:
        moments.append(moment)
        if len(moments) == 2:
            interrupts()

    result = account(Stage(deployment, plan, at_once=12), interrupts=interrupts, show=show, drive=Endless)
    assert result.passed, result.breaches
    assert result.notes[-1] == "ended early: 12 of 20 messages were sent"
    assert [moment.phase for moment in moments][:3] == ["sending", "sending", "stopping"]


def test_too_few_sent_without_an_interruption_is_a_failure(
    account: Callable[..., Result], deployment: Deployment, plan: Plan
):
    class Slow(Senders):
        sent = 12

    result = account(Stage(deployment, plan, at_once=12), drive=Slow)
    assert [breach.name for breach in result.breaches] == ["achieved_percent"]


def test_an_interruption_while_waiting_ends_the_waiting(
    account: Callable[..., Result], deployment: Deployment, plan: Plan
):
    interrupts = Interrupts()

    def show(moment: Moment) -> None:
        if moment.phase == "settling" and not interrupts.asked:
            interrupts()

    result = account(Stage(deployment, plan, at_once=15, quiet=False), interrupts=interrupts, show=show)
    assert result.total.lost == 5
    assert not result.passed
    assert result.notes == ()


def test_events_happen_in_their_order_and_are_marks(account: Callable[..., Result], deployment: Deployment, plan: Plan):
    happened: list[str] = []
    events = [
        Event(name=name, at=at, act=lambda name=name: happened.append(name)) for name, at in (("b", 1.0), ("a", 0))
    ]
    result = account(Stage(deployment, plan, at_once=MESSAGES), events=events)
    assert happened == ["a", "b"], "also the one that is due after the senders have ended"
    assert [mark.name for mark in result.marks] == ["a", "b"]


def test_what_reading_comes_upon_ends_the_run(account: Callable[..., Result], deployment: Deployment, plan: Plan):
    class Broken(Stage):
        def collect(self, tally: Tally) -> None:  # noqa: ARG002
            raise OSError("the bucket is gone")

    with pytest.raises(OSError, match="the bucket is gone"):
        account(Broken(deployment, plan, at_once=0, quiet=False))


def test_a_sender_that_broke_down_is_told(account: Callable[..., Result], deployment: Deployment, plan: Plan):
    class Crashed(Senders):
        error = "sending process 0 ended with status 1"

    result = account(Stage(deployment, plan, at_once=MESSAGES), drive=Crashed)
    assert result.errors == ("sending process 0 ended with status 1",)
    assert [breach.name for breach in result.breaches] == ["errors"]
