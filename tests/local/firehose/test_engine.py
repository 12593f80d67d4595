import base64
import json
import re
from collections import Counter
from random import Random
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.firehose import (
    Accepted,
    BufferHints,
    Firehose,
    InvocationError,
    LambdaProcessor,
    ManualClock,
    S3Destination,
    StreamConfig,
)

NAME = "sluice-test-web"
PATIENCE = 120  # seconds after which a test that waits for an event has failed


def put_all(firehose: Firehose, count: int) -> None:
    for number in range(count):
        assert isinstance(firehose.put(NAME, [b"%d\n" % number])[0], Accepted)


def adds_up(firehose: Firehose) -> bool:
    counts = firehose.counts()[NAME]
    return counts.incoming == counts.delivered + counts.dropped + counts.pending + sum(counts.failed.values())


def test_the_counts_follow_a_record_from_pending_to_its_end(firehose, clock):
    running = firehose()
    running.put(NAME, [b"abc"])
    before = running.counts()[NAME]
    assert (before.incoming, before.pending, before.incoming_bytes, before.pending_bytes) == (1, 1, 3, 3)

    clock.advance(60)
    running.work()
    assert running.counts()[NAME].pending == 1, "transformed, but not yet written"

    clock.advance(300)
    running.work()
    after = running.counts()[NAME]
    assert (after.delivered, after.pending, after.pending_bytes, after.incoming_bytes) == (1, 0, 0, 3)


def test_dropped_records_are_counted_and_leave_nothing(firehose, function, bucket):
    function.respond = lambda event: function.answer(event, "Dropped")
    running = firehose()
    running.put(NAME, [b"a", b"b"])
    running.drain()
    counts = running.counts()[NAME]
    assert (counts.dropped, counts.pending, counts.pending_bytes) == (2, 0, 0)
    assert bucket.objects == {}


