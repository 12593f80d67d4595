"""Times in every spelling we take, in one spelling; and which are not believed."""

import pytest

from lambdas.transform.times import doubt, format_time, has_fraction, read_time


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-11-21T02:36:00.123456789Z", "2026-11-21T02:36:00.123456789Z"),
        ("2026-11-21T02:36:00Z", "2026-11-21T02:36:00.000000000Z"),
        ("2026-11-21T02:36:00.5Z", "2026-11-21T02:36:00.500000000Z"),
        ("2026-11-21T02:36:00.1234567891Z", "2026-11-21T02:36:00.123456789Z"),
        ("2026-11-21T02:36:00.123+01:00", "2026-11-21T01:36:00.123000000Z"),
        ("2026-11-21T02:36:00.123456789-0930", "2026-11-21T12:06:00.123456789Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000000000Z"),
        ("2026-11-21 02:36:00,123", "2026-11-21T02:36:00.123000000Z"),
        ("2026-11-21 02:36:00 UTC", "2026-11-21T02:36:00.000000000Z"),
        (1795228560, "2026-11-21T02:36:00.000000000Z"),
        (1795228560123, "2026-11-21T02:36:00.123000000Z"),
        (1795228560123456, "2026-11-21T02:36:00.123456000Z"),
        (1795228560123456789, "2026-11-21T02:36:00.123456789Z"),
        (1795228560.25, "2026-11-21T02:36:00.250000000Z"),
        (1.7952285601234567e9, "2026-11-21T02:36:00.123456700Z"),
        ("1795228560", "2026-11-21T02:36:00.000000000Z"),
        ("1795228560.123456789", "2026-11-21T02:36:00.123456789Z"),
        (10**11 - 1, "5138-11-16T09:46:39.000000000Z"),
        (10**11, "1973-03-03T09:46:40.000000000Z"),
        (10**14, "1973-03-03T09:46:40.000000000Z"),
        (10**17, "1973-03-03T09:46:40.000000000Z"),
    ],
)
def test_time_is_read_to_the_nanosecond_and_turned_to_utc(value, time):
    assert read_time(value) == time


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Z",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00.5Z",
        "2026-11-21",
        "2026-11-21T02:36:00.٣Z",
        "20261121T023600.123.5Z",
        "2026-11-21T02+01:00.5Z",
        "0001-01-01T00:00:00+23:00",
        "12ms",
        "x" * 100000,
        True,
        None,
        [],
        {},
        -1,
        10**20,
        -0.5,
    ],
)
def test_what_is_no_time_is_none(value):
    assert read_time(value) is None


def test_time_is_believed_up_to_a_day_ahead_and_not_a_nanosecond_more():
    observed = "2026-11-21T02:36:00.123456789Z"

    assert doubt("2026-11-22T02:36:00.123456789Z", observed=observed) is None
    assert doubt("2026-11-22T02:36:00.123456790Z", observed=observed) == "after_observed"


def test_time_is_believed_from_2000_on():
    observed = "2026-11-21T02:36:00.123456789Z"

    assert doubt("2000-01-01T00:00:00.000000000Z", observed=observed) is None
    assert doubt("1999-12-31T23:59:59.999999999Z", observed=observed) == "before_2000"


def test_end_of_the_calendar_is_no_error():
    assert doubt("2026-01-01T00:00:00.000000000Z", observed="9999-12-31T12:00:00.000000000Z") is None


def test_now_is_written_like_any_other_time():
    assert format_time(1795228560000000001) == "2026-11-21T02:36:00.000000001Z"


def test_only_digits_below_the_second_make_a_time_finer_than_one():
    assert has_fraction("2026-11-21T02:36:00.000000001Z")
    assert not has_fraction("2026-11-21T02:36:00.000000000Z")
