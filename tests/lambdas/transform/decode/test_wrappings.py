"""Wrappings around wrappings: what goes in comes out, once and in order, or the limit is named."""

import base64
import bz2
import gzip
import json
import zlib

import cramjam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.transform.decode import Dropped, decode_data, unwrap
from lambdas.transform.errors import RecordError
from lambdas.transform.limits import MAX_ENCODINGS, MAX_MEMBERS

RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


def zstd(data):
    return bytes(cramjam.zstd.compress(data, level=1))


def snappy(data):
    return bytes(cramjam.snappy.compress_raw(data))


COMPRESSIONS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zlib": zlib.compress,
    "zlib fast": lambda data: zlib.compress(data, 1),
    "zstd": zstd,
    "snappy": snappy,
    "snappy framed": lambda data: bytes(cramjam.snappy.compress(data)),
}
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=80)
LINE = (
    st.builds(
        lambda log, n: json.dumps({"log": log, "n": n}, ensure_ascii=False, separators=(",", ":")),
        TEXT,
        st.integers(0, 999),
    )
    | st.builds(lambda text: f"level=info logger=web.basket msg={text!r}", TEXT)
).map(str.encode)


def pack(lines):
    return b"".join(line + b"\n" for line in lines), lines


PACKED = st.lists(LINE, min_size=1, max_size=6).map(pack)


def expected(lines):
    return [json.loads(line) if line.startswith(b"{") else {"log": line.decode()} for line in lines]


@RELAXED
@given(st.data())
def test_whatever_is_packed_compressed_and_aggregated_comes_out_once_and_in_order(aggregate, members, data):
    wrapped, lines = data.draw(PACKED)
    before = None
    for _ in range(data.draw(st.integers(0, MAX_ENCODINGS))):
        kind = data.draw(st.sampled_from(["aggregate", *COMPRESSIONS]))
        if kind == before == "snappy":
            kind = "zstd"  # raw snappy has no magic by which it could be known inside itself
        if kind == "aggregate":
            (first, earlier), (last, later) = data.draw(PACKED), data.draw(PACKED)
            wrapped, lines = aggregate([first, wrapped, last]), [*earlier, *lines, *later]
        else:
            wrapped = COMPRESSIONS[kind](wrapped)
        before = kind

    assert members(wrapped) == expected(lines)


def test_data_without_wrapping_is_handed_on_as_it_is():
    data = b'{"log":"a"}\n{"log":"b"}\n\n'

    (block,) = unwrap(data)

    assert block is data


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("size", [1, 7, 31, 32, 33, 60, 61, 91, 120, 123, 127, 128, 300, 70_000])
def test_compressed_json_of_any_length_is_told_from_text(members, name, size):
    """Raw snappy begins with the length, so there is one for each first byte of the other formats."""
    record = {"log": "", "n": 1}
    record["log"] = ("logs " * size)[: max(0, size - len(json.dumps(record)) - 1)]
    line = json.dumps(record).encode() + b"\n"

    assert members(COMPRESSIONS[name](line)) == [record]


@pytest.mark.parametrize("length", range(20, 300))
def test_raw_snappy_of_every_length_is_told_from_text(members, length):
    line = b'{"log":"%b"}\n' % (b"the quick brown fox jumps over the lazy dog " * 9)[: length - 11]

    assert len(line) == length
    assert members(snappy(line)) == [json.loads(line)]


@RELAXED
@given(
    st.lists(st.sampled_from([b'{"log":"","n":0}', b'{"n":1}', b'{"log":"aaaaaaaaaaaaaa"}']), min_size=1, max_size=12)
)
def test_raw_snappy_that_looks_like_text_is_told_from_it(members, lines):
    """Copies can be printable characters, as all of a block can that packs a few short lines."""
    assert members(snappy(b"\n".join(lines))) == expected(lines)


@RELAXED
@given(st.text(min_size=1))
def test_text_is_never_taken_for_anything_else(members, text):
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n") if line.encode().strip()]
    found = members(text.encode())

    assert found == [{"log": line} for line in lines] or any(line.lstrip().startswith(("{", "[")) for line in lines)