def answer_strangely(random: Random, event: dict) -> bytes:
    """An answer made of the record ids that were sent and of anything else, or no answer."""
    if random.random() < 0.3:
        raise InvocationError("Lambda.FunctionTimedOut", "too slow")
    if random.random() < 0.1:
        return random.randbytes(random.randrange(20))
    entries = []
    for each in event["records"]:
        about = random.choice([each] * 9 + [event["records"][0]])
        entries.append(
            {
                "recordId": random.choice([about["recordId"]] * 9 + ["unknown", None]),
                "result": random.choice(["Ok"] * 6 + ["Dropped", "ProcessingFailed"] * 3 + ["ok", None]),
                "data": random.choice([about["data"]] * 12 + [None, "???"]),
            }
        )
    entries = random.sample(entries, random.choice([len(entries)] * 3 + [len(entries) // 2]))
    return json.dumps({"records": entries}).encode()


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), sizes=st.lists(st.integers(0, 20), min_size=1, max_size=12))
def test_whatever_a_function_does_every_record_ends_exactly_once(seed, sizes):
    random = Random(seed)
    objects: dict[str, bytes] = {}

    def put_object(*, key: str, body: bytes, **_rest: object) -> None:
        if random.random() < 0.3:
            raise ConnectionError("S3 is away")
        objects[key] = body

    config = StreamConfig(
        name=NAME,
        arn=f"arn:aws:firehose:eu-west-1:000000000000:deliverystream/{NAME}",
        processor=LambdaProcessor("arn:f", hints=BufferHints(size_bytes=30, interval_seconds=60)),
        destination=S3Destination(bucket="sluice-logs"),
    )
    firehose = Firehose(
        [config],
        invoke=lambda _arn, payload: answer_strangely(random, json.loads(payload)),
        put_object=put_object,
        clock=ManualClock(),
    )
    records = [b"<%d%s>" % (number, b"x" * size) for number, size in enumerate(sizes)]
    firehose.put(NAME, records)
    firehose.work()
    assert adds_up(firehose)
    assert firehose.drain(timeout=86_400)

    counts = firehose.counts()[NAME]
    assert adds_up(firehose)
    assert (counts.pending, counts.pending_bytes) == (0, 0)
    lines = [json.loads(line) for key, body in objects.items() if "failed" in key for line in body.splitlines()]
    failed = [base64.b64decode(line["rawData"]) for line in lines]
    delivered = re.findall(rb"<[^>]*>", b"".join(body for key, body in objects.items() if "failed" not in key))
    assert Counter(line["errorCode"] for line in lines) == counts.failed
    assert len(delivered) == counts.delivered
    ended = failed + delivered
    assert len(set(ended)) == len(ended), "none of them twice"
    assert set(ended) <= set(records)
    assert len(records) == len(ended) + counts.dropped


def test_workers_deliver_without_being_asked(stream, function, bucket):
    now = BufferHints(size_bytes=1, interval_seconds=0)
    written = Event()

    def put_object(**request) -> None:
        bucket.put_object(**request)
        written.set()

    with Firehose([stream(batch=now, hints=now)], invoke=function.invoke, put_object=put_object) as firehose:
        firehose.put(NAME, [b"a"])
        assert written.wait(PATIENCE)
    assert bucket.delivered() == b"a"


def test_drain_flushes_what_the_workers_would_keep_for_minutes(stream, function, bucket):
    with Firehose([stream()], invoke=function.invoke, put_object=bucket.put_object) as firehose:
        put_all(firehose, 1000)
        assert firehose.drain(timeout=PATIENCE)
    assert sorted(bucket.delivered().split(), key=int) == [b"%d" % number for number in range(1000)]


def test_drain_gives_up_at_its_timeout_and_says_so(stream, function, bucket):
    bucket.refusals = 1_000_000
    with Firehose([stream()], invoke=function.invoke, put_object=bucket.put_object) as firehose:
        firehose.put(NAME, [b"a"])
        assert not firehose.drain(timeout=0.01)
        assert firehose.counts()[NAME].pending == 1


def test_a_slow_function_keeps_no_client_waiting(stream, function, bucket):
    called, let_go = Event(), Event()

    def dawdle(event):
        called.set()
        assert let_go.wait(PATIENCE)
        return function.answer(event)

    function.respond = dawdle
    now = BufferHints(size_bytes=1, interval_seconds=0)
    with Firehose([stream(batch=now)], invoke=function.invoke, put_object=bucket.put_object) as firehose:
        firehose.put(NAME, [b"0\n"])
        assert called.wait(PATIENCE)
        put_all(firehose, 100)
        assert firehose.counts()[NAME].pending == 101
        let_go.set()
        assert firehose.drain(timeout=PATIENCE)
    assert firehose.counts()[NAME].delivered == 101


def test_a_slow_function_delays_no_other_stream(stream, function, bucket):
    called, let_go = Event(), Event()

    def dawdle_for_slow(event):
        if event["deliveryStreamArn"].endswith("/slow"):
            called.set()
            assert let_go.wait(PATIENCE)
        return function.answer(event)

    function.respond = dawdle_for_slow
    now = BufferHints(size_bytes=1, interval_seconds=0)
    written = Event()

    def put_object(**request) -> None:
        bucket.put_object(**request)
        written.set()

    streams = [stream(name=name, batch=now, hints=now) for name in ("slow", "quick")]
    with Firehose(streams, invoke=function.invoke, put_object=put_object) as firehose:
        firehose.put("slow", [b"s"])
        assert called.wait(PATIENCE)
        firehose.put("quick", [b"q"])
        assert written.wait(PATIENCE)
        assert bucket.delivered() == b"q"
        let_go.set()


def test_clients_in_parallel_lose_nothing(stream, function, bucket):
    with Firehose([stream()], invoke=function.invoke, put_object=bucket.put_object) as firehose:
        clients = [Thread(target=put_all, args=(firehose, 200)) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert firehose.drain(timeout=PATIENCE)
    assert len(bucket.delivered().split()) == 1600
    records = [record["recordId"] for event in function.events for record in event["records"]]
    assert len(set(records)) == 1600


def test_a_worker_that_dies_is_told_to_whoever_drains(stream, function, bucket, monkeypatch):
    firehose = Firehose([stream()], invoke=function.invoke, put_object=bucket.put_object)

    class BrokenClock(ManualClock):
        def now(self) -> float:
            raise OSError("no time")

    with firehose:
        firehose.put(NAME, [b"a"])
        monkeypatch.setattr(firehose._streams[NAME]._stage, "_clock", BrokenClock())
        with pytest.raises(RuntimeError, match=NAME):
            firehose.drain(timeout=PATIENCE)
