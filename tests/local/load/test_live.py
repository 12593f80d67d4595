"""What is shown, at the width of an ordinary terminal and in a log."""

import io

from rich.console import Console

from loadtest.drive import Progress
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile
from loadtest.tally import Observation
from local.load.live import Meter, in_flight, line, panel, shown
from local.load.running import Moment


def plan() -> Plan:
    loads = [{"name": "a", "tag": "a", "messages_per_second": 1_000_000}]
    return make_plan(Profile.model_validate({"name": "p", "seconds": 3600, "loads": loads}))


def moment(elapsed: float, *, sent: int, paused: bool = False, phase: str = "sending", seen: bool = True) -> Moment:
    observation = Observation(at=elapsed, cpu=0.42, memory=64 << 20, buffered=3 << 20, chunks=7, paused=paused)
    return Moment(
        phase=phase,
        elapsed=elapsed,
        progress=Progress(
            at=elapsed,
            sent=sent,
            acknowledged=sent - 10,
            bytes=sent * 1000,
            behind_seconds=1.5,
            ended=False,
            errors=("a source gave up: nobody acknowledged",),
        ),
        delivered=sent - 30,
        observation=observation if seen else None,
    )


def test_rates_are_those_of_the_last_two_seconds():
    meter = Meter()
    assert meter.rates(moment(0, sent=100)).sent == 0
    for at in range(1, 10):
        rates = meter.rates(moment(at, sent=100 + 1000 * at))
    assert rates.sent == rates.acknowledged == rates.delivered == 1000
    assert rates.megabytes == 1
    assert meter.rates(moment(12, sent=100 + 9000)).sent == 0


def test_in_flight_is_what_nobody_has_yet():
    assert in_flight(moment(1, sent=100)) == 10


def test_the_panel_fits_eighty_columns_and_says_everything():
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=True, color_system=None).print(
        panel(plan(), moment(3000, sent=3_000_000_000, paused=True), Meter().rates(moment(1, sent=1)))
    )
    told = out.getvalue()
    assert max(map(len, told.splitlines())) <= 80
    for word in (
        "sent",
        "acknowledged",
        "delivered",
        "in flight",
        "late by",
        "0.42 cores",
        "7 chunks",
        "paused",
        "gave up",
    ):
        assert word in told
    assert "…" not in told


def test_a_target_that_nobody_observes_has_no_cpu():
    assert "cpu" not in line(plan(), moment(1, sent=40, seen=False), Meter().rates(moment(1, sent=40)))
    assert "cpu 0.42, memory 64 MiB, buffer 3.0 MiB, PAUSED" in line(
        plan(), moment(1, sent=40, paused=True), Meter().rates(moment(1, sent=40))
    )


def test_without_a_terminal_a_line_for_each_phase_and_not_for_each_moment():
    out = io.StringIO()
    with shown(plan(), Console(file=out, width=80)) as show:
        for at in range(50):
            show(moment(at / 5, sent=40 * at))
        show(moment(11, sent=2000, phase="settling"))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("sending 0/3600 s")
    assert lines[1].startswith("settling")


def test_quiet_says_nothing():
    out = io.StringIO()
    with shown(plan(), Console(file=out, quiet=True)) as show:
        show(moment(1, sent=40))
    assert out.getvalue() == ""
