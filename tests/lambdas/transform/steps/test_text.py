"""What a line of a known format says of itself is added to its document."""

import pytest

from lambdas.transform.formats import ALL, plan_trials
from lambdas.transform.levels import read_level
from lambdas.transform.steps.text import make_text_step

LOGBACK = "2026-11-21 02:35:59,250 WARN [main] com.acme.Pay - slow"
read = make_text_step(ALL)


def test_the_line_stays_the_body_and_what_it_says_is_added(make_document):
    document = make_document(LOGBACK, attributes={"log.iostream": "stdout"})
    read([document])

    assert document.body == LOGBACK
    assert (document.time, document.severity.text) == ("2026-11-21T02:35:59.250000000Z", "WARN")
    assert document.attributes == {
        "log.iostream": "stdout",
        "thread.name": "main",
        "log.logger": "com.acme.Pay",
    }
    assert document.is_understood


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (LOGBACK.replace("2026", "2036"), "after_observed"),
        (LOGBACK.replace("2026", "1996"), "before_2000"),
        ('203.0.113.9 - - [30/Feb/2026:02:36:00 +0000] "GET / HTTP/1.1" 200 5', "unparsable"),
    ],
)
def test_a_time_that_cannot_be_right_gives_way_and_is_told(make_document, line, why):
    document = make_document(line)
    read([document])

    assert document.time == document.observed
    assert document.attributes["log.record.time_doubt"] == why


def test_what_is_known_already_is_not_overridden_by_a_message(make_document):
    document = make_document(LOGBACK)
    document.time, document.severity = "2026-11-21T02:35:00.000000000Z", read_level("error")
    read([document])

    assert (document.time, document.severity.text) == ("2026-11-21T02:35:00.000000000Z", "ERROR")


@pytest.mark.parametrize("body", ["a line of prose", "", None, 7, {"level": "info"}])
def test_what_no_format_takes_is_left_alone(make_document, body):
    document = make_document(body)
    read([document])

    assert (document.body, document.attributes, document.severity, document.is_understood) == (body, {}, None, False)


def test_only_the_formats_of_the_route_are_tried(make_document):
    document = make_document(LOGBACK)
    make_text_step(plan_trials(["logfmt"]))([document])

    assert not document.is_understood


def test_attributes_that_are_shared_are_not_changed(make_document):
    shared = {"log.iostream": "stdout"}
    read([make_document(LOGBACK, attributes=shared)])

    assert shared == {"log.iostream": "stdout"}
