import base64
import gzip

import msgpack
import pytest

from loadtest.chunk import Acknowledgements, encode_entry, encode_message, encode_packed

AT = 1_763_690_840_738_355_123


def message(**options):
    given = {"tag": "shop.web", "time_unix_nano": AT, "record": {"log": "hé"}, "ack": True, "sub_second": True}
    chunk = encode_message(**given | options)
    return chunk, msgpack.unpackb(chunk.data, unicode_errors="surrogateescape")


def test_a_message_is_tag_event_time_record_option():
    chunk, (tag, time, record, option) = message()

    assert tag == "shop.web"
    assert time == msgpack.ExtType(0, (1_763_690_840).to_bytes(4, "big") + (738_355_123).to_bytes(4, "big"))
    assert record == {"log": "hé"}
    assert option == {"chunk": chunk.id}
    assert chunk.records == 1


def test_a_chunk_id_is_128_bits_and_its_own():
    one, other = message()[0], message()[0]

    assert len(base64.b64decode(one.id, validate=True)) == 16
    assert one.id != other.id


def test_without_an_acknowledgement_there_is_no_chunk_id():
    chunk, decoded = message(ack=False)

    assert chunk.id is None
    assert decoded[3] == {}


def test_without_sub_second_precision_the_time_is_whole_seconds():
    assert message(sub_second=False)[1][1] == 1_763_690_840


def test_bytes_that_are_not_utf8_go_out_as_they_came():
    data = b"caf\xe9 \xff \xed\xa0\x80"

    chunk, _ = message(record={"log": data.decode("utf-8", "surrogateescape")})

    assert b"\xa3log" + bytes([0xA0 | len(data)]) + data in chunk.data


@pytest.mark.parametrize("compress", [False, True])
def test_a_packed_chunk_carries_its_entries_and_how_many(compress):
    entries = [encode_entry(time_unix_nano=AT + n, record={"log": str(n)}) for n in range(3)]

    chunk = encode_packed(tag="t", entries=entries, ack=True, compress=compress)

    tag, body, option = msgpack.unpackb(chunk.data)
    assert (gzip.decompress(body) if compress else body) == b"".join(entries)
    compressed = {"compressed": "gzip"} if compress else {}
    assert (tag, option) == ("t", {"size": 3, "chunk": chunk.id, **compressed})
    assert chunk.records == 3


def test_acknowledgements_are_read_however_they_are_cut():
    stream = msgpack.packb({"ack": "one"}) + msgpack.packb({"ack": "two"})
    reader = Acknowledgements()

    assert [identity for byte in stream for identity in reader.read(bytes([byte]))] == ["one", "two"]


@pytest.mark.parametrize("answer", [msgpack.packb(["HELO", {}]), msgpack.packb({"ack": 1}), b"\xc1"])
def test_another_answer_than_an_acknowledgement_breaks_the_connection(answer):
    with pytest.raises(ConnectionError, match="the server answered"):
        Acknowledgements().read(answer)
