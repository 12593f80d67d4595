"""Levels of every scheme, and what is none."""

import json

import pytest

from lambdas.transform.levels import (
    from_otel,
    from_syslog,
    read_bunyan,
    read_google,
    read_level,
    read_python,
)


@pytest.mark.parametrize(
    ("word", "text", "number"),
    [
        ("trace", "TRACE", 1),
        ("Verbose", "TRACE", 1),
        ("Debug", "DEBUG", 5),
        (" INFO ", "INFO", 9),
        ("iNfOrMaTiOn", "INFO", 9),
        ("success", "INFO", 9),
        ("notice", "NOTICE", 10),
        ("warning", "WARN", 13),
        ("ERR", "ERROR", 17),
        ("SEVERE", "ERROR", 17),
        ("crit", "CRITICAL", 18),
        ("alert", "ALERT", 19),
        ("panic", "FATAL", 21),
        ("EMERGENCY", "FATAL", 21),
    ],
)
def test_words_in_any_case_have_the_numbers_of_opentelemetry(word, text, number):
    level = read_level(word)

    assert (level.text, level.number) == (text, number)


@pytest.mark.parametrize(
    ("word", "number"),
    [("INFO+2", 11), ("WARN+1", 14), ("DEBUG-4", 1), ("DEBUG-9", 1), ("ERROR+4", 21), ("ERROR+99", 24), ("info-1", 8)],
)
def test_levels_between_those_of_slog_keep_their_distance(word, number):
    assert read_level(word).number == number


@pytest.mark.parametrize(
    ("read", "numbers"),
    [
        (read_bunyan, {10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL"}),
        (read_python, {5: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "CRITICAL"}),
        (
            from_syslog,
            {0: "FATAL", 1: "ALERT", 2: "CRITICAL", 3: "ERROR", 4: "WARN", 5: "NOTICE", 6: "INFO", 7: "DEBUG"},
        ),
        (read_google, {100: "DEBUG", 200: "INFO", 300: "NOTICE", 400: "WARN", 500: "ERROR", 600: "CRITICAL"}),
        (read_google, {700: "ALERT", 800: "FATAL"}),
        (from_otel, {1: "TRACE", 4: "TRACE", 8: "DEBUG", 9: "INFO", 10: "NOTICE", 12: "INFO", 16: "WARN"}),
        (from_otel, {17: "ERROR", 18: "CRITICAL", 19: "ALERT", 20: "ERROR", 21: "FATAL", 24: "FATAL"}),
    ],
)
def test_number_means_what_its_scheme_says_as_a_number_or_a_numeral(read, numbers):
    assert {number: read(number).text for number in numbers} == numbers
    assert {number: read(str(number)).text for number in numbers} == numbers


def test_numbers_of_opentelemetry_are_kept():
    assert [from_otel(number).number for number in range(1, 25)] == list(range(1, 25))


@pytest.mark.parametrize("read", [read_bunyan, read_python, from_syslog, read_google, from_otel])
@pytest.mark.parametrize("value", [-1, 9.0, 30.0, True, False, "", "-1", "٣", "1" * 10_000, None, [], {}, 10**30])
def test_what_is_no_number_of_a_scheme_is_none(read, value):
    assert read(value) is None


@pytest.mark.parametrize(
    "value", ["", "expert", "i" * 10_000, "INFO+", "INFO+x", "+2", 7, 30, 30.0, True, None, [], {}]
)
def test_what_is_no_word_for_a_level_is_none(value):
    assert read_level(value) is None


def test_severity_carries_its_member_of_a_document_ready_made():
    assert json.loads("{" + read_level("warn").json.removesuffix(",") + "}") == {
        "severity": {"text": "WARN", "number": 13}
    }
