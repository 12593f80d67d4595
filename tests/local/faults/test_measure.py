"""An event for real: Fluent Bit behind HAProxy, the local Firehose, the real transformer, and every kind of client."""

import gzip
import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lambdas.transform.handler import handler
from loadtest.tally.readers import Found as Arrived
from local.faults import matrix
from local.faults.edges import Edges, Fault
from local.faults.event import Event
from local.faults.measure import Measure
from local.faults.stage import Behind, Stage
from local.firehose import (
    BufferHints,
    Faults,
    Firehose,
    LambdaProcessor,
    S3Destination,
    StreamConfig,
    make_certificate,
    serve,
)
from local.fluent_bit import find
from local.steps import Steps
from sluice import names
from sluice.load import load
from sluice.model import Deployment, deployment

ROOT = Path(__file__).resolve().parents[3]
HINTS = BufferHints(size_bytes=1024 * 1024, interval_seconds=0.5)

pytestmark = pytest.mark.fluent_bit


@dataclass
class Bucket:
    """S3 as a list, and a reader of it."""

    objects: list[tuple[str, bytes]] = field(default_factory=list)
    read: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, *, bucket: str, key: str, body: bytes, encoding: str | None) -> None:  # noqa: ARG002
        with self.lock:
            self.objects.append((key, gzip.decompress(body) if encoding == "gzip" else body))

    def poll(self) -> Iterator[Arrived]:
        with self.lock:
            new, self.read = self.objects[self.read :], len(self.objects)
        for key, body in new:
            route = key.partition("route=")[2].partition("/")[0]
            failed = None if key.startswith("logs/") else key.partition("reason=")[2].partition("/")[0]
            yield Arrived(route, 0.0, failed, iter([body]))


def transformer(_arn: str, event: bytes) -> bytes:
    return json.dumps(handler(json.loads(event), None)).encode()


def streams(here: Deployment) -> list[StreamConfig]:
    return [
        StreamConfig(
            name=names.stream(here, route),
            arn=f"arn:aws:firehose:us-east-1:000000000000:deliverystream/{names.stream(here, route)}",
            destination=S3Destination(
                bucket="bucket",
                prefix=names.delivered_prefix(route),
                error_prefix=names.failed_prefix(route) + "reason=!{firehose:error-output-type}/",
                hints=HINTS,
                compression="GZIP",
            ),
            processor=LambdaProcessor(arn=f"arn:aws:lambda:us-east-1:0:function:{route.name}", hints=HINTS, retries=0),
        )
        for route in here.routes
    ]


@pytest.fixture
def stage(fluent_bit_5: str, tmp_path: Path) -> Iterator[Stage]:  # noqa: ARG001
    haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if haproxy is None:
        pytest.skip("needs HAProxy")
    here = deployment(load(ROOT / "sluice.yaml"), "dev")
    bucket = Bucket()
    edges = Edges(invoke=transformer, put_object=bucket.put)
    with (
        Firehose(streams(here), invoke=edges.invoke, put_object=edges.put_object) as firehose,
        serve(firehose, certificate=make_certificate(tmp_path / "tls")) as server,
    ):
        behind = Behind(
            deployment=here,
            fluent_bit=find(cache=ROOT / ".cache", image_tag="unused"),
            firehose=firehose,
            server=server,
            edges=edges,
            readers=lambda: [bucket],
        )
        with Stage(behind, folder=tmp_path, haproxy=Path(haproxy)) as running:
            yield running


def fail_and_then_lie(stage: Stage) -> None:
    """For a second the function answers nonsense, for another one Firehose takes nothing and says that it has."""
    with stage.edges.fault(Fault("lambda", "not-json")) as struck:
        time.sleep(1.5)
    stage.firehose.inject(Faults(empty=True))
    time.sleep(1.2)
    assert struck.times
    assert stage.firehose.struck
    stage.firehose.inject(Faults())


def test_what_failed_is_told_from_what_is_lost_and_that_from_what_was_delivered(stage: Stage, tmp_path: Path) -> None:
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
