import pytest

from loadtest.profile import Profile, Spike
from local.load.adjust import adjusted, rate_of, steady
from sluice.problems import ConfigError


def profile(**changes: object) -> Profile:
    spike = {"kind": "spike", "at_seconds": 10, "seconds": 5, "times": 4}
    loads = [
        {"name": "a", "tag": "a", "messages_per_second": 100, "course": spike},
        {"name": "b", "tag": "b", "mb_per_second": 0.9, "size": {"median": 900}},
    ]
    return Profile.model_validate({"name": "p", "seconds": 60, "loads": loads} | changes)


def test_nothing_asked_changes_nothing():
    assert adjusted(profile()) == profile()


def test_times_the_rate_of_every_load():
    found = adjusted(profile(), times=2.5)
    assert [load.rate for load in found.loads] == [250, 2500]
    assert rate_of(found) == 2750
    assert found.loads[0].course == profile().loads[0].course


def test_a_spike_keeps_its_place_and_share():
    found = adjusted(profile(), seconds=12)
    assert found.seconds == 12
    assert found.loads[0].course == Spike(kind="spike", at_seconds=2, seconds=1, times=4)


def test_processes():
    assert adjusted(profile(), processes=3).processes == 3


def test_beyond_a_profiles_limits_is_told():
    with pytest.raises(ConfigError, match="messages_per_second"):
        adjusted(profile(), times=1000_000)


def test_steady_has_no_courses():
    assert {load.course.kind for load in steady(profile()).loads} == {"steady"}
