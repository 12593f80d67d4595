"""When each message is due, as the plan has it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.drive.schedule import due_times
from loadtest.plan import due_before, make_plan
from loadtest.profile import Profile

COURSES = {
    "steady": {"kind": "steady"},
    "rising": {"kind": "ramp", "begin": 0.1, "end": 1.0},
    "falling": {"kind": "ramp", "begin": 3, "end": 0.1},
    "level": {"kind": "ramp", "begin": 1, "end": 1},
    "spike": {"kind": "spike", "at_seconds": 2, "seconds": 1.5, "times": 40},
    "spike at the beginning": {"kind": "spike", "at_seconds": 0, "seconds": 20, "times": 3},
}


@pytest.mark.parametrize("course", COURSES)
@given(rate=st.floats(0.5, 2_000), connections=st.integers(1, 7))
def test_a_message_is_due_at_the_first_moment_that_the_plan_counts_it(
    course: str, rate: float, connections: int
) -> None:
    load = {"name": "web", "tag": "w", "messages_per_second": rate, "connections": connections}
    plan = make_plan(Profile.model_validate({"name": "t", "seconds": 7, "loads": [load | {"course": COURSES[course]}]}))
    source = plan.sources[-1]
    times = due_times(source, 0, plan.count(source), seconds=7)
    assert len(times) == plan.count(source)
    assert all(np.diff(times) > 0)
    for number, at in list(enumerate(times / 1e9))[:: max(1, len(times) // 20)]:
        assert due_before(source, at + 1e-6, seconds=7) > number
        assert due_before(source, at - 1e-4 / rate, seconds=7) <= number
        assert 0 <= at <= 7 + 1e-6


def test_a_range_is_a_part_of_the_whole() -> None:
    load = {"name": "web", "tag": "w", "messages_per_second": 100, "course": COURSES["falling"]}
    plan = make_plan(Profile.model_validate({"name": "t", "seconds": 7, "loads": [load]}))
    (source,) = plan
    whole = due_times(source, 0, 100, seconds=7)
    assert due_times(source, 40, 60, seconds=7).tolist() == whole[40:60].tolist()


def test_times_stay_exact_over_a_week() -> None:
    load = {"name": "web", "tag": "w", "messages_per_second": 1000}
    plan = make_plan(Profile.model_validate({"name": "t", "seconds": 7 * 86_400, "loads": [load]}))
    (source,) = plan
    last = plan.count(source)
    (at,) = due_times(source, last - 1, last, seconds=plan.profile.seconds)
    assert math.isclose(at, last * 1e6, abs_tol=1100)
