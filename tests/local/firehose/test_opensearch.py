"""The OpenSearch destination on a clock that never waits, against a `_bulk` that fails as it is told."""

import json
from base64 import b64decode
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.firehose import BufferHints, ManualClock, S3Destination, StreamConfig
from local.firehose.config import OpenSearchDestination
from local.firehose.destinations.opensearch import OPENSEARCH_FAILED, OpenSearchOutput, index_name
from local.firehose.destinations.s3 import ObjectFormat, S3Output
from local.firehose.record import Outgoing
from local.firehose.stream import Stream
from tests.local.firehose.conftest import Bucket

BACKUP = S3Destination("sluice-logs", error_prefix="failed/!{firehose:error-output-type}/")
HINTS = BufferHints(size_bytes=1000, interval_seconds=60)
CONFLICT = {"type": "mapper_parsing_exception", "reason": "failed to parse field [n] of type [long]"}

Answer = Callable[[list[dict]], tuple[int, bytes]]


def bulk_answer(statuses: list[int]) -> tuple[int, bytes]:
    items = [
        {"index": {"status": status} if status < 300 else {"status": status, "error": CONFLICT}} for status in statuses
    ]
    return 200, json.dumps({"errors": max(statuses) >= 300, "items": items}).encode()


@dataclass
class Search:
    """`_bulk` as a list; answers in turn with `answers`, and takes everything when there are no more."""

    answers: deque[Answer] = field(default_factory=deque)
    indexed: list[tuple[str, dict]] = field(default_factory=list)
    posted: list[list[dict]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)

    def post(self, body: bytes) -> tuple[int, bytes]:
        assert body.endswith(b"\n")
        lines = [json.loads(line) for line in body.split(b"\n")[:-1]]
        actions, documents = lines[::2], lines[1::2]
        assert all(set(action) == {"index"} and set(action["index"]) == {"_index"} for action in actions), "without ids"
        self.posted.append(documents)
        self.at.append(self.clock.now())
        answer = self.answers.popleft() if self.answers else statuses(201)
        status, answered = answer(documents)
        if status == 200 and answered.startswith(b'{"errors"'):
            for action, document, item in zip(actions, documents, json.loads(answered)["items"], strict=False):
                if item["index"]["status"] < 300:
                    self.indexed.append((action["index"]["_index"], document))
        return status, answered

    @property
    def numbers(self) -> list[int]:
        return [document["n"] for _, document in self.indexed]


def statuses(*of_items: int) -> Answer:
    """Give these statuses to a bulk's items, the last one to all the others."""
    return lambda documents: bulk_answer([*of_items, *of_items[-1:] * len(documents)][: len(documents)])


def whole(status: int, body: bytes = b'{"error": "busy"}') -> Answer:
    return lambda _documents: (status, body)


def refuses_connection(_documents: list[dict]) -> tuple[int, bytes]:
    raise ConnectionRefusedError("nobody listens")


@dataclass
class Run:
    """A destination with its backup, driven by hand; `arrived` is what it said has arrived."""

    search: Search
    bucket: Bucket
    clock: ManualClock
    output: OpenSearchOutput
    arrived: list[Outgoing] = field(default_factory=list)

    def add(self, *numbers: int) -> None:
        for number in numbers:
            self.add_raw(b'{"n":%d}\n' % number)

    def add_raw(self, data: bytes) -> None:
        self.output.add(Outgoing(data, int(self.clock.now() * 1000), len(data)))

    def work(self, *, flush: bool = False) -> None:
        self.arrived += self.output.work(flush=flush)

    def drain(self) -> None:
        while (due_at := self.output.due_at(flush=True)) is not None:
            self.clock.advance(max(0.0, due_at - self.clock.now()))
            self.work(flush=True)

    @property
    def failures(self) -> list[str | None]:
        return [outgoing.failure for outgoing in self.arrived if outgoing.failure]

    @property
    def failed_numbers(self) -> list[int]:
        return [json.loads(b64decode(line["rawData"]))["n"] for line in self.bucket.errors()]


