"""Each fault of an edge, through the local Firehose on a clock of its own: what it does to records, when it ends."""

import json
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from local.faults.edges import LAMBDA_KINDS, OPENSEARCH_KINDS, S3_KINDS, STRICT, Edges, Fault, S3Error
from local.firehose import (
    BufferHints,
    Firehose,
    InvocationError,
    LambdaProcessor,
    ManualClock,
    OpenSearchDestination,
    S3Destination,
    StreamConfig,
)

HINTS = BufferHints(size_bytes=1024 * 1024, interval_seconds=1)
S3 = S3Destination(
    bucket="bucket", prefix="logs/", error_prefix="failed/!{firehose:error-output-type}/", hints=HINTS, delimiter=b"\n"
)
SEARCH = OpenSearchDestination(
    endpoint="http://search", index="web", backup=S3, rotation="NoRotation", retry_seconds=10, hints=HINTS
)


class World:
    """A Firehose of one stream behind edges, on a clock that never waits."""

    def __init__(self, destination: S3Destination | OpenSearchDestination = S3, *, retries: int = 3) -> None:
        self.clock = ManualClock()
        self.hung: list[float] = []
        self.objects: dict[str, bytes] = {}
        self.writes: list[str] = []
        self.indexed: list[dict[str, Any]] = []
        self.invoked = 0
        self.edges = Edges(invoke=self._invoke, put_object=self._put, post_to=self._post_to, hang=self.hung.append)
        processor = LambdaProcessor(arn="arn:aws:lambda:us-east-1:0:function:f", hints=HINTS, retries=retries)
        arn = "arn:aws:firehose:us-east-1:0:deliverystream/s"
        self.firehose = Firehose(
            [StreamConfig(name="s", arn=arn, destination=destination, processor=processor)],
            invoke=self.edges.invoke,
            put_object=self.edges.put_object,
            post_bulk=self.edges.post_to,
            clock=self.clock,
        )

    def _invoke(self, _arn: str, event: bytes) -> bytes:
        self.invoked += 1
        records = json.loads(event)["records"]
        return json.dumps(
            {"records": [{"recordId": r["recordId"], "result": "Ok", "data": r["data"]} for r in records]}
        ).encode()

    def _put(self, *, bucket: str, key: str, body: bytes, encoding: str | None) -> None:  # noqa: ARG002
        self.writes.append(key)
        self.objects[key] = body

    def _post_to(self, _endpoint: str) -> Callable[[bytes], tuple[int, bytes]]:
        def post(body: bytes) -> tuple[int, bytes]:
            lines = body.splitlines()
            items = []
            for action, document in zip(lines[::2], lines[1::2], strict=True):
                refused = json.loads(action)["index"]["_index"] == STRICT
                items.append({"index": {"status": 400, "error": "strict"} if refused else {"status": 201}})
                if not refused:
                    self.indexed.append(json.loads(document))
            return 200, json.dumps({"items": items}).encode()

        return post

    def send(self, count: int) -> None:
        self.firehose.put("s", [json.dumps({"n": number}).encode() for number in range(count)])

    def delivered(self) -> list[int]:
        lines = [line for key, body in self.objects.items() if key.startswith("logs/") for line in body.splitlines()]
        return sorted(json.loads(line)["n"] for line in lines)

    @property
    def counts(self) -> Any:
        return self.firehose.counts()["s"]


def drained_under(fault: Fault, world: World, *, count: int = 4) -> tuple[World, int]:
    """What `count` records have come to when the fault lasts until the stream is empty, and how often it struck."""
    world.send(count)
    with world.edges.fault(fault) as struck:
        assert world.firehose.drain()
    assert struck.ended is not None
    return world, struck.times


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("error", "Lambda.FunctionError"),
        ("timeout", "Lambda.FunctionTimedOut"),
        ("throttle", "Lambda.InvokeLimitExceeded"),
        ("no-answer", "Lambda.FunctionRequestTimedOut"),
        ("too-large", "Lambda.FunctionError"),
    ],
)
def test_a_function_that_gives_no_answer_is_asked_again_and_then_fails_the_batch(kind: str, code: str) -> None:
    world, times = drained_under(Fault("lambda", kind), World(retries=2))
    assert times == 3
    assert world.counts.failed == {code: 4}
    assert world.delivered() == []


@pytest.mark.parametrize("kind", ["error", "timeout", "throttle", "no-answer", "too-large"])
def test_a_function_that_recovers_in_time_costs_nothing(kind: str) -> None:
    world, times = drained_under(Fault("lambda", kind, times=2), World(retries=2))
    assert times == 2
    assert world.delivered() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "failed"),
    [
        ("missing-ids", {"Lambda.MissingRecordId": 1}),
        ("wrong-ids", {"Lambda.MissingRecordId": 4}),
        ("not-json", {"Lambda.JsonProcessingException": 4}),
    ],
)
def test_a_malformed_answer_is_final(kind: str, failed: dict[str, int]) -> None:
    world, times = drained_under(Fault("lambda", kind), World())
    assert times == 1
    assert world.counts.failed == failed
    assert world.counts.delivered == 4 - sum(failed.values())


def test_only_a_function_whose_answer_is_lost_or_malformed_has_run() -> None:
    ran = {kind: drained_under(Fault("lambda", kind, times=1), World())[0].invoked for kind in LAMBDA_KINDS}
    assert ran == dict.fromkeys(("error", "timeout", "throttle", "missing-ids", "wrong-ids", "not-json"), 1) | {
        "no-answer": 2,
        "too-large": 2,
    }


