"""What a line holds, and documents over many lines."""

import json
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.transform.decode import decode_line, unwrap
from lambdas.transform.errors import RecordError
from lambdas.transform.limits import MAX_MEMBERS
from tests.cost import times_longer

VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text()
    | st.sampled_from(["}{", "[{", '\\"}', "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.text(), VALUE, max_size=4)
COMPACT = {"ensure_ascii": False, "separators": (",", ":")}


def read(line):
    return [members for members, _ in decode_line(line)]


def decode(data):
    """Every record in data, in order."""
    for block in unwrap(data):
        yield from chain.from_iterable(map(decode_line, block.split(b"\n"))) if isinstance(block, bytes) else (block,)


def read_block(data):
    return [members for members, _ in decode(data)]


@pytest.mark.parametrize("separator", ["", " ", ",", ", ", "\0", "\x1e", "\t"])
@settings(deadline=None, max_examples=50)
@given(st.lists(OBJECT, min_size=1, max_size=5))
def test_objects_without_a_newline_between_them_are_each_read(separator, objects):
    line = separator.join(json.dumps(one, **COMPACT) for one in objects) + separator.replace(",", "")

    assert read(line.encode()) == objects


@settings(deadline=None, max_examples=50)
@given(st.lists(OBJECT, min_size=1, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_items_of_an_array_are_each_read(objects, indent):
    assert read_block(json.dumps(objects, indent=indent).encode()) == objects


@settings(deadline=None, max_examples=50)
@given(
    st.lists(OBJECT.filter(len), min_size=1, max_size=5),
    st.sampled_from([0, 2, "\t"]),
    st.sampled_from(["", "\n", "\n\n", "\r\n"]),
)
def test_documents_over_many_lines_are_each_read(objects, indent, separator):
    text = separator.join(json.dumps(one, indent=indent) for one in objects)

    assert read_block(text.encode()) == objects


@pytest.mark.parametrize(
    "line",
    [
        "text",
        "[main] started",
        "[1, 2]",
        "[]",
        "[{}",
        '["a"]',
        '[{"a":1}, 2]',
        '[{"a":1},{"a":',
        '[{"a":1},{"a":]',
        "{braces}",
        "{a} and {b}",
        '{"a":1} was received',
        '{"a":1}{b}',
        '{"a":',
        '{"a":"',
        "{",
        "}{",
        '"a string"',
        "12",
        "null",
        "{\0}",
        '{"a":1}]',
    ],
)
def test_any_other_line_is_text(line):
    assert read(line.encode()) == [{"log": line}]


def test_object_that_was_cut_off_comes_after_those_before_it_as_text():
    assert read(b'{"a":1}{"b":2} {"c":"[Truncated...]') == [{"a": 1}, {"b": 2}, {"log": '{"c":"[Truncated...]'}]


def test_blank_line_has_no_record():
    assert read(b"") == read(b" \t\r") == []


def test_end_of_a_windows_line_is_not_text():
    assert read(b"text\r") == [{"log": "text"}]


def test_duplicate_keys_and_odd_numbers_are_kept_in_each_of_several_objects():
    (_, none), (members, rewritten) = decode_line(b'{"a":1}{"b":1,"b":' + b"9" * 30 + b"}")

    assert none == ()
    assert members == {"b#1": 1, "b": "9" * 30}
    assert rewritten == ("duplicate_key", "number")


def test_lines_around_a_document_are_lines():
    data = b'{\n "a": {\n  "b": 1}\n}\ntext\n{"c":2}\n{\n "d": 3\n}\n{"e":4}\n{\nmore text\n{"f":5}\n'

    assert read_block(data) == [
        {"a": {"b": 1}},
        {"log": "text"},
        {"c": 2},
        {"d": 3},
        {"e": 4},
        {"log": "{"},
        {"log": "more text"},
        {"f": 5},
    ]


def test_document_with_something_behind_it_on_its_last_line_is_lines():
    assert read_block(b'{\n"a":1\n} x') == [{"log": "{"}, {"log": '"a":1'}, {"log": "} x"}]


def test_as_many_objects_in_a_line_as_allowed_are_read_and_one_more_is_refused():
    assert len(read(b"{}" * MAX_MEMBERS)) == MAX_MEMBERS
    with pytest.raises(RecordError, match="members_limit"):
        read(b"{}" * (MAX_MEMBERS + 1))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"a", b"1", b" ", b"\0"]), max_size=40
    )
)
def test_no_text_is_lost_in_vain_looks_for_a_document(pieces):
    """Every character that is not a bracket, blank or sign of JSON is somewhere in what comes out."""
    data = b"".join(pieces)

    found = json.dumps(read_block(data))

    assert found.count("a") >= data.count(b"a") or "#" in found


HOSTILE = {
    "lines that open": b"{\n",
    "lines that open arrays": b"[{\n",
    "open, with keys": b'{"a":\n',
    "open strings": b'{"\n',
    "escaped quotes": b'\\"',
    "quotes": b'"',
    "objects": b'{"a":1}',
    "nested": b'{"a":',
    "brackets": b"{[",
    "documents that are none": b"{\nx\n}\n",
    "closed and open": b"{}{",
    "commas": b"{},,",
    "spaces": b"   ",
    "NULs": b"\0",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("ends", [(b"", b""), (b"{", b""), (b'{"', b"\n"), (b"[{", b"}]"), (b"{\n", b"\n}")], ids=repr)
def test_time_grows_with_the_length_and_not_with_its_square(name, ends):
    def reading(size):
        data = ends[0] + HOSTILE[name] * (size // len(HOSTILE[name])) + ends[1]

        def read_it():
            try:
                for _ in decode(data):
                    pass
            except RecordError as error:
                assert error.reason == "members_limit"  # noqa: PT017

        return read_it

    # Sixteen times the length would be 256 times the time.
    assert times_longer(reading(64 * 1024), reading(4 * 1024), below=64, floor=0.001) < 64
