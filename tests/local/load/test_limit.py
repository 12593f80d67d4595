"""The search, against targets whose limit is known, and the line through what it measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.load.limit import Step, fit, grows, search


def step(rate: float, *, limit: float = 1e12, cpu: float | None = None) -> Step:
    sustained = rate <= limit
    return Step(
        rate=rate,
        achieved=rate if sustained else limit,
        bytes_per_message=900,
        cpu=0.02 + rate / 100_000 if cpu is None else cpu,
        memory=30_000_000,
        machine=0.5,
        failing=() if sustained else ("the buffer grows",),
    )


def test_doubles_until_it_fails_then_halves_the_interval():
    found = search(lambda rate: step(rate, limit=37_000), first=10_000, most_steps=7)
    assert [each.rate for each in found.steps] == [10_000, 20_000, 40_000, 30_000, 35_000, 37_500, 36_250]
    assert found.best is not None
    assert found.best.rate == 36_250
    assert found.bounded


def test_goes_down_when_it_began_too_high():
    found = search(lambda rate: step(rate, limit=3_000), first=16_000, most_steps=6)
    assert [each.rate for each in found.steps] == [16_000, 8_000, 4_000, 2_000, 3_000, 3_500]
    assert found.best is not None
    assert found.best.rate == 3_000


def test_says_that_nothing_faster_was_tried():
    found = search(step, first=1_000, most_steps=3)
    assert found.best is not None
    assert found.best.rate == 4_000
    assert not found.bounded


def test_nothing_sustained_is_no_limit():
    found = search(lambda rate: step(rate, limit=0.001), first=1_000, most_steps=4)
    assert found.best is None
    assert found.line is None
    assert found.to_json()["highest"] is None


@given(
    limit=st.floats(min_value=1, max_value=1e7), first=st.floats(min_value=1, max_value=1e6), most=st.integers(2, 30)
)
def test_never_more_steps_than_told_and_never_above_the_limit(limit: float, first: float, most: int):
    found = search(lambda rate: step(rate, limit=limit), first=first, most_steps=most)
    assert len(found.steps) == most
    best = found.best
    assert best is None or best.rate <= limit
    if found.bounded and best is not None:
        worst = min(each.rate for each in found.steps if not each.sustained)
        assert best.rate <= limit < worst


def test_the_line_is_that_of_the_sustained_steps():
    steps = [step(rate) for rate in (10_000, 20_000, 40_000)]
    line = fit([*steps, step(80_000, limit=50_000, cpu=0.1)])
    assert line is not None
    assert line.slope == pytest.approx(0.1)
    assert line.intercept == pytest.approx(0.02)
    assert line.r2 == pytest.approx(1)
    assert line.at(30_000) == pytest.approx(0.32)
    assert line.one_core == pytest.approx(98_000)


def test_a_scattered_line_says_so():
    line = fit([step(10_000, cpu=0.3), step(20_000, cpu=0.1), step(30_000, cpu=0.4), step(40_000, cpu=0.2)])
    assert line is not None
    assert line.r2 < 0.1


def test_two_steps_at_one_rate_make_no_line():
    assert fit([step(10_000), step(10_000)]) is None
    assert fit([step(10_000)]) is None


def test_a_flat_line_has_no_full_core():
    line = fit([step(10_000, cpu=0.1), step(20_000, cpu=0.1)])
    assert line is not None
    assert line.one_core is None


@pytest.mark.parametrize(
    ("depths", "expected"),
    [
        ([0, 0, 0, 0, 0, 0], False),
        ([100, 0, 100, 0, 100, 0], False),  # flushed each second
        ([0, 100, 200, 300, 400, 500], True),
        ([0, 0, 0, 100, 100, 100], True),
        ([500, 400, 300, 200, 100, 0], False),
        ([0, 0, 0, 0, 0, 900], False),  # one flush more
        ([0, 900], False),  # too little to say
    ],
)
def test_growing_is_a_trend_not_a_flush(depths: list[int], expected: bool):
    assert grows([(float(at), depth) for at, depth in enumerate(depths)], tolerated=20) is expected


def test_per_vcpu_is_what_was_sent_by_what_was_used():
    one = step(10_000, cpu=0.25)
    assert one.per_vcpu == 40_000
    assert one.mb_per_second == pytest.approx(9)
    assert step(10_000, cpu=0.0).per_vcpu is None
