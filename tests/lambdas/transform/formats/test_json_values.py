"""Values that loggers write as objects."""

import pytest

from lambdas.transform.formats.json_values import read_attributes, read_message, read_moment


def typed(value):
    return [{"key": "k", "value": value}]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"stringValue": "x"}, "x"),
        ({"boolValue": False}, False),
        ({"intValue": "-7"}, -7),
        ({"intValue": 7}, 7),
        ({"intValue": "9223372036854775807"}, 2**63 - 1),
        ({"doubleValue": 0.5}, 0.5),
        ({"bytesValue": "aGk="}, "aGk="),
        ({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "x"}]}}, [1, "x"]),
        ({"kvlistValue": {"values": typed({"intValue": "1"})}}, {"k": 1}),
    ],
)
def test_typed_values_of_opentelemetry_become_plain_ones(value, read):
    assert read_attributes(typed(value)) == {"k": read}


@pytest.mark.parametrize(
    "attributes",
    [
        7,
        None,
        "x",
        [7],
        [{"key": "k"}],
        [{"key": 7, "value": {"stringValue": "x"}}],
        [{"key": "k", "value": {"stringValue": "x"}, "more": 1}],
        [*typed({"stringValue": "x"}), *typed({"stringValue": "y"})],
        typed("x"),
        typed({}),
        typed({"stringValue": 7}),
        typed({"stringValue": "x", "intValue": "1"}),
        typed({"boolValue": 1}),
        typed({"intValue": "007"}),
        typed({"intValue": "9223372036854775808"}),
        typed({"intValue": "٣"}),
        typed({"intValue": "9" * 10_000}),
        typed({"intValue": True}),
        typed({"doubleValue": "NaN"}),
        typed({"arrayValue": {"values": [7]}}),
        typed({"arrayValue": []}),
        typed({"kvlistValue": {"values": {}}}),
        typed({"otherValue": 1}),
    ],
)
def test_attributes_that_are_not_all_of_the_form_are_none(attributes):
    assert read_attributes(attributes) is None


def test_message_is_a_typed_value_that_is_text():
    assert read_message({"stringValue": "m"}) == "m"
    assert read_message({"Type": "STRING", "Value": "m"}) == "m"
    assert read_message({"Type": "INT64", "Value": 7}) is None
    assert read_message({"intValue": "7"}) is None
    assert read_message({"id": 1}) is None


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ({"epochSecond": 1795228559, "nanoOfSecond": 1}, "2026-11-21T02:35:59.000000001Z"),
        ({"seconds": 1795228559}, "2026-11-21T02:35:59.000000000Z"),
        ({"seconds": 253_402_300_799, "nanos": 999_999_999}, "9999-12-31T23:59:59.999999999Z"),
        ({"seconds": 253_402_300_800}, None),
        ({"seconds": -1}, None),
        ({"seconds": 1, "nanos": 10**9}, None),
        ({"seconds": 1, "nanos": -1}, None),
        ({"seconds": 1, "more": 1}, None),
        ({"seconds": True}, None),
        ({"seconds": 1.5}, None),
        ({}, None),
    ],
)
def test_moment_is_a_second_and_its_nanoseconds(value, time):
    assert read_moment(value) == time