def make(*answers: Answer, retry_refused: bool = True, **destination: object) -> Run:
    clock, bucket = ManualClock(), Bucket()
    search = Search(answers=deque(answers), clock=clock)
    config = OpenSearchDestination(
        **{"endpoint": "http://127.0.0.1:9", "index": "logs", "backup": BACKUP, "hints": HINTS, **destination}
    )
    objects = ObjectFormat(BACKUP.bucket, BACKUP.error_prefix, "web", "1", error_type=OPENSEARCH_FAILED)
    errors = S3Output(objects, hints=HINTS, put_object=bucket.put_object, clock=clock)
    output = OpenSearchOutput(config, post=search.post, errors=errors, clock=clock, retry_refused=retry_refused)
    return Run(search, bucket, clock, output)


def test_a_buffer_becomes_one_bulk_when_it_is_full_not_one_byte_before():
    run = make(hints=BufferHints(size_bytes=len(b'{"n":1}') * 3, interval_seconds=300))
    run.add(1, 2)
    run.work()
    assert run.search.posted == []
    run.add(3, 4)
    run.work()
    assert run.search.posted == [[{"n": 1}, {"n": 2}, {"n": 3}]]
    assert [outgoing.data for outgoing in run.arrived] == [b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n']


def test_a_buffer_becomes_a_bulk_when_its_first_record_has_waited():
    run = make()
    run.add(1)
    assert run.output.due_at(flush=False) == run.clock.now() + 60
    run.clock.advance(59)
    run.add(2)
    run.work()
    assert run.search.posted == []
    run.clock.advance(1)
    run.work()
    assert run.search.numbers == [1, 2]
    assert run.output.due_at(flush=False) is None


def test_each_record_goes_to_the_index_of_its_own_arrival_not_of_delivery():
    """Nor of the end of its transformation, which is when it gets here."""
    run = make(rotation="OneHour")
    arrivals = [run.clock.now(), run.clock.now() + 3600]
    run.clock.advance(7200)
    for arrived_at in arrivals:
        run.output.add(Outgoing(b'{"n":1}', int(arrived_at * 1000), 7))
    run.drain()
    hours = [datetime.fromtimestamp(arrived_at, UTC) for arrived_at in arrivals]
    assert [index for index, _ in run.search.indexed] == [f"logs-{hour:%Y-%m-%d-%H}" for hour in hours]


@pytest.mark.parametrize(
    ("rotation", "at", "expected"),
    [
        ("NoRotation", "2016-02-25T13:00:00", "myindex"),
        ("OneHour", "2016-02-25T13:00:00", "myindex-2016-02-25-13"),
        ("OneDay", "2016-02-25T23:59:59", "myindex-2016-02-25"),
        ("OneMonth", "2016-02-25T13:00:00", "myindex-2016-02"),
        ("OneWeek", "2016-02-25T13:00:00", "myindex-2016-w09"),  # by the rule; the page's example says w08
        ("OneWeek", "2020-08-15T23:59:59", "myindex-2020-w33"),  # a Saturday
        ("OneWeek", "2020-08-16T00:00:00", "myindex-2020-w34"),  # the Sunday after it
        ("OneWeek", "2016-01-02T00:00:00", "myindex-2016-w01"),  # a Saturday, so its week is the first
        ("OneWeek", "2015-12-27T00:00:00", "myindex-2016-w01"),  # the Sunday of that week
        ("OneWeek", "2022-01-01T00:00:00", "myindex-2022-w01"),
        ("OneWeek", "2023-01-07T00:00:00", "myindex-2023-w01"),  # the seventh of a year that begins on a Sunday
        ("OneWeek", "2022-12-31T00:00:00", "myindex-2022-w53"),
    ],
)
def test_the_rotation_names_the_index(rotation, at, expected):
    arrived_ms = int(datetime.fromisoformat(f"{at}+00:00").timestamp() * 1000)
    assert index_name("myindex", rotation, arrived_ms=arrived_ms) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"plain text",
        b'"text"',
        b"[1]",
        b"null",
        b'{"n":1',
        b'{"n":1}{"n":2}',
        b'{"n":1}\n{"n":2}\n',
        b'{"n":\n1}',
        b'{"n":"\xff"}',
        b'{"n":NaN}',
    ],
)
def test_a_record_that_is_not_one_object_on_one_line_fails_and_is_not_sent(data):
    run = make()
    run.add(1)
    run.add_raw(data)
    run.add(2)
    run.drain()
    assert run.search.posted == [[{"n": 1}, {"n": 2}]]
    assert run.failures == ["ES.MalformedData"]
    (line,) = run.bucket.errors()
    assert b64decode(line["rawData"]) == data
    assert (line["errorCode"], line["attemptsMade"]) == ("ES.MalformedData", 0)
    assert "single valid JSON-object" in line["errorMessage"]


