"""The step that lifts a JSON body."""

import json

import pytest

from lambdas.transform.steps.json_body import lift_json_body

OBSERVED = "2026-11-21T02:36:00.123456789Z"


@pytest.mark.parametrize(
    ("line", "body", "text", "time"),
    [
        ('{"event":"placed","level":"info","timestamp":"2026-11-21T02:35:59.5Z"}', "placed", "INFO", "59.500000000"),
        ('{"level":40,"time":1795228559400,"msg":"slow"}', "slow", "WARN", "59.400000000"),
        ('{"level":"dpanic","ts":1795228559.25,"msg":"zap"}', "zap", "CRITICAL", "59.250000000"),
        (
            '{"@timestamp":"2026-11-21T03:35:59.001+01:00","message":"logback","level":"WARN"}',
            "logback",
            "WARN",
            "59.001000000",
        ),
        ('{"@t":"2026-11-21T02:35:59.1234567Z","@m":"serilog","@l":"Fatal"}', "serilog", "FATAL", "59.123456700"),
        ('{"@timestamp":"2026-11-21T02:35:59Z","log.level":"error","message":"ECS"}', "ECS", "ERROR", "59.000000000"),
        (
            '{"asctime":"2026-11-21 02:35:59,123","levelname":"CRITICAL","message":"py"}',
            "py",
            "CRITICAL",
            "59.123000000",
        ),
    ],
)
def test_keys_of_common_loggers_become_body_severity_and_time_and_nothing_else(make_document, line, body, text, time):
    document = make_document(line)

    lift_json_body(document)

    assert (document.body, document.severity["text"]) == (body, text)
    assert document.time == f"2026-11-21T02:35:{time}Z"
    assert document.observed == OBSERVED
    assert document.attributes == {}


@pytest.mark.parametrize("line", ["text", "[1]", "42", '"x"', "{", "{}", '{"a":1} trailing', ""])
def test_body_that_is_no_object_stays_text(make_document, line):
    document = make_document(line)

    lift_json_body(document)

    assert (document.body, document.attributes, document.severity) == (line, {}, None)


@pytest.mark.parametrize("value", [42, True, ["{}"]])
def test_body_of_another_type_stays(make_document, value):
    document = make_document(value)

    lift_json_body(document)

    assert (document.body, document.attributes) == (value, {})


def test_keys_whose_values_do_not_mean_what_they_are_called_stay_attributes(make_document):
    members = {"message": {"id": 1}, "level": "expert", "severity": 3, "ts": "12ms", "lvl": "warn"}
    document = make_document(json.dumps(members))

    lift_json_body(document)

    del members["lvl"]
    assert document.attributes == {**members, "log.record.time_doubt": "unparsable"}
    assert (document.body, document.severity["text"], document.time) == ("", "WARN", OBSERVED)


@pytest.mark.parametrize(
    ("time", "why"), [("1999-12-31T23:59:59Z", "before_2000"), ("2026-11-23T00:00:00Z", "after_observed")]
)
def test_time_that_cannot_be_right_keeps_the_observed_one_and_says_so(make_document, time, why):
    document = make_document(json.dumps({"msg": "m", "time": time}))

    lift_json_body(document)

    assert document.time == OBSERVED
    assert document.attributes == {"time": time, "log.record.time_doubt": why}


def test_second_time_is_taken_when_the_first_is_none(make_document):
    document = make_document('{"time":"12ms","ts":1795228559}')

    lift_json_body(document)

    assert document.time == "2026-11-21T02:35:59.000000000Z"
    assert document.attributes == {"time": "12ms"}


def test_members_never_overwrite_attributes_of_the_record(make_document):
    document = make_document('{"msg":"m","log.iostream":"mine","n":1}', attributes={"log.iostream": "stdout"})

    lift_json_body(document)

    assert document.attributes == {"log.iostream": "stdout", "log.iostream#1": "mine", "n": 1}


@pytest.mark.parametrize("body", [None, {"msg": "parsed", "level": "info", "n": 1}])
def test_object_that_was_parsed_already_is_lifted_the_same(make_document, body):
    attributes = {"msg": "parsed", "level": "info", "n": 1} if body is None else {}
    document = make_document(body, attributes=attributes)

    lift_json_body(document)

    assert (document.body, document.severity["text"], document.attributes) == ("parsed", "INFO", {"n": 1})


def test_what_had_to_be_rewritten_is_noted(make_document):
    document = make_document('{"a":1,"a":NaN}')

    lift_json_body(document)

    assert document.rewritten == ("duplicate_key", "number")
