"""Routes via Kinesis, by a real Fluent Bit: with its core plugin, and with AWS's Go plugin where there is one.

The Go plugin comes with AWS's image and from no registry: SLUICE_KINESIS_PLUGIN names a kinesis.so built by hand.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.process import free_port
from sluice import fluent_bit
from sluice.fluent_bit_places import Abilities
from sluice.model import Config, deployment
from tests.sluice.conftest import PATIENCE_SECONDS, Aggregator, await_port
from tests.sluice.kinesis_stand_in import KinesisStandIn

ROOT = Path(__file__).resolve().parents[2]
HERE = deployment(
    Config.model_validate(
        {
            "name": "shop",
            "environments": {"dev": {}},
            "routes": [
                {"name": "first", "match": "app.special*"},
                {"name": "lines", "match": "app*", "via": "kinesis"},
            ],
        }
    ),
    "dev",
)
STREAM = "shop-dev-lines"
ACKNOWLEDGED = b"\x81\xa3ack\xa3one"

pytestmark = pytest.mark.fluent_bit


class Shipper(Aggregator):
    """A running Fluent Bit that sends to a stand-in for Kinesis."""

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=PATIENCE_SECONDS)


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[KinesisStandIn]:
    with KinesisStandIn().serve(tmp_path / "tls") as stand_in:
        yield stand_in


@pytest.fixture(params=["core", "go"])
def abilities(request: pytest.FixtureRequest) -> Abilities:
    if request.param == "core":
        return replace(Abilities(), kinesis_plugin=None)
    plugin = os.environ.get("SLUICE_KINESIS_PLUGIN")
    if not plugin:
        pytest.skip("needs AWS's Go plugin, as SLUICE_KINESIS_PLUGIN")
    return replace(Abilities(), kinesis_plugin=plugin)


@pytest.fixture
def start(
    fluent_bit_5: str, kinesis: KinesisStandIn, abilities: Abilities, tmp_path: Path
) -> Iterator[Callable[[], Shipper]]:
    running: list[Shipper] = []

    def begin() -> Shipper:
        port, metrics_port = free_port(), free_port()
        places = fluent_bit.Places(
            home=str(ROOT / "fluentbit-image"),
            buffer=str(tmp_path / "buffer"),
            listen="127.0.0.1",
            ports={"forward": port},
            metrics_port=metrics_port,
            aws_host="127.0.0.1",
            aws_port=kinesis.port,
            aws_ca_file=str(kinesis.ca_file),
        )
        sections = fluent_bit.sections(HERE, places, abilities)
        sections.service["scheduler.cap"] = 2  # type: ignore[index]
        config = tmp_path / "fluent-bit.yaml"
        config.write_text(fluent_bit.as_yaml(sections))
        keys = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
        environment = {**os.environ, **fluent_bit.environment(HERE), **keys, "AWS_CA_BUNDLE": str(kinesis.ca_file)}
        log = tmp_path / "log"
        with log.open("ab") as output:
            process = subprocess.Popen([fluent_bit_5, "-c", str(config)], env=environment, stdout=output, stderr=output)
        running.append(Shipper(process, tmp_path, port, metrics_port))
        await_port(process, port, log)
        return running[-1]

    yield begin
    for shipper in running:
        shipper.process.kill()
        shipper.process.wait(timeout=PATIENCE_SECONDS)


def arrive(kinesis: KinesisStandIn, count: int) -> list[dict[str, object]]:
    """Wait until so many different lines are there, and return all there are."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        members = kinesis.members(STREAM)
        if len({json.dumps(member.get("n")) for member in members}) >= count or time.monotonic() > deadline:
            return members
        time.sleep(0.2)


def numbers(members: list[dict[str, object]]) -> set[object]:
    return {member["n"] for member in members}


