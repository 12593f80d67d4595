"""KPL aggregates, held to what aws-kinesis-aggregation itself makes and makes of them."""

import base64
import hashlib
import logging

import pytest
from aws_kinesis_agg import aggregator, deaggregator, messages_pb2
from google.protobuf.message import DecodeError
from hypothesis import assume, example, given
from hypothesis import strategies as st

from local.firehose.kpl import MAGIC, Member, members


def varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(key: int | None, data: bytes | None, *extra: bytes) -> bytes:
    parts = [b"" if key is None else field(1, key), b"" if data is None else field(3, data)]
    return field(3, b"".join([*parts, *extra]))


def sealed(message: bytes) -> bytes:
    return MAGIC + message + hashlib.md5(message).digest()


KEY = field(1, b"k")
HASH_KEY = field(2, b"7")
TAG = field(4, field(1, b"t") + field(2, b"v"))
ONE = KEY + entry(0, b"one")


def aggregate(*records: tuple[str, bytes, str | None]) -> bytes:
    made = aggregator.RecordAggregator()
    for key, data, hash_key in records:
        assert made.add_user_record(key, data, hash_key) is None
    return bytes(made.clear_and_get().get_contents()[2])


def test_what_the_library_packs_comes_out_in_order_with_its_keys():
    packed = aggregate(("a", b"1", None), ("b", b"2", "42"), ("a", b"3", None))
    assert members(packed) == [Member(b"1", "a"), Member(b"2", "b"), Member(b"3", "a")]


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b'{"log":"a line"}',
        MAGIC,
        MAGIC + b"x" * 16,
        MAGIC + hashlib.md5(b"").digest(),
        sealed(ONE)[:-1] + b"\0",
        b"\0" + sealed(ONE),
        sealed(b"\xff" * 11),
        sealed(field(3, field(3, b"no key"))),
        sealed(entry(0, None)),
        sealed(ONE + b"\x1a\xff"),
        sealed(KEY + entry(0, b"x", field(4, field(2, b"a tag without its key")))),
        sealed(ONE + varint(0)),
        sealed(ONE + varint(5 << 3 | 7)),
        sealed(ONE + varint(5 << 3 | 4)),
        sealed(ONE + varint(5 << 3 | 3)),
    ],
    ids=[
        *("empty", "a line", "magic alone", "no message", "an empty message", "another MD5", "magic later"),
        *("no protobuf", "no key index", "no data", "cut off", "a tag without key", "field 0", "kind 7"),
        *("a group's end", "a group without end"),
    ],
)
def test_what_is_no_aggregate_is_a_record(plain):
    assert members(plain) is None


@pytest.mark.parametrize(
    "message",
    [KEY + entry(0, b"one", TAG), KEY + HASH_KEY + entry(0, b"one", field(2, 0)), entry(0, b"one") + KEY],
    ids=["tags", "a hash key", "the table last"],
)
def test_all_that_the_format_has_is_read(message):
    assert members(sealed(message)) == [Member(b"one", "k")]


@pytest.mark.parametrize(
    "unknown",
    [
        field(9, 1 << 63),
        field(9, b"later"),
        varint(9 << 3 | 1) + b"8 bytes.",
        varint(9 << 3 | 5) + b"four",
        varint(9 << 3 | 3) + field(1, 1) + varint(2 << 3 | 3) + varint(2 << 3 | 4) + varint(9 << 3 | 4),
    ],
    ids=["varint", "bytes", "64 bits", "32 bits", "groups"],
)
def test_fields_of_a_later_format_are_passed_over(unknown):
    assert members(sealed(unknown + ONE)) == [Member(b"one", "k")]
    assert members(sealed(KEY + entry(0, b"one", unknown))) == [Member(b"one", "k")]


