import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.compare import as_delivered, is_joined, is_unaltered, parse_time

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc.", max_size=3), VALUES, max_size=4)


def document(**fields):
    return {"@timestamp": "2026-11-21T02:47:20.738355123Z", "body": "", **fields}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_plain_line_must_be_the_body(text):
    assert is_unaltered(text, document(body=text))
    assert not is_unaltered("x " + text, document(body=text))


def test_bytes_that_are_not_utf8_are_expected_spelled_out():
    text = b"caf\xe9 \xf0\x9f\x98".decode("utf-8", "surrogateescape")

    assert as_delivered(text) == r"caf\xe9 \xf0\x9f\x98"
    assert is_unaltered(text, document(body=r"caf\xe9 \xf0\x9f\x98"))
    assert not is_unaltered(text, document(body="caf "))


@given(OBJECTS)
def test_a_json_line_may_be_taken_apart_into_attributes(line):
    assert is_unaltered(json.dumps(line), document(attributes=line))


@given(OBJECTS)
def test_a_json_line_may_stay_whole_as_text_or_as_a_value(line):
    assert is_unaltered(json.dumps(line), document(body=json.dumps(line)))
    assert is_unaltered(json.dumps(line), document(body=line))


LINE = {
    "event": "order taken",
    "level": "warning",
    "timestamp": "2026-11-21T03:47:20.738355123+01:00",
    "customer": {"name": "Zoë", "vip": False},
    "amount": 1,
    "items": [{"sku": "a"}],
    "trace": "t1",
}
DELIVERED = document(
    body="order taken",
    severity={"text": "WARN", "number": 13},
    attributes={"customer": {"name": "Zoë", "vip": False}, "amount": 1, "items": [{"sku": "a"}]},
    traceId="t1",
)


def test_values_may_be_promoted_to_the_places_of_the_schema():
    assert is_unaltered(json.dumps(LINE), DELIVERED)


def test_nested_values_may_stand_under_dotted_names():
    assert is_unaltered('{"a": {"b": {"c": 1}}}', document(attributes={"a.b": {"c": 1}}))


@pytest.mark.parametrize(
    "change",
    [
        {"body": "order"},
        {"severity": {"text": "INFO", "number": 9}},
        {"severity": None},
        {"@timestamp": "2026-11-21T02:47:20.738355124Z"},
        {"attributes": DELIVERED["attributes"] | {"customer": {"name": "Zoe", "vip": False}}},
        {"attributes": DELIVERED["attributes"] | {"customer": {"name": "Zoë"}}},
        {"attributes": DELIVERED["attributes"] | {"amount": True}},
        {"attributes": DELIVERED["attributes"] | {"items": []}},
        {"attributes": {"amount": 1}},
        {"traceId": "t2"},
    ],
    ids=str,
)
def test_a_value_that_changed_or_went_missing_is_an_alteration(change):
    assert not is_unaltered(json.dumps(LINE), DELIVERED | change)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2025-11-21T02:47:20.738355123Z", 1_763_693_240_738_355_123),
        ("2025-11-21T03:47:20.7+01:00", 1_763_693_240_700_000_000),
        ("2025-11-20T21:17:20-0530", 1_763_693_240_000_000_000),
        ("2025-02-30T00:00:00Z", None),
        ("2025-11-21T02:47:20", None),
        ("yesterday", None),
    ],
)
def test_times_are_read_to_the_nanosecond(text, nanoseconds):
    assert parse_time(text) == nanoseconds


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_lines_that_were_joined_must_be_the_body_one_below_the_other(texts):
    assert is_joined(texts, document(body="\n".join(texts)))
    assert not is_joined(texts, document(body="\n".join([*texts, ""])))
    assert not is_joined([*texts, "x"], document(body="\n".join(texts)))


HASH = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("card 4111 1111 1111 1111 refused", "card [redacted:card] refused"),
        ("203.0.113.9 - - GET /", f"[redacted:ipv4:{HASH}] - - GET /"),
        ("from a@b.example to c@d.example", "from [redacted:email] to [redacted:email]"),
        ("4111111111111111", "[redacted:card]"),
    ],
)
def test_a_marker_stands_for_what_a_rule_took_out(text, body):
    assert is_unaltered(text, document(body=body))


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("card 4111 refused", "card [redacted:card] accepted"),
        ("card 4111 refused", "the card [redacted:card] refused"),
        ("card refused", "card [redacted:card] refused"),
        ("one two", "one[redacted:x] two"),
        ("a b c", "[redacted:x] c b"),
        ("a, b", "[redacted:x], [redacted:x], b"),
        ("card 4111 refused", "card [redacted:] refused"),
        ("card 4111 refused", "card *** refused"),
    ],
)
def test_a_marker_stands_for_something_and_what_is_around_it_stays(text, body):
    assert not is_unaltered(text, document(body=body))


def test_a_marker_stands_for_a_number_in_a_json_line():
    line = json.dumps({"msg": "paid", "card": 4111111111111111, "n": 1})

    assert is_unaltered(line, document(body="paid", attributes={"card": "[redacted:card]", "n": 1}))
    assert not is_unaltered(line, document(body="paid", attributes={"card": "[redacted:card]", "n": 2}))


def test_lines_that_were_joined_may_hold_markers():
    assert is_joined(["Error: a@b.example", "  at f"], document(body="Error: [redacted:email]\n  at f"))
    assert not is_joined(["Error: a@b.example", "  at f"], document(body="Error: [redacted:email]\n  at g"))
