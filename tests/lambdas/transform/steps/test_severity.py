"""The step that finds a level in text, and does not where there is none."""

import pytest

from lambdas.transform.levels import read_level
from lambdas.transform.steps.severity import find_severities


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("INFO starting", "INFO"),
        ("INFO", "INFO"),
        ("WARNING: disk", "WARN"),
        ("ERROR:root:refused", "ERROR"),
        ("error: refused", "ERROR"),
        ("[WARN] [main] slow", "WARN"),
        ("[main] DEBUG com.acme.Pay - x", "DEBUG"),
        ("<error> x", "ERROR"),
        ("2026-11-21 02:36:00,123 ERROR refused", "ERROR"),
        ("2026-11-21 02:36:00.123 [main] INFO  com.acme.Pay - paid", "INFO"),
        ("2026-11-21 02:36:00 - shop.pay - CRITICAL - refused", "CRITICAL"),
        ("2026-11-21T02:36:00.123Z WARN slow", "WARN"),
        ("2026/11/21 02:36:00 [error] 31#31: *7 open() failed", "ERROR"),
        ("[Sat Nov 21 02:36:00 2026] [core:notice] [pid 1] ready", "NOTICE"),
        ("time=x level=warn msg=slow", "WARN"),
        ('level="error" msg=x', "ERROR"),
        ("  FATAL x", "FATAL"),
    ],
)
def test_level_is_found_where_loggers_put_it(make_document, line, text):
    document = make_document(line)

    find_severities([document])

    assert document.severity is not None
    assert document.severity.text == text
    assert document.body == line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "User saw ERROR on screen",
        "error in line 7",
        "info about you",
        "Information desk",
        "no errors found",
        "loglevel=warn",
        "level=expert",
        "Listening: ERROR",
        '203.0.113.9 - - [21/Nov/2026:02:36:00 +0000] "GET /ERROR HTTP/1.1" 200 5',
        '203.0.113.9 - - [error] "GET / HTTP/1.1" 200 5',
        "[unclosed bracket ERROR",
        "{ERROR}",
        "at com.acme.ERROR(Foo.java:12)",
        "ERRORS: 3",
        "1 2 3 4 5 6 7 8 ERROR",
        "x" * 300 + " level=error",
    ],
)
def test_nothing_is_guessed_from_prose(make_document, line):
    document = make_document(line)

    find_severities([document])

    assert document.severity is None


def test_severity_that_is_known_is_not_overruled(make_document):
    document = make_document("ERROR x")
    document.severity = read_level("info")

    find_severities([document])

    assert document.severity == read_level("info")


@pytest.mark.parametrize("body", [None, 7, {"level": "error"}, ["ERROR"]])
def test_only_text_is_searched(make_document, body):
    document = make_document(body)

    find_severities([document])

    assert document.severity is None


def test_a_line_that_a_format_took_has_its_severity_there_or_nowhere(make_document):
    document = make_document("ERROR in the middle of an access line")
    document.is_understood = True

    find_severities([document])

    assert document.severity is None