@pytest.mark.parametrize(
    "wrong",
    [entry(1, b"two"), entry(0, b"two", field(2, 0)), entry(1 << 63, b"two")],
    ids=["partition key", "hash key", "far beyond"],
)
def test_a_key_beyond_its_table_loses_the_rest_and_says_so(wrong, caplog):
    with caplog.at_level(logging.WARNING):
        assert members(sealed(ONE + wrong + entry(0, b"three"))) == [Member(b"one", "k")]
    assert "2 of its records lost" in caplog.text


def test_an_aggregate_without_records_is_nothing():
    assert members(sealed(KEY)) == []


def test_an_aggregate_inside_an_aggregate_is_unwrapped_once():
    inner = sealed(ONE)
    assert members(sealed(KEY + entry(0, inner))) == [Member(inner, "k")]


def as_the_library_does(data: bytes) -> list[tuple[bytes, str]]:
    """What aws-kinesis-aggregation makes of a record with the partition key `outer`."""
    kinesis = {"data": base64.b64encode(data), "partitionKey": "outer", "sequenceNumber": "1"}
    found = deaggregator.deaggregate_records(
        [{"kinesis": {**kinesis, "approximateArrivalTimestamp": 1.0, "kinesisSchemaVersion": "1"}, **EVENT}]
    )
    return [(base64.b64decode(record["kinesis"]["data"]), text(record["kinesis"]["partitionKey"])) for record in found]


def text(key: str | bytes) -> str:
    """The library leaves a key that is no UTF-8 as bytes."""
    return key if isinstance(key, str) else key.decode(errors="replace")


EVENT = dict.fromkeys(
    ("eventVersion", "eventSource", "eventID", "eventName", "invokeIdentityArn", "awsRegion", "eventSourceARN"), "x"
)
KEYS = st.text("abé", min_size=1, max_size=3).map(str.encode)
ANY_FIELD = st.one_of(
    st.builds(field, st.integers(0, 5), st.integers(0, 2**65)),
    st.builds(field, st.integers(0, 5), st.binary(max_size=4)),
    st.builds(field, st.integers(1, 2), KEYS),
    st.builds(
        entry,
        st.none() | st.integers(0, 2),
        st.none() | st.binary(max_size=4),
        st.builds(field, st.sampled_from([4, 9]), st.integers(0, 2) | st.just(field(1, b"t"))),
    ),
    st.builds(
        lambda number, kind, rest: varint(number << 3 | kind) + rest,
        st.integers(0, 9),
        st.integers(0, 7),
        st.binary(max_size=9),
    ),
)
MESSAGES = st.lists(ANY_FIELD, max_size=6).map(b"".join)


def parsed(message: bytes) -> messages_pb2.AggregatedRecord | None:
    aggregated = messages_pb2.AggregatedRecord()
    try:
        aggregated.ParseFromString(message)
    except DecodeError:
        return None
    return aggregated


@given(message=MESSAGES)
@example(message=ONE)
@example(message=field(1, 7) + ONE)
def test_whatever_the_message_is_the_result_is_the_librarys(message):
    data = sealed(message)
    inside = members(data)
    read = parsed(message)
    # The KCL looks every hash key up; the library in Python only where there is one, and then fails in its own error.
    assume(read is None or not any(each.HasField("explicit_hash_key_index") for each in read.records))
    if read is not None and not read.IsInitialized():
        assert inside is None, "Java's protobuf refuses what lacks a required field, Python's makes it a default"
        return
    ours = [(data, "outer")] if inside is None else [(each.data, each.partition_key) for each in inside]
    assert ours == as_the_library_does(data)


@given(data=st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: MAGIC + rest))
def test_any_bytes_are_a_record_unless_their_md5_is_right(data):
    assert members(data) is None or data.endswith(hashlib.md5(data[4:-16]).digest())


@given(records=st.lists(st.tuples(st.text("abc", min_size=1), st.binary()), max_size=20))
def test_nothing_of_an_aggregate_gets_lost(records):
    packed = sealed(
        b"".join(field(1, key.encode()) + entry(number, data) for number, (key, data) in enumerate(records))
    )
    expected = [Member(data, key) for key, data in records]
    assert members(packed) == (expected if records else None)
