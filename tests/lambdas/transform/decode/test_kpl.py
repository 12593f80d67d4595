"""Aggregates: what is intact comes out, and of what is damaged not a byte is lost."""

import base64
import json
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.transform.decode import decode_line, kpl, unwrap
from lambdas.transform.decode.kpl import MAGIC, read_aggregate

LINES = [b'{"log":"first line","n":1}', b"second line, which is text", b'{"log":"the third of them"}']


def field(tag, content):
    return bytes([tag]) + varint(len(content)) + content


def varint(number):
    rest, low = divmod(number, 128)
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def decode(data):
    """Every record in data, in order."""
    for block in unwrap(data):
        yield from chain.from_iterable(map(decode_line, block.split(b"\n"))) if isinstance(block, bytes) else (block,)


def everything(data):
    """All the bytes that came out, whether as text or undecoded."""
    found = []
    for members, _ in decode(data):
        members.pop("log.record.damaged", None)
        if "log.record.undecoded" in members:
            found.append(base64.b64decode(members["log"]))
        elif members.keys() == {"log"}:
            found.append(members["log"].encode())
        found.append(json.dumps(members, separators=(",", ":")).encode())
    return b"\n".join(found)


def test_members_come_out_in_order_as_one_block_of_lines(aggregate):
    assert list(unwrap(aggregate(LINES))) == [b"\n".join(LINES)]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20), st.sampled_from([None, "1", "9" * 38]))
def test_every_member_is_read_whatever_it_holds(aggregate, datas, hash_key):
    assert read_aggregate(aggregate(datas, hash_key=hash_key)) == (datas, b"", "")


@pytest.mark.parametrize("size", [0, 1, 119, 120, 121, 126, 127, 128, 129, 16_371, 16_380, 16_384, 16_390, 200_000])
@pytest.mark.parametrize("index", [0, 1, 127, 128, 40_000])
def test_lengths_and_indices_of_any_size_are_read(seal, size, index):
    """Those with another byte in their numbers too, and those that point at no key."""
    data = b"x" * size
    record = b"\x08" + varint(index) + field(0x1A, data)

    assert read_aggregate(seal(field(0x0A, b"key") + field(0x1A, record) * 3)) == ([data] * 3, b"", "")


def test_more_different_lengths_than_are_remembered_are_read(seal):
    sizes = [*range(5000), *range(100)]
    message = b"".join(field(0x1A, b"\x08\x00" + field(0x1A, b"x" * size)) for size in sizes)

    assert [len(member) for member in read_aggregate(seal(message)).members] == sizes
    assert 0 < len(kpl._heads) <= kpl._MOST_HEADS


def test_tags_and_unknown_fields_are_skipped(seal):
    tags = field(0x22, field(0x0A, b"name") + field(0x12, b"value"))
    unknown = b"\x28\x80\x01" + b"\x31" + b"8 bytes." + b"\x3d" + b"four" + field(0x42, b"unknown")
    record = b"\x08\x00" + field(0x1A, LINES[0]) + tags + unknown

    assert read_aggregate(seal(unknown + field(0x1A, record) + unknown)) == ([LINES[0]], b"", "")


@pytest.mark.parametrize("message", [field(0x0A, b"key"), field(0x1A, b"\x08\x00"), field(0x1A, field(0x1A, b""))])
def test_aggregate_without_data_gives_nothing(seal, message):
    assert list(decode(seal(message))) == []


def test_data_that_is_there_twice_comes_out_twice(seal):
    record = field(0x1A, LINES[0]) + field(0x1A, LINES[1])

    assert read_aggregate(seal(field(0x1A, record))).members == LINES[:2]


@pytest.mark.parametrize(
    "broken",
    [
        b"\x1a",
        b"\x1a\x7f" + b"x" * 20,
        b"\x1a" + b"\xff" * 11,
        b"\x1a\x05\x08\x00\x1a\x09xx",
        b"\x1b\x00",
        b"\x31short",
        b"\x1a\x04\x08\x00\x1a\x10" + b"x" * 14,
    ],
)
def test_message_that_breaks_under_a_right_md5_gives_what_came_before_and_keeps_the_rest(seal, broken):
    data = seal(field(0x0A, b"key") + field(0x1A, b"\x08\x00" + field(0x1A, LINES[0])) + broken)

    first, rest = decode(data)

    assert first.members == {"log": "first line", "n": 1}
    assert rest.members["log.record.undecoded"] == "kpl_protobuf"
    assert base64.b64decode(rest.members["log"]).startswith(broken)