def test_every_line_arrives_with_its_tag_and_its_time_in_nanoseconds(
    start: Callable[[], Shipper], kinesis: KinesisStandIn, abilities: Abilities
) -> None:
    shipper = start()
    for first in range(0, 500, 50):
        records = [{"log": f"line {n}", "n": n, "container_id": "c" * 64} for n in range(first, first + 50)]
        assert shipper.send(b"app-web", *records, nanoseconds=first + 1) == ACKNOWLEDGED
    members = arrive(kinesis, 500)
    assert numbers(members) == set(range(500))
    assert {member["_tag"] for member in members} == {"app-web"}
    assert {member["_time"] for member in members} == {
        f"2023-11-14T22:13:20.{first + 1:09d}Z" for first in range(0, 500, 50)
    }
    aggregates = [record for record in kinesis.records[STREAM] if record.startswith(b"\xf3\x89\x9a\xc2")]
    assert bool(aggregates) is (abilities.kinesis_plugin is not None)
    if not aggregates:  # what is not an aggregate is one line: the destination may take no more
        assert {record.count(b"\n") for record in kinesis.records[STREAM]} <= {0, 1}


def test_tag_of_an_earlier_route_does_not_come_here(start: Callable[[], Shipper], kinesis: KinesisStandIn) -> None:
    shipper = start()
    assert shipper.send(b"app.special-1", {"log": "not mine", "n": -1}) == ACKNOWLEDGED
    assert shipper.send(b"app-1", {"log": "mine", "n": 1}) == ACKNOWLEDGED
    assert numbers(arrive(kinesis, 1)) == {1}


def test_hostile_records_arrive(start: Callable[[], Shipper], kinesis: KinesisStandIn) -> None:
    """What the Go plugin would discard or cut: numbers that are none, and characters that it spells with six."""
    shipper = start()
    hostile = [
        {"log": "not a number", "value": float("nan"), "n": 0},
        {"log": "endless", "nested": {"values": [float("inf"), float("-inf")]}, "n": 1},
        {"log": "big", "value": 2**63 - 1, "n": 2},
        {"log": b"\xff\xfe broken \xe2\x82", "n": 3},
        {"log": "plain", "n": 4},
    ]
    assert shipper.send(b"app-web", *hostile) == ACKNOWLEDGED
    assert shipper.send(b"app-web", {"log": "<&>" * 260_000, "n": 5}) == ACKNOWLEDGED
    members = arrive(kinesis, 6)
    assert numbers(members) == set(range(6))
    by_number = {member["n"]: member for member in members}
    assert by_number[2]["value"] == 2**63 - 1
    parts = sorted(
        (member for member in members if member["n"] == 5), key=lambda member: int(str(member["partial_ordinal"]))
    )
    assert "".join(str(part["log"]) for part in parts) == "<&>" * 260_000


def test_what_was_acknowledged_survives_throttling_and_partial_failures(
    start: Callable[[], Shipper], kinesis: KinesisStandIn
) -> None:
    kinesis.throttled = True
    shipper = start()
    for n in range(60):
        assert shipper.send(b"app-web", {"log": f"line {n}", "n": n}) == ACKNOWLEDGED
    deadline = time.monotonic() + PATIENCE_SECONDS
    while kinesis.calls < 2:
        assert time.monotonic() < deadline, "it does not try again"
        time.sleep(0.05)
    assert kinesis.members(STREAM) == []
    kinesis.throttled, kinesis.fail_every = False, 3
    assert numbers(arrive(kinesis, 60)) == set(range(60))


def test_what_was_acknowledged_survives_kills(start: Callable[[], Shipper], kinesis: KinesisStandIn) -> None:
    acknowledged = set()
    for life in range(3):
        shipper = start()
        for n in range(life * 100, life * 100 + 100):
            if shipper.send(b"app-web", {"log": f"line {n}", "n": n}) == ACKNOWLEDGED:
                acknowledged.add(n)
            if life < 2 and n % 100 == 70 + life:
                shipper.kill()
                break
    assert len(acknowledged) == 71 + 72 + 100
    assert acknowledged <= numbers(arrive(kinesis, len(acknowledged)))
