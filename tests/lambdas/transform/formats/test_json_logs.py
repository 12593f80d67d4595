"""The step that takes a JSON line apart."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.transform.formats import json_plans
from lambdas.transform.formats.json_logs import lift_json_body
from lambdas.transform.limits import MAX_NESTING

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

    assert (document.body, document.severity.text) == (body, text)
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
    assert (document.body, document.severity.text, document.time) == ("", "WARN", OBSERVED)


@pytest.mark.parametrize(
    ("time", "why"), [("1999-12-31T23:59:59Z", "before_2000"), ("2026-11-23T00:00:00Z", "after_observed")]
)
@pytest.mark.parametrize("members", [{"msg": "m"}, {"msg": "m", "level": "info"}])
def test_time_that_cannot_be_right_keeps_the_observed_one_and_says_so(make_document, members, time, why):
    document = make_document(json.dumps({**members, "time": time}))

    lift_json_body(document)

    assert document.time == OBSERVED
    assert document.attributes == {"time": time, "log.record.time_doubt": why}


def test_second_time_is_taken_when_the_first_is_none(make_document):
    document = make_document('{"time":"12ms","ts":1795228559}')

    lift_json_body(document)

    assert document.time == "2026-11-21T02:35:59.000000000Z"
    assert document.attributes == {"time": "12ms"}


def test_of_two_times_that_cannot_be_right_the_first_is_told(make_document):
    document = make_document('{"time":"12ms","ts":"1999-12-31T23:59:59Z"}')

    lift_json_body(document)

    assert document.attributes["log.record.time_doubt"] == "unparsable"


def test_record_that_is_not_of_loguru_stays_an_object(make_document):
    record = {"message": "x", "level": {"name": "INFO"}}
    document = make_document(json.dumps({"message": "m", "record": record}))

    lift_json_body(document)

    assert (document.body, document.attributes, document.severity) == ("m", {"record": record}, None)


@pytest.mark.parametrize("more", ["", ',"level":"info","time":"2026-11-21T02:35:59Z"'])
def test_members_never_overwrite_attributes_of_the_record(make_document, more):
    line = f'{{"msg":"m","log.iostream":"mine","n":1{more}}}'
    document = make_document(line, attributes={"log.iostream": "stdout"})

    lift_json_body(document)

    assert document.attributes == {"log.iostream": "stdout", "log.iostream#1": "mine", "n": 1}


@pytest.mark.parametrize("body", [None, {"msg": "parsed", "level": "info", "n": 1}])
def test_object_that_was_parsed_already_is_lifted_the_same(make_document, body):
    attributes = {"msg": "parsed", "level": "info", "n": 1} if body is None else {}
    document = make_document(body, attributes=attributes)

    lift_json_body(document)

    assert (document.body, document.severity.text, document.attributes) == ("parsed", "INFO", {"n": 1})


def test_what_had_to_be_rewritten_is_noted(make_document):
    document = make_document('{"a":1,"a":NaN}')

    lift_json_body(document)

    assert document.rewritten == ("duplicate_key", "number")


def test_message_that_is_no_text_stays_an_attribute_and_another_may_be_the_body(make_document):
    document = make_document('{"message":{"id":1},"event":"placed","msg":7}')

    lift_json_body(document)

    assert (document.body, document.attributes) == ("placed", {"message": {"id": 1}, "msg": 7})


def test_dots_in_keys_and_nesting_are_both_kept_as_written(make_document):
    document = make_document('{"msg":"m","a.b":1,"a":{"b":2},"c":{"d.e":3}}')

    lift_json_body(document)

    assert document.attributes == {"a.b": 1, "a": {"b": 2}, "c": {"d.e": 3}}


def test_object_stays_an_object_where_another_line_has_text(make_document):
    one, other = make_document('{"msg":"m","user":"zoe"}'), make_document('{"msg":"m","user":{"id":1}}')

    lift_json_body(one)
    lift_json_body(other)

    assert (one.attributes, other.attributes) == ({"user": "zoe"}, {"user": {"id": 1}})


@pytest.mark.parametrize(
    ("line", "body", "attributes", "rewritten"),
    [
        ('{"msg":"a\\u0000b","\\u0000":1}', "a\0b", {"\0": 1}, ()),
        ('{"msg":"\\ud800","n":1}', "\\ud800", {"n": 1}, ("encoding",)),
        ('{"msg":"m","n":123456789012345678901}', "m", {"n": "123456789012345678901"}, ("number",)),
        ('{"msg": "m", "n": 1.50, "e": 1E2}', "m", {"n": 1.5, "e": 100.0}, ()),
        ('{"msg":"m","msg":"n"}', "n", {"msg#1": "m"}, ("duplicate_key",)),
        ('{"msg" : "m" , "msg":"n n"}', "n n", {"msg#1": "m"}, ("duplicate_key",)),
        ('{"msg":"' + "x" * 1_000_000 + '"}', "x" * 1_000_000, {}, ()),
    ],
    ids=["nul", "lone surrogate", "large number", "spelling", "twice", "twice with spaces", "huge"],
)
def test_what_is_odd_is_kept_or_rewritten_and_told(make_document, line, body, attributes, rewritten):
    document = make_document(line)

    lift_json_body(document)

    assert (document.body, document.attributes, document.rewritten) == (body, attributes, rewritten)


@pytest.mark.parametrize("space", ["", " "], ids=["compact", "spaces"])
def test_nesting_is_kept_up_to_the_limit_and_is_text_one_past_it(make_document, space):
    for levels, kept in ((MAX_NESTING, True), (MAX_NESTING + 1, False)):
        nested = "[" * levels + "]" * levels
        document = make_document(f'{{"msg":{space}"m","a":{space}{nested}}}')

        lift_json_body(document)

        assert document.attributes == {"a": json.loads(nested)} if kept else ("nesting" in document.rewritten)


@pytest.mark.parametrize(
    ("members", "text", "left"),
    [
        ({"level": 20, "msg": "m", "v": 0, "hostname": "h", "time": 1}, "DEBUG", False),
        ({"level": 20, "msg": "m", "pid": 1}, "DEBUG", False),
        ({"level": 20, "message": "m", "lineno": 7}, "INFO", False),
        ({"level": 20, "message": "m", "funcName": "f"}, "INFO", False),
        ({"levelno": 20, "message": "m"}, "INFO", False),
        ({"level_number": 50, "event": "m"}, "CRITICAL", False),
        ({"version": "1.1", "host": "h", "short_message": "m", "level": 6}, "INFO", False),
        ({"severityNumber": 6, "body": "m"}, "DEBUG", False),
        ({"severityNumber": "9", "body": "m"}, "INFO", False),
        ({"Severity": 18, "SeverityText": "x", "Body": "m"}, "CRITICAL", False),
        ({"severity": 400, "message": "m"}, "WARN", False),
        ({"LogLevel": "Information", "Message": "m"}, "INFO", False),
        ({"level": "INFO+2", "msg": "m"}, "INFO", False),
        ({"level": 6, "message": "m"}, None, True),
        ({"severity": 3, "message": "m"}, None, True),
        ({"level": 200, "level_name": "NOTICE", "message": "m"}, "NOTICE", True),
        ({"_level": 30, "msg": "m"}, None, True),
        ({"@t": "2026-11-21T02:35:59Z", "@mt": "m"}, "INFO", False),
        ({"ts": 1795228559, "msg": "m", "v": 0}, "INFO", False),
        ({"ts": 1795228559, "msg": "m", "v": 4}, "DEBUG", False),
        ({"ts": 1795228559, "msg": "m", "err": "e"}, "ERROR", False),
        ({"ts": 1795228559, "msg": "m"}, None, False),
    ],
)
def test_companions_of_a_level_tell_what_its_number_means(make_document, members, text, left):
    document = make_document(json.dumps(members))

    lift_json_body(document)

    assert (document.severity.text if document.severity else None) == text
    assert document.body == "m"
    assert left == any("level" in key or key == "severity" for key in document.attributes)


@pytest.mark.parametrize(
    ("text", "kept"),
    [("INFO", {}), ("Information", {}), ("ERROR", {"severityText": "ERROR"}), (7, {"severityText": 7})],
)
def test_text_of_a_level_goes_with_its_number_if_it_says_the_same(make_document, text, kept):
    document = make_document(json.dumps({"severityNumber": 9, "severityText": text, "body": "m"}))

    lift_json_body(document)

    assert (document.severity.number, document.attributes) == (9, kept)


@pytest.mark.parametrize(
    ("members", "time", "kept"),
    [
        ({"instant": {"epochSecond": 1795228559, "nanoOfSecond": 1}}, "000000001", {}),
        ({"timestamp": {"seconds": 1795228559, "nanos": 5}}, "000000005", {}),
        ({"timestamp": 1795228559007, "nanoseconds": 7000009}, "007000009", {}),
        ({"timestamp": 1795228559007, "nanoseconds": 9}, "007000000", {"nanoseconds": 9}),
        (
            {"timeUnixNano": "1795228559000000009", "observedTimeUnixNano": "1"},
            "000000009",
            {"observedTimeUnixNano": "1"},
        ),
        ({"timeUnixNano": "0", "observedTimeUnixNano": "1795228559000000009"}, "000000009", {"timeUnixNano": "0"}),
        ({"time_iso8601": "2026-11-21T02:35:59+00:00", "status": 200}, "000000000", {"status": 200}),
        ({"time_local": "21/Nov/2026:02:35:59 +0000", "status": 200}, "000000000", {"status": 200}),
        ({"start_time": "2026-11-21T02:35:59.123Z", "method": "GET"}, "123000000", {"method": "GET"}),
    ],
)
def test_time_is_read_in_the_forms_that_are_not_one_value(make_document, members, time, kept):
    document = make_document(json.dumps(members))

    lift_json_body(document)

    assert (document.time, document.attributes) == (f"2026-11-21T02:35:59.{time}Z", kept)


def test_ecs_level_that_is_nested_is_taken_and_the_rest_of_its_object_stays(make_document):
    document = make_document('{"message":"m","log":{"level":"error","logger":"shop"}}')

    lift_json_body(document)

    assert (document.severity.text, document.attributes) == ("ERROR", {"log": {"logger": "shop"}})


def test_object_that_held_nothing_but_the_level_goes_with_it(make_document):
    document = make_document('{"message":"m","log":{"level":"error"}}')

    lift_json_body(document)

    assert (document.severity.text, document.attributes) == ("ERROR", {})


@pytest.mark.parametrize("log", [{"level": "expert"}, {"level": 3}, {"file": "x"}, [], 7])
def test_nested_value_that_is_no_level_stays_where_it_is(make_document, log):
    document = make_document(json.dumps({"message": "m", "log": log}))

    lift_json_body(document)

    assert (document.severity, document.attributes) == (None, {"log": log})


def test_members_that_are_shared_are_never_changed(make_document):
    shared = {"message": "m", "level": "info", "log": {"level": "warn", "logger": "shop"}}
    document = make_document(None, attributes=shared)

    lift_json_body(document)

    assert shared == {"message": "m", "level": "info", "log": {"level": "warn", "logger": "shop"}}
    assert document.attributes == {"log": {"logger": "shop"}, "log.level": "warn"}


@pytest.mark.parametrize(
    "line",
    [
        '{"severityNumber":9,"body":{"stringValue":"m"},"attributes":[{"key":"n","value":{"intValue":"7"}}],"n":1}',
        '{"SeverityText":"INFO","Body":{"Type":"STRING","Value":"m"},'
        '"Attributes":[{"Key":"n","Value":{"Type":"INT64","Value":7}}],"n":1}',
        '{"severity_number":9,"body":"m","attributes":{"n":7},"n":1}',
    ],
    ids=["OTLP", "Go exporter", "object"],
)
def test_opentelemetry_attributes_join_the_others_and_overwrite_none(make_document, line):
    document = make_document(line)

    lift_json_body(document)

    assert (document.body, document.severity.text, document.attributes) == ("m", "INFO", {"n": 1, "n#1": 7})


def test_attributes_of_other_loggers_stay_an_object(make_document):
    document = make_document('{"message":"m","attributes":{"n":7}}')

    lift_json_body(document)

    assert document.attributes == {"attributes": {"n": 7}}


def test_more_shapes_than_are_remembered_are_read_all_the_same(make_document):
    for number in range(3000):
        document = make_document(f'{{"k{number}":1,"msg":"m","level":"warn"}}')
        lift_json_body(document)
        assert (document.body, document.severity.text, document.attributes) == ("m", "WARN", {f"k{number}": 1})
    assert len(json_plans._plans) <= 1024


def test_shape_of_many_or_long_keys_is_read_but_not_remembered(make_document):
    for keys in ([f"k{number}" for number in range(5000)], ["k" * 100_000]):
        members = dict.fromkeys(keys, 1)
        document = make_document(json.dumps({**members, "msg": "m"}))
        before = len(json_plans._plans)

        lift_json_body(document)

        assert (document.body, document.attributes) == ("m", members)
        assert len(json_plans._plans) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
KEY = st.text(max_size=5) | st.sampled_from(
    [
        *("message", "msg", "event", "level", "severity", "severityNumber"),
        *("severityText", "log", "record", "text", "time", "timestamp"),
        *("nanoseconds", "instant", "body", "attributes", "Body", "Attributes"),
        *("v", "ts", "err", "@t", "@m", "short_message"),
        *("version"),
    ]
)


@given(st.dictionaries(KEY, JSON, max_size=8), st.booleans())
def test_any_members_are_read_alike_however_they_are_spaced_and_whatever_came_before(make_document, members, compact):
    line = json.dumps(members, separators=(",", ":") if compact else None, ensure_ascii=compact)
    one, other = make_document(line), make_document(None, attributes=members)

    lift_json_body(one)
    lift_json_body(other)

    if members and not one.rewritten:
        assert (one.body, one.severity, one.time) == (other.body, other.severity, other.time)
        assert json.dumps(one.attributes, sort_keys=True) == json.dumps(other.attributes, sort_keys=True)


def test_nested_level_stays_where_its_name_with_dots_is_taken(make_document):
    members = {"log": {"level": "error"}, "log.level": "expert"}
    document = make_document(json.dumps({"message": "m", **members}))

    lift_json_body(document)

    assert (document.severity, document.attributes) == (None, members)


def test_object_may_stand_behind_spaces(make_document):
    document = make_document(' \t{"msg":"m"} ')

    lift_json_body(document)

    assert document.body == "m"