def test_any_success_of_an_item_is_one():
    run = make(statuses(200, 201, 202))
    run.add(1, 2, 3)
    run.drain()
    assert (len(run.arrived), len(run.search.posted)) == (3, 1)


def test_blanks_around_a_document_do_no_harm():
    run = make()
    run.add_raw(b' \r\n{"n":1}\r\n\n')
    run.drain()
    assert (run.search.numbers, run.failures) == ([1], [])


def test_a_failed_document_is_a_line_in_firehoses_format_under_the_error_type():
    run = make(statuses(400), retry_seconds=0, rotation="OneDay")
    began = int(run.clock.now() * 1000)
    run.add(7)
    run.clock.advance(60)
    run.work()
    run.drain()
    (key,) = run.bucket.objects
    assert key.startswith("failed/AmazonOpenSearchService-failed/web-1-2023-11-14-")
    (line,) = run.bucket.errors()
    assert json.loads(line.pop("errorMessage")) == CONFLICT
    assert b64decode(line.pop("rawData")) == b'{"n":7}\n'
    assert line == {
        "attemptsMade": 1,
        "arrivalTimestamp": began,
        "errorCode": "400",
        "attemptEndingTimestamp": began + 60_000,
        "esDocumentId": None,
        "esIndexName": "logs-2023-11-14",
        "esTypeName": "",
    }
    (outgoing,) = run.arrived
    assert (outgoing.failure, outgoing.raw_bytes, outgoing.arrived_ms) == ("400", len(b'{"n":7}\n'), began)


def test_who_waits_for_a_record_is_told_of_its_failure_too():
    """A data stream is read on from behind what is settled, wherever that ended."""
    run = make(statuses(400), retry_seconds=0)
    run.output.add(Outgoing(b'{"n":1}', 0, 7, on_settled=list))
    run.output.add(Outgoing(b"rubbish", 0, 7, on_settled=dict))
    run.drain()
    assert {(outgoing.on_settled, outgoing.error_type) for outgoing in run.arrived} == {
        (list, OPENSEARCH_FAILED),
        (dict, OPENSEARCH_FAILED),
    }


@pytest.mark.parametrize("status", [429, 500, 503, 400])
def test_only_the_failed_items_of_a_bulk_are_sent_again_with_growing_pauses(status):
    run = make(statuses(201, status, 201, status, 201), statuses(201, status), statuses(status))
    began = run.clock.now()
    run.add(0, 1, 2, 3, 4)
    run.drain()
    assert run.search.posted == [[{"n": n} for n in sent] for sent in ([0, 1, 2, 3, 4], [1, 3], [3], [3])]
    assert [at - began for at in run.search.at] == [0, 1, 1 + 2, 1 + 2 + 4]
    assert run.search.numbers == [0, 2, 4, 1, 3]
    assert [outgoing.data for outgoing in run.arrived] == [b'{"n":%d}\n' % n for n in (0, 2, 4, 1, 3)]
    assert run.bucket.objects == {}


