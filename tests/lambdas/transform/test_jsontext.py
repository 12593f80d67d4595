"""JSON objects read without loss, where the quick reader would lose."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.transform.jsontext import read_object
from lambdas.transform.limits import MAX_NESTING

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nested(levels):
    return b'{"a":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(
    ("text", "members", "rewritten"),
    [
        (b'{"a":1}', {"a": 1}, ()),
        (b' {"a" : 1 } ', {"a": 1}, ()),
        (b'{"a":"\\u0022:\\u0022"}', {"a": '":"'}, ()),
        (b'{"a":1,"a":2,"a":3}', {"a": 3, "a#1": 1, "a#2": 2}, ("duplicate_key",)),
        (b'{"a":1,"a#1":2,"a":3}', {"a": 3, "a#1": 2, "a#2": 1}, ("duplicate_key",)),
        (b'{"a":"\\u0022","b":1,"b":2}', {"a": '"', "b": 2, "b#1": 1}, ("duplicate_key",)),
        (b'{"a":"\\u0022\\u0022","b":1,"b":2}', {"a": '""', "b": 2, "b#1": 1}, ("duplicate_key",)),
        (b'{"o":{"a":1,"a":2}}', {"o": {"a": 2, "a#1": 1}}, ("duplicate_key",)),
        (b'{"n":18446744073709551615}', {"n": 2**64 - 1}, ()),
        (b'{"n":18446744073709551616}', {"n": "18446744073709551616"}, ("number",)),
        (b'{"n":-9223372036854775808}', {"n": -(2**63)}, ()),
        (b'{"n":-9223372036854775809}', {"n": "-9223372036854775809"}, ("number",)),
        (b'{"n":' + b"9" * 5000 + b"}", {"n": "9" * 5000}, ("number",)),
        (b'{"s":"18446744073709551616"}', {"s": "18446744073709551616"}, ()),
        (b'{"n":NaN,"i":[-Infinity],"e":1e999}', {"n": "NaN", "i": ["-Infinity"], "e": "1e999"}, ("number",)),
        (b'{"s":"a\x00b\tc"}', {"s": "a\x00b\tc"}, ()),
        (b'{"s":"\xe9","\xff":1}', {"s": "\\xe9", "\\xff": 1}, ("encoding",)),
        (b'{"\xff":1,"\\\\xff":2}', {"\\xff": 1, "\\xff#1": 2}, ("encoding",)),
        (b'{"s":"\\udc00 \\ud83d"}', {"s": "\\udc00 \\ud83d"}, ("encoding",)),
        (b'{"s":"\\ud83d\\ude00"}', {"s": "\U0001f600"}, ()),
    ],
)
def test_object_keeps_everything_its_text_says(text, members, rewritten):
    found = read_object(text)

    assert found is not None
    assert (found[0], found[1]) == (members, rewritten)
    orjson.dumps(found[0])


@pytest.mark.parametrize(
    "text", [b"", b"text", b"[1]", b"7", b'"{}"', b"{", b'{"a":1} and more', b'{"a":1}{"b":2}', b"{a:1}"]
)
def test_text_that_is_no_object_is_none(text):
    assert read_object(text) is None


def test_nesting_is_kept_up_to_the_limit_and_becomes_text_one_past_it():
    at_limit = read_object(nested(MAX_NESTING))
    past_limit = read_object(nested(MAX_NESTING + 1))

    assert at_limit is not None
    assert past_limit is not None
    assert at_limit[0] == json.loads(nested(MAX_NESTING))
    assert at_limit[1] == ()
    assert past_limit[1] == ("nesting",)
    assert b'"[]"' in orjson.dumps(past_limit[0])


@pytest.mark.parametrize("levels", [254, 255, 900, 1025, 100_000])
def test_nesting_of_any_depth_neither_raises_nor_produces_what_cannot_be_written(levels):
    found = read_object(nested(levels))

    assert found is None or orjson.dumps(found[0])


def test_many_repetitions_of_a_key_take_linear_time():
    """Quadratic, this would take minutes."""
    found = read_object(b"{" + b",".join([b'"a":1'] * 100_000) + b"}")

    assert found is not None
    assert len(found[0]) == 100_000


@given(st.dictionaries(st.text(), JSON, max_size=6), st.booleans())
def test_members_are_read_whatever_their_spelling(members, ascii_only):
    compact = json.dumps(members, ensure_ascii=ascii_only, separators=(",", ":"))
    spaced = json.dumps(members, ensure_ascii=ascii_only, indent=1)

    assert read_object(compact) == read_object(spaced) == read_object(compact.encode()) == (members, ())
