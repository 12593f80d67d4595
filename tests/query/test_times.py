from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.language import parse
from query.terms import QueryError
from query.times import parse_timestamp, resolve, timestamp

NOW = "2026-11-21T12:30:00.000000000Z"
MADRID = ZoneInfo("Europe/Madrid")
NOW_NS = parse_timestamp(NOW)
AHEAD = "2026-11-21T12:31:00.000000000Z"


def spans(text, zone=UTC):
    when = parse(text).when
    assert when is not None
    assert NOW_NS is not None
    found = resolve(when, now_ns=NOW_NS, zone=zone)
    return found.start[:19], found.end[:19]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("last 15m", "2026-11-21T12:15:00", AHEAD[:19]),
        ("since 2d", "2026-11-19T12:30:00", AHEAD[:19]),
        ("from 10:30 to 11:00", "2026-11-21T10:30:00", "2026-11-21T11:00:00"),
        ("from 2h to 1h", "2026-11-21T10:30:00", "2026-11-21T11:30:00"),
        ("from 2026-11-20 to 2026-11-20", "2026-11-20T00:00:00", "2026-11-21T00:00:00"),
        ("from 2026-11-20 to today", "2026-11-20T00:00:00", "2026-11-22T00:00:00"),
        ("yesterday", "2026-11-20T00:00:00", "2026-11-21T00:00:00"),
        ("until 2026-11-21T12:00+02:00", "1970-01-01T00:00:00", "2026-11-21T10:00:00"),
    ],
)
def test_a_time_means(text, start, end):
    assert spans(text) == (start, end)


def test_what_has_no_zone_is_in_the_readers():
    assert spans("from 10:30 to 11:00", MADRID) == ("2026-11-21T09:30:00", "2026-11-21T10:00:00")
    assert spans("today", MADRID)[0] == "2026-11-20T23:00:00"
    # The day on which clocks go back there has 25 hours.
    assert spans("from 2026-10-25 to 2026-10-25", MADRID) == ("2026-10-24T22:00:00", "2026-10-25T23:00:00")


def test_a_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(QueryError, match="before it begins"):
        spans("from 11:00 to 10:00")


@given(st.integers(0, 7_000_000_000 * 10**9))
def test_timestamps_are_read_as_they_are_written_and_sort_as_times(time_ns):
    text = timestamp(time_ns)
    assert parse_timestamp(text) == time_ns
    assert timestamp(time_ns + 1) > text
    assert text[:19] == datetime.fromtimestamp(time_ns // 10**9, UTC).isoformat()[:19]
