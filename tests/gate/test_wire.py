"""Bytes become messages however they are cut, and what is not the protocol is a WireError and nothing else."""

import gzip
import itertools

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate import wire
from gate.wire import Framer, WireError, read

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=10,
)
messages = st.lists(st.one_of(values, st.lists(values, min_size=2, max_size=4)), max_size=5)


@given(messages, st.lists(st.integers(0, 200), max_size=5))
def test_messages_are_the_same_however_their_bytes_are_cut(sent, cuts):
    packed = [msgpack.packb(value) for value in sent]
    stream = b"".join(packed)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    framer, found = Framer(), []
    for start, end in itertools.pairwise(places):
        found += framer.feed(stream[start:end])
    assert found == packed
    assert framer.held == 0


def test_messages_of_megabytes_among_small_ones():
    packed = [msgpack.packb(bytes(size)) for size in (5, 3 * wire.MIB, 7, 2 * wire.MIB, 1)]
    stream, framer, found = b"".join(packed), Framer(), []
    for at in range(0, len(stream), 100_001):
        found += framer.feed(stream[at : at + 100_001])
    assert found == packed


@given(st.one_of(st.binary(max_size=200), values.map(msgpack.packb), messages.map(msgpack.packb)))
def test_whatever_comes_is_a_message_or_a_wire_error(sent):
    try:
        for message in Framer().feed(sent):
            for _time, record in read(message).entries:
                assert isinstance(record, dict)
    except WireError:
        pass


def test_a_message_may_have_sixteen_mebibytes_and_no_byte_more():
    head = b"\xc6"
    largest = head + (wire.LARGEST_MESSAGE - 5).to_bytes(4) + bytes(wire.LARGEST_MESSAGE - 5)
    assert list(Framer().feed(largest)) == [largest]
    with pytest.raises(WireError, match="bytes"):
        list(Framer().feed(head + (wire.LARGEST_MESSAGE - 4).to_bytes(4) + bytes(wire.LARGEST_MESSAGE - 4)))


def test_what_is_compressed_may_unpack_to_a_limit_over_all_its_members():
    def message(*sizes):
        body = b"".join(gzip.compress(bytes(size)) for size in sizes)
        return msgpack.packb(["t", body, {"compressed": "gzip"}])

    half = wire.LARGEST_UNPACKED // 2
    read(message(half, half))
    with pytest.raises(WireError, match="unpacks"):
        read(message(half, half, 1))
    with pytest.raises(WireError, match="cut"):
        read(msgpack.packb(["t", gzip.compress(bytes(99))[:-9], {"compressed": "gzip"}]))


def test_text_that_is_not_utf8_keeps_its_bytes():
    packed = msgpack.packb([5, {"log": "\udcff"}], unicode_errors="surrogateescape")
    as_text = b"\x93\xa1\xfe\xd9" + bytes([len(packed)]) + packed + b"\x81\xa5chunk\xa2\xfd\xfc"
    message = read(as_text)
    assert message.tag == "\udcfe"
    assert list(message.entries) == [(5, {"log": "\udcff"})]
    assert message.answer == b"\x81\xa3ack\xa2\xfd\xfc"


@pytest.mark.parametrize("time", [None, True, "5", b"short", {}, ()], ids=str)
def test_a_time_of_another_form_is_no_entry(time):
    with pytest.raises(WireError):
        list(read(msgpack.packb(["t", [[time, {"log": "x"}]]])).entries)
