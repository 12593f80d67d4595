import json

import pytest

from local.firehose import BufferHints, InvocationError
from local.firehose.lambda_stage import Intake
from local.firehose.record import Record
from local.firehose.transformation import encode_record

NAME = "sluice-test-web"
MIB = 1024 * 1024
PAYLOAD = 6_291_556
NOW_MS = 1_700_000_000_000


def batches(function) -> list[int]:
    return [len(event["records"]) for event in function.events]


def test_a_batch_goes_when_its_size_is_reached_not_one_byte_before(firehose, stream, function):
    running = firehose(stream(batch=BufferHints(size_bytes=100, interval_seconds=60)))
    running.put(NAME, [b"x" * 50, b"x" * 49])
    running.work()
    assert batches(function) == []

    running.put(NAME, [b"x"])
    running.work()
    assert batches(function) == [3]


def test_a_batch_goes_when_its_oldest_record_has_waited(firehose, clock, function):
    running = firehose()
    running.put(NAME, [b"old"])
    clock.advance(59)
    running.put(NAME, [b"new"])
    running.work()
    assert batches(function) == []

    clock.advance(1)
    running.work()
    assert batches(function) == [2]


def test_many_records_go_in_batches_of_the_size(firehose, stream, function):
    running = firehose(stream(batch=BufferHints(size_bytes=100, interval_seconds=60)))
    running.put(NAME, [b"x" * 40] * 5)
    running.drain()
    assert batches(function) == [2, 2, 1]


def test_a_record_larger_than_the_size_goes_alone(firehose, stream, function):
    running = firehose(stream(batch=BufferHints(size_bytes=10, interval_seconds=60)))
    running.put(NAME, [b"x" * 99, b"y"])
    running.drain()
    assert batches(function) == [1, 1]


@pytest.mark.parametrize(("spare", "taken"), [(0, 3), (-1, 2)], ids=["fits exactly", "one byte too many"])
def test_a_batch_is_bounded_by_its_encoded_size(spare, taken):
    records = [Record(f"{number:056d}", b"x" * number, 1_700_000_000_000) for number in range(3)]
    intake = Intake()
    for record in records:
        intake.append(record)
    room = sum(len(encode_record(record)) + len(",") for record in records)

    batch, encoded = intake.take_batch(size_bytes=MIB, encoded_bytes=room + spare)

    assert len(batch) == len(encoded) == taken


def test_small_records_fill_an_invocation_and_never_exceed_it(firehose, stream, function, bucket):
    running = firehose(stream(batch=BufferHints(size_bytes=3 * MIB, interval_seconds=60)))
    for _ in range(100):
        running.put(NAME, [b"x"] * 500)

    running.drain()

    record = len(json.dumps(function.events[0]["records"][0], separators=(",", ":"))) + len(",")
    assert max(function.payloads) <= PAYLOAD < max(function.payloads) + record
    assert bucket.delivered() == b"x" * 50_000


def padded(answer: dict, size: int) -> bytes:
    body = json.dumps(answer).encode()
    return body + b" " * (size - len(body))


@pytest.mark.parametrize(
    ("size", "delivered", "failed"),
    [(PAYLOAD, 1, {}), (PAYLOAD + 1, 0, {"Lambda.FunctionError": 1})],
    ids=["6 MB", "6 MB + 1"],
)
def test_an_answer_may_be_6_mb_and_not_one_byte_more(firehose, function, size, delivered, failed):
    function.respond = lambda event: padded(function.answer(event), size)
    running = firehose()
    running.put(NAME, [b"x"])
    running.drain()

    counts = running.counts()[NAME]
    assert (counts.delivered, counts.failed) == (delivered, failed)
    assert len(function.events) == (1 if delivered else 4)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_after_the_retries_the_whole_batch_is_error_lines_in_firehoses_format(
    firehose, stream, function, bucket, retries
):
    function.respond = function.fail
    running = firehose(stream(retries=retries))
    running.put(NAME, [b"one", b"two"])
    running.drain()

    attempts = retries + 1
    paused = sum(2**attempt for attempt in range(retries))
    assert len(function.events) == attempts
    assert bucket.delivered() == b""
    assert bucket.errors() == [
        {
            "attemptsMade": attempts,
            "arrivalTimestamp": NOW_MS,
            "errorCode": "Lambda.FunctionError",
            "errorMessage": "it broke",
            "attemptEndingTimestamp": NOW_MS + paused * 1000,
            "rawData": raw,
            "lambdaArn": "arn:aws:lambda:eu-west-1:000000000000:function:transform",
        }
        for raw in ("b25l", "dHdv")
    ]


def test_a_retry_sends_the_same_records_under_another_invocation_id(firehose, function):
    function.answer_in_turn(function.fail, function.fail, function.answer)
    running = firehose()
    running.put(NAME, [b"x"])
    running.drain()

    assert [event["records"] for event in function.events] == [function.events[0]["records"]] * 3
    assert len({event["invocationId"] for event in function.events}) == 3
    assert running.counts()[NAME].delivered == 1


def test_a_retry_waits_for_its_pause_and_holds_back_what_came_later(firehose, function, clock):
    function.answer_in_turn(function.fail, function.answer, function.answer)
    running = firehose()
    running.put(NAME, [b"first"])
    clock.advance(60)
    running.work()
    running.put(NAME, [b"second"])
    running.work()
    assert batches(function) == [1]

    clock.advance(1)
    running.work()
    assert batches(function) == [1, 1]


def test_an_invoker_that_raises_anything_else_is_retried_and_named(firehose, function, bucket):
    def crash(_event):
        raise ValueError("a bug")

    function.respond = crash
    running = firehose()
    running.put(NAME, [b"x"])
    running.drain()

    assert [(line["errorCode"], line["errorMessage"]) for line in bucket.errors()] == [
        ("InternalError", "ValueError: a bug")
    ]
    assert len(function.events) == 4


def test_a_malformed_answer_is_final(firehose, function, bucket):
    function.respond = lambda _event: {"records": []}
    running = firehose()
    running.put(NAME, [b"x"])
    running.drain()

    (line,) = bucket.errors()
    assert (line["errorCode"], line["attemptsMade"]) == ("Lambda.MissingRecordId", 1)
    assert len(function.events) == 1


def test_a_throttle_that_ends_costs_nothing(firehose, function):
    def throttle(_event):
        raise InvocationError("Lambda.InvokeLimitExceeded", "wait")

    function.answer_in_turn(throttle, throttle, throttle, function.answer)
    running = firehose()
    running.put(NAME, [b"x"] * 3)
    running.drain()

    assert running.counts()[NAME].delivered == 3