def test_a_call_that_times_out_takes_its_time() -> None:
    world, _ = drained_under(Fault("lambda", "timeout", times=1, hang_seconds=7), World())
    assert world.hung == [7]


@pytest.mark.parametrize("kind", ["error", "slow-down", "applied"])
def test_an_object_is_written_again_under_its_key_until_s3_says_so(kind: str) -> None:
    world, times = drained_under(Fault("s3", kind, times=5), World())
    assert times == 5
    assert len(set(world.writes)) == 1
    assert len(world.writes) == (6 if kind == "applied" else 1)
    assert world.delivered() == [0, 1, 2, 3]


def test_s3_refuses_the_first_write_of_each_object_and_takes_the_second() -> None:
    world = World()
    with world.edges.fault(Fault("s3", "first-try")) as struck:
        for _ in range(3):
            world.send(1)
            assert world.firehose.drain()
    assert struck.times == 3
    assert len(world.writes) == 3


def test_a_slow_write_is_a_write() -> None:
    world, times = drained_under(Fault("s3", "slow", hang_seconds=2), World())
    assert (times, world.hung, world.delivered()) == (1, [2], [0, 1, 2, 3])


@pytest.mark.parametrize("kind", ["too-many", "unavailable", "refused", "some-too-many"])
def test_a_bulk_is_sent_again_and_each_document_is_indexed_once(kind: str) -> None:
    world, times = drained_under(Fault("opensearch", kind, times=2), World(SEARCH))
    assert times == 2
    assert sorted(each["n"] for each in world.indexed) == [0, 1, 2, 3]


def test_a_bulk_whose_answer_is_lost_is_indexed_again() -> None:
    world, _ = drained_under(Fault("opensearch", "applied", times=1), World(SEARCH))
    assert sorted(each["n"] for each in world.indexed) == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("kind", "failed"),
    [
        ("too-many", {"429": 4}),
        ("unavailable", {"503": 4}),
        ("refused", {"ES.ServiceException": 4}),
        ("conflict", {"400": 4}),
        ("some-conflict", {"400": 4}),
    ],
)
def test_what_opensearch_never_takes_lies_in_the_backup_with_its_reason(kind: str, failed: dict[str, int]) -> None:
    """Where one document of each bulk is refused, a retry is of that one alone: it is refused again."""
    world = World(SEARCH)
    for number in range(4 if kind == "some-conflict" else 1):
        world.send(1 if kind == "some-conflict" else 4)
        with world.edges.fault(Fault("opensearch", kind)) as struck:
            assert world.firehose.drain()
        assert struck.times > 1, number
    assert world.counts.failed == failed
    assert all(key.startswith("failed/AmazonOpenSearchService-failed/") for key in world.objects)


def test_a_bulk_goes_to_the_index_that_refuses_it_by_documents() -> None:
    sent: list[bytes] = []
    edges = Edges(
        invoke=lambda _arn, event: event,
        put_object=lambda **_: None,
        post_to=lambda _: lambda body: (sent.append(body), (200, b"{}"))[1],
    )
    bulk = b'{"index":{"_index":"web"}}\n{"n":0}\n{"index":{"_index":"web"}}\n{"n":1}\n'
    strict = b'{"index":{"_index":"faults-strict"}}\n'
    for kind in ("conflict", "some-conflict"):
        with edges.fault(Fault("opensearch", kind)):
            edges.post_to("http://search")(bulk)
    assert sent == [
        strict + b'{"n":0}\n' + strict + b'{"n":1}\n',
        strict + b'{"n":0}\n{"index":{"_index":"web"}}\n{"n":1}\n',
    ]


def test_every_nth_call_is_hit_and_no_call_after_the_end() -> None:
    world = World()
    event = b'{"records": []}'
    with world.edges.fault(Fault("lambda", "error", every=3)) as struck:
        hit = []
        for _ in range(7):
            try:
                world.edges.invoke("arn", event)
                hit.append(False)
            except InvocationError:
                hit.append(True)
    assert hit == [False, False, True, False, False, True, False]
    assert (struck.calls, struck.times) == (7, 2)
    world.edges.invoke("arn", event)
    assert (struck.calls, struck.times) == (7, 2)


def test_a_fault_of_one_edge_leaves_the_others_alone_and_counts_nothing() -> None:
    world, times = drained_under(Fault("opensearch", "refused"), World())
    assert times == 0
    assert world.delivered() == [0, 1, 2, 3]


def test_two_faults_at_once_each_hit_their_own() -> None:
    world = World()
    world.send(4)
    edges = world.edges
    with edges.fault(Fault("lambda", "error", times=1)) as one, edges.fault(Fault("s3", "error", times=1)) as other:
        assert world.firehose.drain()
    assert (one.times, other.times) == (1, 1)
    assert world.delivered() == [0, 1, 2, 3]


def test_a_fault_that_is_set_while_calls_run_is_counted_right() -> None:
    edges = World().edges
    with edges.fault(Fault("s3", "slow-down")) as struck:

        def write() -> None:
            for number in range(200):
                with pytest.raises(S3Error):
                    edges.put_object(bucket="b", key=f"{number}", body=b"", encoding=None)

        threads = [Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert struck.times == 800


@pytest.mark.parametrize("edge", ["lambda", "s3", "opensearch"])
def test_a_fault_that_nobody_knows_is_refused(edge: Any) -> None:
    with pytest.raises(ValueError, match=f"{edge} cannot be 'gone': it can be "):
        Fault(edge, "gone")
    with pytest.raises(ValueError, match="every"):
        Fault(edge, {"lambda": LAMBDA_KINDS, "s3": S3_KINDS, "opensearch": OPENSEARCH_KINDS}[edge][0], every=0)
