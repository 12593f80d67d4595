"""What each shipper calls the line."""

import pytest

from lambdas.transform.parse.shapes import Line, take_line

DOCKER_TIME = "2026-11-21T02:35:59.123456789Z"


def take(members):
    line = take_line(members)
    severity = line.severity.text if line.severity else None
    return (line.body, line.stream, line.time, severity), members


@pytest.mark.parametrize(
    ("members", "line", "left"),
    [
        ({"log": "text", "source": "stderr"}, ("text", "stderr", None, None), {}),
        ({"log": "text\n", "source": "stderr"}, ("text\n", "stderr", None, None), {}),
        ({"log": "text", "time": "12ms"}, ("text", None, None, None), {"time": "12ms"}),
        ({"log": "text", "source": "shop"}, ("text", None, None, None), {"source": "shop"}),
        ({"log": {"a": 1}, "source": 7}, ({"a": 1}, None, None, None), {"source": 7}),
        (
            {"log": "text\n", "stream": "stdout", "time": DOCKER_TIME, "attrs": {"tag": "t"}},
            ("text", "stdout", DOCKER_TIME, None),
            {"attrs": {"tag": "t"}},
        ),
        (
            {"log": "text\n\n", "stream": "stdout", "time": DOCKER_TIME},
            ("text\n", "stdout", DOCKER_TIME, None),
            {},
        ),
        (
            {"log": "text", "stream": "stderr", "logtag": "F", "time": DOCKER_TIME, "kubernetes": {"pod": "p"}},
            ("text", "stderr", DOCKER_TIME, None),
            {"logtag": "F", "kubernetes": {"pod": "p"}},
        ),
        (
            {"MESSAGE": "text", "PRIORITY": "3", "__REALTIME_TIMESTAMP": "1795228559000001", "_SYSTEMD_UNIT": "u"},
            ("text", None, "1795228559000001", "ERROR"),
            {"_SYSTEMD_UNIT": "u"},
        ),
        (
            {"MESSAGE": [104, 105, 255], "_SOURCE_REALTIME_TIMESTAMP": "2", "__REALTIME_TIMESTAMP": "1"},
            ("hi\\xff", None, "2", None),
            {"__REALTIME_TIMESTAMP": "1"},
        ),
        (
            {"MESSAGE": [104, 256], "PRIORITY": "6"},
            (None, None, None, None),
            {"MESSAGE": [104, 256], "PRIORITY": "6"},
        ),
        ({"MESSAGE": "text", "PRIORITY": "9"}, ("text", None, None, None), {"PRIORITY": "9"}),
        ({"MESSAGE": "text"}, (None, None, None, None), {"MESSAGE": "text"}),
        (
            {"pri": "34", "host": "h", "ident": "su", "pid": "1", "message": "text", "time": "t"},
            ("text", None, "t", "CRITICAL"),
            {"pri": "34", "host": "h", "ident": "su", "pid": "1"},
        ),
        ({"pri": "x", "ident": "su", "message": "text"}, ("text", None, None, None), {"pri": "x", "ident": "su"}),
        ({"pri": "34", "message": "text"}, (None, None, None, None), {"pri": "34", "message": "text"}),
        (
            {
                "version": "1.1",
                "host": "h",
                "short_message": "text",
                "timestamp": 1795228559.5,
                "level": 3,
                "_app": "a",
            },
            ("text", None, 1795228559.5, "ERROR"),
            {"version": "1.1", "host": "h", "_app": "a"},
        ),
        (
            {"version": "1.1", "short_message": {"a": 1}, "level": 3},
            (None, None, None, None),
            {"version": "1.1", "short_message": {"a": 1}, "level": 3},
        ),
        ({"message": "m", "level": "info"}, (None, None, None, None), {"message": "m", "level": "info"}),
        ({"source": "stdout", "message": "m"}, (None, "stdout", None, None), {"message": "m"}),
        ({}, (None, None, None, None), {}),
    ],
)
def test_line_is_found_where_its_shipper_puts_it_and_the_rest_stays(members, line, left):
    assert take(members) == (line, left)


@pytest.mark.parametrize("odd", [None, 99, True, [], {"a": 1}])
@pytest.mark.parametrize(
    "record",
    [
        {"log": "x", "stream": "stdout", "time": 1, "source": 1},
        {"MESSAGE": "x", "PRIORITY": "3", "__REALTIME_TIMESTAMP": "1"},
        {"pri": "34", "ident": "su", "message": "x", "time": "t"},
        {"version": "1.1", "short_message": "x", "timestamp": 1, "level": 3},
    ],
)
def test_odd_values_are_taken_or_stay_and_never_vanish(record, odd):
    for name in record:
        members = {**record, name: odd}
        line = take_line(members)
        assert name in members or odd in (line.body, line.time), name


def test_line_is_a_value():
    assert take_line({"log": "x"}) == Line("x")
