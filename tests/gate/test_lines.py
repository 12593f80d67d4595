"""Every record becomes lines that Firehose takes, and nothing of it is lost on the way."""

import json
import math
import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate import oversize
from gate.lines import lines_of
from gate.wire import read

TIME = msgpack.ExtType(0, struct.pack(">II", 1_700_000_000, 5))
keys = st.one_of(st.text(max_size=5), st.binary(max_size=5), st.integers(-9, 9), st.booleans(), st.none())
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(), st.binary(),
    st.builds(msgpack.ExtType, st.integers(1, 9), st.binary(max_size=9)),
    st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


def lines(record, *, tag="web", time=TIME):
    sent = msgpack.packb([tag, [[time, record]], {}], unicode_errors="surrogateescape")
    message = read(sent)
    return list(lines_of(message.tag, message.entries))


def only(record, **how):
    [line] = lines(record, **how)
    return json.loads(line)


@given(st.dictionaries(keys, values, max_size=6), st.text(max_size=9))
def test_any_map_is_one_line_of_json_with_our_names(record, tag):
    line = only(record, tag=tag)
    assert line["_tag"] == tag
    assert line["_time"] == "2023-11-14T22:13:20.000000005Z"
    assert len(line) == len(record.keys() - {"_tag", "_time"}) + 2


@given(st.dictionaries(st.text(max_size=5), st.integers(-(2**63), 2**64 - 1)))
def test_integers_are_exact(record):
    assert record.items() - {("_tag", 0), ("_time", 0)} <= {
        *only(record).items(), *((key, record[key]) for key in ("_tag", "_time") if key in record)
    }  # fmt: skip


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimals_are_exact(number):
    assert math.copysign(1, only({"x": [number]})["x"][0]) == math.copysign(1, number)
    assert only({"x": [number]})["x"] == [number]


def test_what_json_cannot_hold_is_spelled_wherever_it_is():
    record = {
        "nan": math.nan,
        "deep": {"list": [math.inf, -math.inf, b"\xff"], "text": "\udcfe"},
        "bytes": b"\x00\xc3\xa9\xff",
        b"key\xff": 1,
        5: "five",
        "null": None,
    }
    line = only(record)
    assert line["nan"] == "NaN"
    assert line["deep"] == {"list": ["Infinity", "-Infinity", r"\xff"], "text": r"\xfe"}
    assert line["bytes"] == "\x00é\\xff"
    assert (line[r"key\xff"], line["5"], line["null"]) == (1, "five", None)


@pytest.mark.parametrize("forged", ["_tag", b"_tag"], ids=["text", "bytes"])
def test_nobody_forges_our_names(forged):
    assert only({forged: "forged", "_time": "never", "odd": math.nan}, tag="mine")["_tag"] == "mine"
    assert only({forged: "forged", "_time": "never"}, tag="mine")["_time"].startswith("2023")


def test_keys_that_json_makes_equal_are_both_kept():
    line = only({"5": "text", 5: "number"})
    assert sorted(value for key, value in line.items() if key.startswith("5")) == ["number", "text"]


def test_what_is_nested_beyond_json_writers_is_kept_as_text():
    nested: object = "bottom"
    for _ in range(400):
        nested = {"a": nested}
    line = lines({"deep": nested})[0]
    assert b"bottom" in line
    json.loads(line)


@pytest.mark.parametrize(
    ("time", "written"),
    [
        (1_700_000_000, "2023-11-14T22:13:20.000000000Z"),
        (1.5, "1970-01-01T00:00:01.500000000Z"),
        (-1, "1969-12-31T23:59:59.000000000Z"),
        (msgpack.ExtType(0, struct.pack(">II", 5, 2_500_000_000)), "1970-01-01T00:00:07.500000000Z"),
        (msgpack.Timestamp(5, 6), "1970-01-01T00:00:05.000000006Z"),
    ],
    ids=str,
)
def test_every_time_that_clients_write(time, written):
    assert only({"log": "x"}, time=time)["_time"] == written


@given(st.integers(-(2**63), 2**64 - 1))
def test_no_time_is_refused(time):
    assert only({"log": "x"}, time=time)["log"] == "x"


def test_parts_are_cut_between_characters_and_are_the_whole():
    text = "a" + "€😀é" * 60_000
    parts = [json.loads(line) for line in lines({"log": text, "source": "stdout"})]
    assert "".join(part["log"] for part in parts) == text
    assert [part["partial_ordinal"] for part in parts] == [str(n + 1) for n in range(len(parts))]
    assert [part["partial_last"] for part in parts] == ["false"] * (len(parts) - 1) + ["true"]
    assert {part["partial_id"] for part in parts} == {f"1700000000.000000005-{len(text.encode())}"}
    assert {part["source"] for part in parts} == {"stdout"}
    assert all(len(part["log"].encode()) <= oversize.PART for part in parts)


def test_a_string_is_cut_at_the_limit_and_one_past_it():
    assert len(lines({"log": "x" * oversize.LARGEST})) == 1
    assert len(lines({"log": "x" * (oversize.LARGEST + 1)})) == 7


@pytest.mark.parametrize(
    "record",
    [
        {"one": "1" * 700_000, "two": "2" * 700_000, "log": "said"},
        {"list": ["x" * 1000] * 3000, "log": "said"},
        {"k" * 2_000_000: 1, "log": "said"},
        {"one": "1" * 2_000_000, "two": "2" * 2_000_000, "log": "said"},
        {"\x01" * 600_000: "\x02" * 600_000, "log": "said"},
        {**{f"key {n}": "x" * 500 for n in range(4000)}, "log": "said"},
        {oversize.MEMBERS: "mine", "list": ["x" * 1000] * 3000, "log": "said"},
    ],
    ids=["two-strings", "list", "key", "larger-strings", "controls", "many", "the-name-itself"],
)
def test_every_record_can_be_taken_and_is_whole(record):
    made = lines(record)
    assert max(map(len, made)) <= oversize.LARGEST_LINE
    parts = [json.loads(line) for line in made]
    whole = json.loads("".join(part[oversize.MEMBERS] for part in parts))
    kept = {key: value for key, value in parts[0].items() if key in record and key != oversize.MEMBERS}
    assert {**kept, **whole} == record
    assert all(part["log"] == "said" for part in parts)
