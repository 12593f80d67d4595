"""What a run at a rate says about it: each way not to be sustained by itself."""

import pytest

from loadtest.drive import Progress
from loadtest.tally import Account, Observation, Result, Series
from local.load.limit_run import Pace, judged, seconds_at_most
from local.load.running import Moment

BEGAN = 1000.0
SECONDS = 10.0


def result(*, sent: int = 10_000, lost: int = 0, errors: tuple[str, ...] = ()) -> Result:
    return Result(
        run="0000abcd",
        profile="p",
        says="",
        seed=1,
        seconds=SECONDS,
        began=BEGAN,
        ended=BEGAN + 12,
        bytes=sent * 900,
        behind=0,
        loads=(),
        routes=(),
        total=Account(sent=sent, lost=lost),
        marks=(),
        series=Series(start=BEGAN, step=1),
        breaches=(),
        errors=errors,
    )


def pace(*, finished: float = 10.5, paused: bool = False, growing: int = 0) -> Pace:
    observations = [
        Observation(at=BEGAN + at / 2, cpu=0.25, memory=30, buffered=growing * at, chunks=1, paused=paused and at == 10)
        for at in range(24)
    ]
    found = Pace(lambda _moment: None)
    found.finished, found.machine, found.observations = finished, 0.6, observations
    return found


def test_sent_in_time_and_nothing_amiss_is_sustained():
    step = judged(result(), pace(), rate=1000, least_percent=95)
    assert step.sustained, step.failing
    assert step.achieved == 1000
    assert step.bytes_per_message == 900
    assert step.cpu == 0.25
    assert step.machine == 0.6


@pytest.mark.parametrize(
    ("found", "how", "why"),
    [
        (result(), pace(finished=15), "only 73 % was sent in time"),
        (result(sent=9_000), pace(), "only 90 % was sent in time"),
        (result(), pace(paused=True), "the input paused"),
        (result(), pace(growing=100_000), "the buffer grows"),
        (result(lost=3), pace(), "3 lost"),
        (result(errors=("source 1 gave up",)), pace(), "source 1 gave up"),
    ],
)
def test_each_reason_by_itself(found: Result, how: Pace, why: str):
    assert judged(found, how, rate=1000, least_percent=95).failing == (why,)


def test_how_much_has_to_be_sent_in_time_is_the_profiles_to_say():
    assert judged(result(sent=9_000), pace(), rate=1000, least_percent=85).sustained
    assert not judged(result(sent=9_000), pace(), rate=1000, least_percent=None).sustained


def test_the_pace_ends_with_the_last_message_that_was_handed_over():
    shown: list[Moment] = []
    found = Pace(shown.append)
    seen = Observation(at=BEGAN, cpu=0.1, memory=1)
    for elapsed, sent, phase in (
        (1.0, 10, "sending"),
        (2.0, 20, "sending"),
        (3.0, 20, "sending"),
        (4.0, 20, "settling"),
    ):
        progress = Progress(
            at=elapsed, sent=sent, acknowledged=sent, bytes=sent, behind_seconds=0, ended=False, errors=()
        )
        found(Moment(phase=phase, elapsed=elapsed, progress=progress, delivered=0, observation=seen))
    assert (found.finished, found.sent) == (2.0, 20)
    assert found.machine is not None
    assert found.observations == [seen], "one that is seen again is not another one"
    assert len(shown) == 4


def test_what_is_told_in_advance_grows_with_steps_and_seconds():
    assert seconds_at_most(10, 8) > 8 * 20
    assert seconds_at_most(10, 16) == 2 * seconds_at_most(10, 8)