def test_a_refused_document_is_tried_until_its_time_is_over():
    """AWS names no failure of OpenSearch that it does not retry."""
    run = make(*[statuses(201, 400), *[statuses(400)] * 100], retry_seconds=300)
    began = run.clock.now()
    run.add(1, 2)
    run.drain()
    assert run.search.numbers == [1]
    assert run.failures == ["400"]
    assert run.search.at[-1] - began == 300, "the last try is at the end of the time"
    assert run.bucket.errors()[0]["attemptsMade"] == len(run.search.posted)


def test_a_refused_document_can_go_to_the_backup_at_once_while_others_are_retried():
    run = make(statuses(400, 429, 503, 404, 201), retry_refused=False)
    run.add(0, 1, 2, 3, 4)
    run.drain()
    assert run.search.posted[1:] == [[{"n": 1}, {"n": 2}]]
    assert sorted(run.failed_numbers) == [0, 3]
    assert sorted(run.failures) == ["400", "404"]
    assert {line["attemptsMade"] for line in run.bucket.errors()} == {1}


@pytest.mark.parametrize("retry_refused", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        whole(413),
        whole(429),
        whole(503),
        whole(500),
        whole(403),
        whole(400),
        whole(201),
        refuses_connection,
        whole(200, b"<html>"),
        whole(200, b"[]"),
        whole(200, b'{"items": 7}'),
        whole(200, b'{"items": [{}, {}]}'),
        whole(200, b'{"items": [{"index": {}}, {"index": {"status": 201}}]}'),
        whole(200, b'{"items": [{"index": {"status": 201}}]}'),
        whole(200, b'{"items": [7, null]}'),
    ],
)
def test_a_request_that_is_not_answered_as_a_bulk_is_sent_again_whole(answer, retry_refused):
    run = make(answer, answer, retry_refused=retry_refused)
    run.add(1, 2)
    run.drain()
    assert run.search.posted == [[{"n": 1}, {"n": 2}]] * 3
    assert run.search.numbers == [1, 2]
    assert (len(run.arrived), run.failures) == (2, [])


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (whole(503, b"busy"), "503", "busy"),
        (refuses_connection, "ES.ServiceException", "ConnectionRefusedError: nobody listens"),
        (whole(403, b"x" * 5000), "403", "x" * 2000 + "…"),
        (whole(200, b"?"), "ES.ServiceException", "not an answer to a bulk of 2: ?"),
    ],
)
def test_what_is_never_answered_goes_to_the_backup_when_its_time_is_over(answer, code, message):
    run = make(*[answer] * 100, retry_seconds=100)
    began = run.clock.now()
    run.add(1, 2)
    run.drain()
    assert sorted(run.failed_numbers) == [1, 2]
    assert run.failures == [code] * 2
    assert [at - began for at in run.search.at] == [0, 1, 3, 7, 15, 31, 61, 91, 100]
    assert {(line["attemptsMade"], line["errorMessage"]) for line in run.bucket.errors()} == {(9, message)}


def test_the_time_begins_with_the_first_try_not_with_the_arrival():
    run = make(whole(503), whole(503), retry_seconds=10, hints=BufferHints(size_bytes=1000, interval_seconds=900))
    run.add(1)
    run.clock.advance(900)
    run.drain()
    assert run.search.numbers == [1]


def test_without_a_retry_time_there_is_one_try():
    run = make(whole(503), retry_seconds=0)
    run.add(1)
    run.drain()
    assert (len(run.search.posted), run.failures) == (1, ["503"])


def test_a_slow_answer_uses_up_the_time():
    def slow(_documents: list[dict]) -> tuple[int, bytes]:
        run.clock.advance(60)
        raise TimeoutError("no answer")

    run = make(slow, slow, retry_seconds=60)
    run.add(1)
    run.drain()
    assert (len(run.search.posted), run.failures) == (1, ["ES.ServiceException"])


def test_a_bulk_that_fails_holds_up_none_behind_it():
    run = make(whole(503), hints=BufferHints(size_bytes=1, interval_seconds=60))
    run.add(1)
    run.work()
    run.add(2)
    run.work()
    assert run.search.numbers == [2]
    run.drain()
    assert run.search.numbers == [2, 1]