@pytest.mark.parametrize("cut", range(1, 35))
def test_last_record_that_is_longer_than_the_message_is_kept_undecoded(seal, cut):
    """Also when its first bytes are as those of the records before it."""
    record = field(0x1A, b"\x08\x00" + field(0x1A, b"x" * 30))
    cut_off = record[:-cut]

    members, rest, damage = read_aggregate(seal(record * 2 + cut_off))

    assert members == [b"x" * 30] * 2
    assert rest.startswith(cut_off)
    assert damage == "kpl_protobuf"


@pytest.mark.parametrize(
    "odd",
    [
        field(0x1A, b"\x08\x00"),
        field(0x1A, field(0x1A, b"one") + field(0x1A, b"two")),
        field(0x1A, field(0x1A, b"data") + b"\x08\x00"),
        field(0x1A, field(0x1A, b"data") + field(0x42, b"unknown")),
        field(0x42, b"unknown"),
        field(0x0A, b"no\x00key"),
        field(0x0A, b""),
        field(0x0A, b"k" * 1025),
        b"\x08\x00",
    ],
    ids=["no data", "two", "out of order", "unknown in it", "unknown", "binary key", "empty key", "long key", "number"],
)
def test_under_a_wrong_md5_nothing_is_read_from_where_a_writer_would_not_have_written_it(odd):
    good = field(0x0A, b"key") + field(0x1A, b"\x08\x00" + field(0x1A, LINES[0]))
    data = MAGIC + good + odd + good + bytes(16)

    assert read_aggregate(data) == ([LINES[0]], odd + good + bytes(16), "kpl_md5")


@pytest.mark.parametrize("size", [0, 1, 15, 16])
def test_magic_with_next_to_nothing_behind_it_is_kept_undecoded(size):
    data = MAGIC + b"\x1a" * size

    (record,) = unwrap(data)

    assert record.members == {
        "log": base64.b64encode(data).decode(),
        "log.record.encoding": "base64",
        "log.record.undecoded": "kpl_short",
    }


def test_member_of_a_damaged_aggregate_is_marked(aggregate):
    good = aggregate(LINES)
    damaged = good[:-1] + bytes([good[-1] ^ 1])

    *found, rest = unwrap(damaged)

    assert [record.members.pop("log.record.damaged") for record in found] == ["kpl_md5"] * 3
    assert found == list(decode(good))
    assert rest.members["log.record.undecoded"] == "kpl_md5"


def test_cut_off_aggregate_gives_the_members_before_the_cut(aggregate):
    data = aggregate(LINES)
    cut = data[: data.index(LINES[2]) + 5]

    first, second, rest = unwrap(cut)

    assert first.members["log"] == "first line"
    assert second.members["log"] == LINES[1].decode()
    assert base64.b64decode(rest.members["log"]).endswith(LINES[2][:5])


@pytest.mark.parametrize("mask", [0x01, 0x02, 0x08, 0x20, 0x80, 0xFF])
def test_no_flipped_byte_loses_any_other(aggregate, mask):
    """At every place of an aggregate: a member is whole in what comes out unless the byte was its own."""
    good = aggregate(LINES, hash_key="12345")
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= mask
        found = everything(bytes(bad))
        for line in LINES:
            start = good.index(line)
            if not start <= place < start + len(line):
                assert line in found, (place, line)


def test_no_cut_loses_what_came_before_it(aggregate):
    good = aggregate(LINES, hash_key="12345")
    for end in range(len(MAGIC), len(good)):
        found = everything(good[:end])
        for line in LINES:
            start = good.index(line)
            assert good[start : min(end, start + len(line))] in found, end


@settings(deadline=None)
@given(st.binary(max_size=120), st.booleans())
def test_any_message_gives_every_byte_it_cannot_read(seal, message, right):
    data = seal(message) if right else MAGIC + message

    found = read_aggregate(data)

    assert found.damage or not found.rest
    assert data.endswith(found.rest)
    assert sum(map(len, found.members)) + len(found.rest) <= len(data)
