"""An event for real: Fluent Bit behind HAProxy, the local Firehose, the real transformer, and every kind of client."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.faults import matrix
from local.faults.edges import Fault
from local.faults.event import Event
from local.faults.measure import Measure
from local.faults.stage import Stage
from local.firehose import Faults
from local.steps import Steps

pytestmark = pytest.mark.fluent_bit


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def fail_and_then_lie(stage: Stage) -> None:
    """Once the function answers nonsense; then Firehose takes nothing for a while and says that it has."""
    with stage.edges.fault(Fault("lambda", "not-json")) as struck:
        until(lambda: struck.times > 0)
    stage.firehose.inject(Faults(empty=True))
    # Two aggregators flush two routes once a second: so often that every client has met it.
    until(lambda: stage.firehose.struck >= 12)
    stage.firehose.inject(Faults())


def test_what_failed_is_told_from_what_is_lost_and_that_from_what_was_delivered(
    staged: Callable[..., Stage], tmp_path: Path
) -> None:
    stage = staged()
    event = Event(name="lie", group="Firehose", says="it lies", act=fail_and_then_lie, seconds=1)
    measure = Measure(stage, folder=tmp_path / "runs")
    (found,) = matrix.run([event], measure=measure, lacks=lambda need: need, steps=Steps(quiet=True))
    assert found.error is None
    assert {row.client for row in found.rows} == {"docker", "firelens", "agent", "no-ack", "tracer", "tracer-no-ack"}
    for row in found.rows:
        assert row.sent > row.lost > 0
        assert row.acks == (row.acknowledged > 0)
        assert row.lost_acknowledged == (row.lost if row.acks else 0)
    assert sum(row.failed for row in found.rows) > 0
    assert {what.partition(":")[0] for what in found.broken} == {row.client for row in found.rows if row.acks}
    told = json.loads((tmp_path / "runs" / "lie" / "result.json").read_text())
    assert {example["kind"] for example in told["examples"]} >= {"lost acknowledged", "failed"}