def test_flushing_keeps_the_pauses():
    run = make(whole(503))
    run.add(1)
    run.work(flush=True)
    run.work(flush=True)
    assert len(run.search.posted) == 1
    assert run.output.due_at(flush=True) == run.clock.now() + 1


def test_a_failed_document_has_arrived_only_when_the_backup_is_written():
    run = make(statuses(400), retry_seconds=0)
    run.bucket.refusals = 3
    run.add(1)
    run.work(flush=True)
    assert run.arrived == []
    assert run.output.due_at(flush=True) == run.clock.now() + 1
    run.drain()
    assert run.failures == ["400"]


STATUS = st.sampled_from([200, 201, 400, 404, 409, 429, 500, 503])
ONE_ANSWER = st.one_of(
    st.lists(STATUS, min_size=1, max_size=6).map(lambda of_items: statuses(*of_items)),
    st.sampled_from([413, 429, 503, 403]).map(whole),
    st.just(refuses_connection),
    st.binary(max_size=30).map(lambda body: whole(200, body)),
)
STEP = st.one_of(st.integers(0, 120).map(float), st.sampled_from(["document", "rubbish", "work", "flush"]))


@settings(deadline=None, max_examples=300)
@given(
    steps=st.lists(STEP, max_size=40),
    answers=st.lists(ONE_ANSWER, max_size=40),
    retry_seconds=st.sampled_from([0, 1, 30, 300]),
    retry_refused=st.booleans(),
    refusals=st.integers(0, 3),
)
def test_every_record_is_delivered_once_or_failed_once(steps, answers, retry_seconds, retry_refused, refusals):
    """Whatever the items' statuses, and with a backup that fails too; this `_bulk` indexes only what it says it did."""
    run = make(*answers, retry_seconds=retry_seconds, retry_refused=retry_refused)
    run.bucket.refusals = refusals
    number = 0
    for step in steps:
        match step:
            case float():
                run.clock.advance(step)
            case "document":
                run.add(number := number + 1)
            case "rubbish":
                run.add_raw(b'{"n":%d}' % (number := number + 1) + b"\n{}")
            case _:
                run.work(flush=step == "flush")
    run.drain()

    failed = [json.loads(b64decode(line["rawData"]).split(b"\n")[0])["n"] for line in run.bucket.errors()]
    everything = list(range(1, number + 1))
    assert sorted([*run.search.numbers, *failed]) == everything
    assert sorted(
        json.loads(outgoing.data.split(b"\n")[0])["n"] for outgoing in run.arrived if not outgoing.failure
    ) == (sorted(run.search.numbers))
    assert len(run.arrived) == number
    assert len(run.failures) == len(failed)


def test_a_streams_counts_add_up_whatever_becomes_of_its_records():
    run = make(statuses(201, 400, 503), statuses(400, 201), retry_refused=False, retry_seconds=300)
    config = StreamConfig("web", "arn:aws:firehose:eu-west-1:000000000000:deliverystream/web", BACKUP)
    unused = S3Output(
        ObjectFormat("sluice-logs", "failed/", "web", "1"),
        hints=HINTS,
        put_object=run.bucket.put_object,
        clock=run.clock,
    )
    stream = Stream(
        config, stage=None, destination=run.output, errors=unused, clock=run.clock, max_pending_bytes=1_000_000
    )
    stream.accept([b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n', b"rubbish", b'{"n":4}\n'])
    while (due_at := stream.due_at(flush=True)) is not None:
        counts = stream.counts()
        assert counts.incoming == counts.delivered + sum(counts.failed.values()) + counts.pending
        run.clock.advance(max(0.0, due_at - run.clock.now()))
        stream.work(flush=True)
    counts = stream.counts()
    assert (counts.delivered, counts.failed) == (2, {"400": 2, "ES.MalformedData": 1})
    assert (counts.pending, counts.pending_bytes) == (0, 0)
