"""Many lines read at once are what each would be read alone."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambdas.transform.document import encode
from lambdas.transform.event_id import Arrival
from lambdas.transform.limits import MAX_NESTING
from lambdas.transform.parse import record
from lambdas.transform.parse.block import read_block

ARRIVED = "2026-11-21T02:36:30.123000000Z"
ODD = b"not json"
NAMES = st.sampled_from(["log", "source", "container_id", "container_name", "_tag", "_time", "extra"])
TIME = "2026-11-21T02:36:00.123456789Z"
ODD_TIMES = (
    "2026-11-21T02:36:00.123456780Z",
    "2026-11-21T02:36:00.000000000Z",
    "2026-11-21T02:36:00.1Z",
    "2026-11-21T02:36:00.12345678९Z",
    "2026-11-21T02:36:00.123456789+",
    "2026-11-21T02:36:00.12345678xZ",
    "2026-11-22T02:36:30.123000000Z",
    "2026-11-22T02:36:30.123000001Z",
    "2026-02-30T02:36:00.123456789Z",
    "2031-11-21T02:36:00.123456789Z",
    "1999-11-21T02:36:00.123456789Z",
    "yesterday",
)
TIMES = st.sampled_from([TIME, *ODD_TIMES])
VALUES = (
    TIMES
    | st.text()
    | st.integers()
    | st.booleans()
    | st.none()
    | st.sampled_from([[], {}, {"a": [1]}, ["b", {"c": None}], "},{", '","log":"'])
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=6)
LINES = (
    RECORDS.map(lambda members: json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode())
    | RECORDS.map(lambda members: json.dumps(members).encode())
    | st.sampled_from(
        [b"", b" ", b"{}", b"[]", b"1", b'{"log":"a"},{"log":"b"}', b'{"log":["a"', b'"b"]}', b'{"a":1,"a":2}', b"\xff"]
    )
)


def read(*lines, end=b"\n"):
    arrival = Arrival("r", ARRIVED)
    block = b"\n".join(lines) + end
    return [encode(document) for documents in read_block(block, arrival) for document in documents]


@given(st.lists(LINES, max_size=8))
@example([b'{"log":"a"},{"log":"b"}', b'{"log":["a"', b'"b"]}'])
@example([b"1"])
@example([b"[]", b'"text"'])
@example([b'{"log":"a"', b'"b":2}'])
@example([b'{"log":"a","_time":"2026-11-21T02:36:00.123456789Z"}'] * 2)
@example([b'{"extra":%b,"log":"a","_time":"2026-11-21T02:36:00.123456789Z"}' % each for each in (b"1", b"true") * 3])
@example([b'{"extra":%b,"log":"a","_time":"2026-11-21T02:36:00.123456789Z"}' % each for each in (b'"1"', b'"2"') * 3])
@settings(deadline=None)
def test_a_line_is_read_alike_alone_and_among_others(lines):
    *among, odd = read(*lines, ODD)

    assert read(*lines) == among
    assert json.loads(odd)["body"] == ODD.decode()


@pytest.mark.parametrize("time", ODD_TIMES)
def test_an_odd_time_is_read_alike_after_usual_ones(time):
    """The usual time's second, and the usual line's source, are remembered by then."""
    lines = [
        json.dumps({"log": "a", "_tag": "t", "_time": each}, separators=(",", ":"), ensure_ascii=False).encode()
        for each in (TIME, TIME, time, TIME)
    ]

    *among, _ = read(*lines, ODD)

    assert read(*lines) == among


def test_a_shippers_time_and_line_feed_are_taken_from_every_line_not_the_first_alone():
    """Docker's json-file, read by an agent: two lines of one moment differ in their text alone."""
    told = {"stream": "stdout", "time": "2026-11-21T02:35:59.5Z", "_time": TIME}
    lines = [json.dumps({"log": f"{text}\n", **told}, separators=(",", ":")).encode() for text in "abc"]

    documents = [json.loads(line) for line in read(*lines)]

    assert [document["body"] for document in documents] == ["a", "b", "c"]
    assert {document["@timestamp"] for document in documents} == {"2026-11-21T02:35:59.500000000Z"}


def test_what_only_one_line_can_carry_is_not_remembered():
    before = len(record._sources)
    for number in range(10):
        for name in ("partial_id", "log.record.uid"):
            list(read(json.dumps({"log": "a", name: str(number), "_time": TIME}, separators=(",", ":")).encode()))

    assert len(record._sources) == before


def test_lines_are_never_joined_or_cut_whatever_they_hold():
    two_in_one = b'{"log":"a"},{"log":"b"}'
    one_in_two = (b'{"log":["a"', b'"b"]}')

    bodies = [json.loads(line)["body"] for line in read(two_in_one, *one_in_two, b'{"log":"c"}')]

    assert bodies[-1] == "c"
    assert '"b"]}' in bodies


def test_what_is_nested_too_deeply_is_kept_as_text():
    at_limit = json.dumps({"log": "x", "deep": nested(MAX_NESTING)}, separators=(",", ":")).encode()
    beyond = json.dumps({"log": "x", "deep": nested(MAX_NESTING + 1)}, separators=(",", ":")).encode()

    first, second = map(json.loads, read(at_limit, beyond))

    assert first["attributes"] == {"deep": nested(MAX_NESTING)}
    assert second["attributes"]["log.record.rewritten"] == ["nesting"]


def test_a_large_block_is_read_in_pieces_without_losing_a_line():
    lines = [b'{"log":"%d %b"}' % (number, b"x" * (number % 700)) for number in range(2000)]

    assert [json.loads(line)["body"] for line in read(*lines)] == [json.loads(line)["log"] for line in lines]


def nested(levels):
    return {"a": nested(levels - 1)} if levels > 1 else {"a": 1}
