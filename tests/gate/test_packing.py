"""Calls stay within what AWS takes, whatever waits, and every line is in exactly one record."""

import base64
import hashlib

import aws_kinesis_agg.deaggregator as peer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate import kpl, packing
from gate.chunks import Block, Chunk
from gate.packing import Queue, blocks_of, pieces
from local.firehose import limits


def queue(form, messages, key=lambda _line: ""):
    """A queue with these messages' lines, and which of them are done."""
    made, done = Queue(form), []
    chunks = []
    for number, lines in enumerate(messages):
        blocks = blocks_of(lines, form, key)
        chunk = Chunk(
            pieces=pieces(form, len(blocks), len(lines)), size=0, done=lambda _chunk, number=number: done.append(number)
        )
        chunks.append(chunk)
        for block, size, of in blocks:
            made.append(Block(block, size, chunk, of))
    return made, chunks, done


def calls(made):
    while made:
        yield made.take()


def lines_in(put, form):
    if form == "kpl":
        return [line for line, _ in deaggregated(put.data, put.key)]
    return put.data.removesuffix(b"\n").split(b"\n") if form == "packed" else [put.data]


def deaggregated(data, key):
    """Lines and their keys, as AWS's own library reads them."""
    told = {
        "data": base64.b64encode(data).decode(),
        "partitionKey": key,
        "kinesisSchemaVersion": "1.0",
        "sequenceNumber": "1",
        "approximateArrivalTimestamp": 1.0,
    }
    outside = {"eventVersion": "1.0", "eventID": "1", "kinesis": told}
    outside |= dict.fromkeys(("eventSource", "eventName", "invokeIdentityArn", "awsRegion", "eventSourceARN"), "x")
    found = [each["kinesis"] for each in peer.deaggregate_records([outside])]
    return [(base64.b64decode(each["data"]), each["partitionKey"]) for each in found]


sizes = st.lists(st.lists(st.one_of(st.integers(1, 300), st.integers(990_000, 1_000_000)), min_size=1, max_size=6),
                 min_size=1, max_size=6)  # fmt: skip


@pytest.mark.parametrize("form", ["packed", "single", "kpl"])
@given(sizes=sizes)
@settings(max_examples=25, deadline=None)
def test_every_line_is_put_once_within_the_limits(form, sizes):
    messages = [[b"%d-%d-" % (n, m) + b"x" * size for m, size in enumerate(these)] for n, these in enumerate(sizes)]
    messages = [[line[:1_000_000] for line in lines] for lines in messages]
    made, _, done = queue(form, messages)
    found = []
    for puts in calls(made):
        assert len(puts) <= limits.RECORDS_PER_CALL
        assert sum(len(put.data) + len(put.key) for put in puts) <= limits.BYTES_PER_CALL
        assert max(len(put.data) for put in puts) <= limits.BYTES_PER_RECORD
        found += [line for put in puts for line in lines_in(put, form)]
        for put in puts:
            for chunk in put.chunks:
                chunk.settle()
    assert sorted(found) == sorted(line for lines in messages for line in lines)
    assert sorted(done) == list(range(len(messages)))


@pytest.mark.parametrize(("form", "records"), [("packed", 1), ("single", 500), ("kpl", 1)])
def test_messages_of_one_line_share_records_and_calls(form, records):
    made, _, _ = queue(form, [[b"line %d" % n] for n in range(1200)])
    assert next(len(puts) for puts in calls(made)) == records


def test_what_nobody_wants_is_left_out_and_settled():
    for form in ("packed", "single", "kpl"):
        made, chunks, done = queue(form, [[b"a", b"b"], [b"c"], [b"d"]])
        chunks[0].wanted = chunks[2].wanted = False
        puts = [put for call in calls(made) for put in call]
        assert [line for put in puts for line in lines_in(put, form)] == [b"c"]
        assert done == [0, 2]


def test_an_aggregate_goes_where_its_first_line_belongs():
    made, _, _ = queue("kpl", [[b"orders 1", b"orders 2"], [b"web 1"]], key=lambda line: line.split()[0].decode())
    [put] = made.take()
    assert put.key == "orders"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1), st.text(min_size=1, max_size=20))
def test_an_aggregate_is_what_consumers_read(lines, key):
    data = kpl.aggregate(lines, key=key)
    assert data[-16:] == hashlib.md5(data[4:-16]).digest()
    assert deaggregated(data, "other") == [(line, key) for line in lines]
    assert len(data) <= sum(len(line) + kpl.OVERHEAD_PER_LINE for line in lines) + 100


def test_our_figures_are_those_of_aws():
    assert (packing.RECORDS_PER_CALL, packing.BYTES_PER_CALL) == (limits.RECORDS_PER_CALL, limits.BYTES_PER_CALL)
    assert packing.BYTES_PER_RECORD == limits.BYTES_PER_RECORD