@pytest.mark.parametrize(
    "text",
    ["x^2 + y^2", "x\x01y", "xڪ", "(µs)", "\n$0123456789", "{ 30 }", "\x1f", "[2026] a", "\x10<012345", "{", ""],
)
def test_text_that_begins_like_a_wrapping_is_text(members, text):
    assert members(text.encode()) == [{"log": line} for line in text.split("\n") if line]


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        (name, harm)
        for name in ("gzip", "zlib", "zlib fast", "zstd", "snappy framed")
        for harm in ("cut", "corrupt", "header")
        if (name, harm) != ("zstd", "corrupt")  # Fluent Bit's frames have no checksum
    ],
)
def test_damaged_stream_is_kept_whole(members, name, harm):
    good = COMPRESSIONS[name](b'{"log":"something that was written"}\n' * 3 + bytes(range(256)))
    bad = {
        "cut": good[:-5],
        "corrupt": good[:-9] + bytes([good[-9] ^ 0x55]) + good[-8:],
        "header": good[:12],
    }[harm]

    (record,) = members(bad)

    assert base64.b64decode(record["log"]) == bad
    assert record["log.record.encoding"] == "base64"
    assert record["log.record.undecoded"] == name.split()[0]


@pytest.mark.parametrize("name", ["gzip", "zlib", "zstd", "snappy framed"])
def test_intact_streams_come_out_before_a_damaged_one(members, name):
    good = COMPRESSIONS[name](b'{"log":"whole"}\n')

    first, second, rest = members(good + good + good[:-3])

    assert [first, second] == [{"log": "whole"}] * 2
    assert base64.b64decode(rest["log"]) == good[:-3]


@pytest.mark.parametrize("gap", [b"", b"\n", b"\r\n", b"\0\0\0"])
@pytest.mark.parametrize("name", ["gzip", "zlib"])
def test_streams_in_a_row_are_all_read(members, name, gap):
    parts = [COMPRESSIONS[name](b'{"n":%d}' % number) for number in range(50)]

    assert members(gap.join(parts) + gap) == [{"n": number} for number in range(50)]


def test_text_that_spans_gzip_streams_is_one_text(members):
    assert members(gzip.compress(b'{"log":') + gzip.compress(b'"halves"}')) == [{"log": "halves"}]


def test_line_ends_between_gzip_streams_are_line_ends(members):
    assert members(gzip.compress(b"one") + b"\n" + gzip.compress(b"two")) == [{"log": "one"}, {"log": "two"}]


def test_text_behind_a_stream_is_read(members):
    assert members(gzip.compress(b'{"n":1}\n') + b"and more\n") == [{"n": 1}, {"log": "and more"}]


def test_text_with_odd_bytes_that_begins_like_a_wrapping_is_text(members):
    assert members(b"xyz \xff\nand more") == [{"log": "xyz \\xff"}, {"log": "and more"}]
    assert members(b"(caf\xe9)") == [{"log": "(caf\\xe9)"}]


def test_unknown_bytes_are_lines_with_escapes(members):
    data = bz2.compress(b"a format that nobody here writes")

    assert "".join(record["log"] for record in members(data)).startswith("BZh91AY&SY")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_text_with_a_mark_of_its_encoding_is_read(members, encoding):
    text = '{"log":"größer 🙂"}\nplain'
    data = text.encode(encoding)
    if encoding == "utf-16-be":
        data = b"\xfe\xff" + data

    assert members(data) == [{"log": "größer 🙂"}, {"log": "plain"}]


def test_half_a_utf16_character_makes_lines_with_escapes(members):
    assert members("ab".encode("utf-16")[:-1]) == [{"log": "\\xff\\xfea\0b"}]


