"""A profile laid out: how many messages, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan import due_before, make_plan
from loadtest.profile import Load, Profile, Ramp, Spike


def profile(*loads: Load, seconds: float = 10) -> Profile:
    return Profile(name="test", seconds=seconds, loads=loads)


def load(name: str = "web", **keys: object) -> Load:
    return Load.model_validate({"name": name, "tag": "web", "messages_per_second": 100} | keys)


def test_connections_are_sources_that_share_the_rate() -> None:
    plan = make_plan(profile(load(connections=4), load("api")), run=7)
    assert [source.number for source in plan] == [0, 1, 2, 3, 4]
    assert [plan.count(source) for source in plan] == [250, 250, 250, 250, 1000]
    assert plan.run_name == "00000007"


def test_megabytes_are_messages_of_the_median_size() -> None:
    plan = make_plan(profile(load(messages_per_second=None, mb_per_second=9, size={"median": 900})))
    assert sum(map(plan.count, plan)) == 100_000


def test_a_ramp_sends_the_mean_of_its_ends() -> None:
    plan = make_plan(profile(load(course=Ramp(kind="ramp", begin=0.5, end=1.5))))
    (source,) = plan
    assert plan.count(source) == 1000
    assert due_before(source, 5, seconds=10) == 375


def test_a_spike_adds_to_the_middle() -> None:
    plan = make_plan(profile(load(course=Spike(kind="spike", at_seconds=4, seconds=2, times=3))))
    (source,) = plan
    assert [due_before(source, at, seconds=10) for at in (4, 5, 6, 10)] == [400, 700, 1000, 1400]


@given(st.lists(st.floats(-5, 20), min_size=2), st.sampled_from(["steady", "ramp", "spike"]))
def test_what_is_due_only_grows_and_ends_with_the_load(moments: list[float], kind: str) -> None:
    courses = {
        "steady": {"kind": "steady"},
        "ramp": {"kind": "ramp", "begin": 3, "end": 0.1},
        "spike": {"kind": "spike", "at_seconds": 1, "seconds": 2, "times": 50},
    }
    plan = make_plan(profile(load(course=courses[kind], connections=3)))
    for source in plan:
        due = [due_before(source, at, seconds=10) for at in sorted(moments)]
        assert due == sorted(due)
        assert all(0 <= number <= plan.count(source) for number in due)


def test_more_than_can_be_numbered_is_refused() -> None:
    with pytest.raises(ValueError, match="take more connections"):
        make_plan(profile(load(messages_per_second=10_000), seconds=7 * 86_400))
    with pytest.raises(ValueError, match="can be numbered"):
        make_plan(profile(*(load(f"web-{number}", connections=4096) for number in range(17))))
