"""Events at a destination set their fault, take it away again, and say so when it hit nothing."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from local.faults import destinations
from local.faults.edges import Edges
from local.faults.event import Event
from local.faults.stage import NeverStruckError
from local.firehose import ApiError, Faults, Firehose, S3Destination, StreamConfig
from local.firehose.wire import TARGET_PREFIX, answer

BY_NAME = {event.name: event for event in destinations.EVENTS}
SHORT = ("firehose-taken-500", "firehose-empty-200")


@pytest.fixture
def stage() -> Any:
    arn = "arn:aws:firehose:us-east-1:0:deliverystream/s"
    edges = Edges(invoke=lambda _arn, event: event, put_object=lambda **_object: None)
    firehose = Firehose(
        [StreamConfig(name="s", arn=arn, destination=S3Destination(bucket="bucket"))],
        invoke=edges.invoke,
        put_object=edges.put_object,
    )
    return SimpleNamespace(firehose=firehose, edges=edges, search=None)


def calling(stage: Any, event: Event) -> list[int]:
    """The statuses that a client got while the event happened, dozens of calls a second."""
    happening = threading.Thread(target=event.act, args=(stage,))
    happening.start()
    statuses = []
    body = b'{"DeliveryStreamName": "s", "Records": [{"Data": "YQ=="}]}'
    while happening.is_alive():
        statuses.append(answer(stage.firehose, target=f"{TARGET_PREFIX}PutRecordBatch", body=body).status)
        time.sleep(0.02)
    return statuses


def test_a_fault_lasts_as_long_as_its_event_and_no_longer(stage: Any) -> None:
    statuses = calling(stage, BY_NAME["firehose-taken-500"])
    assert statuses.count(500) > 5
    assert stage.firehose.faults == Faults()
    assert stage.firehose.counts()["s"].incoming == len(statuses)


def test_a_fault_that_hit_no_call_is_an_error_and_is_taken_away(stage: Any) -> None:
    with pytest.raises(NeverStruckError, match="hit no call"):
        BY_NAME["firehose-empty-200"].act(stage)
    assert stage.firehose.faults == Faults()


def test_an_edge_that_was_not_called_is_an_error_and_is_whole_afterwards(stage: Any) -> None:
    with pytest.raises(NeverStruckError, match="hit no call"):
        BY_NAME["lambda-not-json"].act(stage)
    assert stage.edges.invoke("arn", b"{}") == b"{}"


@pytest.mark.parametrize("name", ["opensearch-conflict", "opensearch-read-only"])
def test_without_an_opensearch_nothing_was_tried(stage: Any, name: str) -> None:
    assert BY_NAME[name].needs == "opensearch"
    with pytest.raises(NeverStruckError, match="no OpenSearch"):
        BY_NAME[name].act(stage)


def test_only_a_lie_may_lose_what_was_acknowledged() -> None:
    assert [event.name for event in destinations.EVENTS if event.may_lose_acknowledged] == ["firehose-empty-200"]
    assert not any(event.must_lose for event in destinations.EVENTS)


def test_the_load_is_there_before_and_after_each_fault() -> None:
    assert all(event.seconds > destinations.AROUND_SECONDS for event in destinations.EVENTS)
    assert BY_NAME["firehose-throttled"].seconds >= 60
    assert BY_NAME["firehose-hangs"].seconds >= destinations.HANGING_SECONDS > 30


def test_a_stream_that_is_not_there_is_no_strike(stage: Any) -> None:
    stage.firehose.inject(Faults(fail_every=1))
    with pytest.raises(ApiError):
        stage.firehose.put("other", [b"a"])
    assert stage.firehose.struck == 0