@pytest.mark.parametrize("kind", ["aggregate", "gzip", "zstd", "snappy framed"])
def test_as_many_encodings_as_allowed_are_undone_and_one_more_is_refused(aggregate, members, kind):
    data = b'{"n":1}'
    for _ in range(MAX_ENCODINGS):
        data = aggregate([data]) if kind == "aggregate" else COMPRESSIONS[kind](data)

    assert members(data) == [{"n": 1}]
    with pytest.raises(RecordError, match="encodings_limit"):
        members(aggregate([data]))


def test_kinds_of_streams_that_take_turns_are_encodings(members):
    turns = [zlib.compress(b'{"n":1}'), gzip.compress(b'{"n":2}')] * (MAX_ENCODINGS // 2)

    assert len(members(b"".join(turns))) == MAX_ENCODINGS
    with pytest.raises(RecordError, match="encodings_limit"):
        members(b"".join([*turns, turns[0]]))


def count_lines(data):
    return sum(block.count(b"\n") + 1 for block in unwrap(data))


ONE_MEMBER = b"\x1a\x05\x08\x00\x1a\x01x"


def test_as_many_members_as_allowed_are_unpacked_and_one_more_is_refused(seal):
    assert count_lines(seal(ONE_MEMBER * MAX_MEMBERS)) == MAX_MEMBERS
    with pytest.raises(RecordError, match="members_limit"):
        count_lines(seal(ONE_MEMBER * (MAX_MEMBERS + 1)))


def test_as_many_streams_as_allowed_are_read_and_one_more_is_refused():
    empty = gzip.compress(b"")

    assert list(unwrap(empty * MAX_MEMBERS)) == []
    with pytest.raises(RecordError, match="members_limit"):
        list(unwrap(empty * (MAX_MEMBERS + 1)))


def test_limit_of_members_is_for_all_levels_together(aggregate, seal):
    inner = seal(ONE_MEMBER * (MAX_MEMBERS // 2 - 1))

    assert count_lines(aggregate([inner, inner])) == MAX_MEMBERS - 2
    with pytest.raises(RecordError, match="members_limit"):
        count_lines(aggregate([inner, inner, b"x"]))


def test_member_with_lines_of_its_own_is_split_into_them(aggregate, members):
    data = aggregate([b'{"n":1}\n{"n":2}\n', b'{\n "n": 3\n}', b'{"n":4}', b"text\nmore\n"])

    assert members(data) == [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, {"log": "text"}, {"log": "more"}]


def test_members_that_each_end_their_line_make_no_blank_ones(aggregate):
    assert list(unwrap(aggregate([b'{"n":1}\n', b'{"n":2}\n']))) == [b'{"n":1}\n{"n":2}']


def test_compressed_members_make_one_block(aggregate):
    """So that they are read as quickly as others."""
    data = aggregate([gzip.compress(b'{"n":1}\n'), zlib.compress(b'{"n":2}\n'), b'{"n":3}'])

    assert list(unwrap(data)) == [b'{"n":1}\n{"n":2}\n{"n":3}']


def test_what_a_rule_drops_is_named_and_what_follows_is_read(members):
    control = (
        b'{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"",'
        b'"subscriptionFilters":[],"logEvents":[]}'
    )

    assert list(unwrap(gzip.compress(control))) == [Dropped("cloudwatch_control")]
    assert members(control + b"\n" + b'{"n":1}') == [{"dropped": "cloudwatch_control"}, {"n": 1}]


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YQ==\n", "Y Q=", "Y-_=", "=", "é===", "YQ==YQ==", "\ud800"])
def test_what_is_not_base64_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        decode_data(text)


@RELAXED
@given(st.binary())
def test_base64_is_undone(data):
    assert decode_data(base64.b64encode(data).decode()) == data


@RELAXED
@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused_by_a_limit(members, data):
    for prefix in (
        b"",
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b"x\x9c",
        b"\xf3\x89\x9a\xc2",
        b"\xff\xfe",
        b"\xff\x06\0\0sNaPpY",
    ):
        try:
            members(prefix + data)
        except RecordError as error:
            assert error.reason.endswith("_limit")  # noqa: PT017
