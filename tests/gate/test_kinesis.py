"""Routes via kinesis: what is acknowledged is in the data stream, as aggregates that consumers take apart."""

import socket
from contextlib import closing

import pytest

from local.gate import Gate
from sluice.routes import Route
from tests.sluice.kinesis_stand_in import KinesisStandIn


@pytest.fixture
def kinesis(tmp_path):
    with KinesisStandIn().serve(tmp_path / "tls") as stand_in:
        yield stand_in


@pytest.fixture
def gate(here, kinesis, tmp_path):
    routes = [
        {"name": "many", "match": "many*", "via": "kinesis", "kinesis": {"partition_key": "ecs->task"}},
        {"name": "plain", "match": "*", "via": "kinesis", "kinesis": {"aggregation": False}},
    ]
    there = here.model_copy(update={"routes": tuple(map(Route.model_validate, routes))})
    with Gate(there, folder=tmp_path / "gate", aws=("127.0.0.1", kinesis.port, kinesis.ca_file)) as running:
        yield running


def sent(gate, message):
    with closing(socket.create_connection(("127.0.0.1", gate.port), timeout=120)) as connection:
        connection.sendall(message)
        return connection.recv(64)


def test_lines_become_one_aggregate_with_every_digit(gate, kinesis, pack):
    entries = b"".join(pack([5, {"log": f"{n}", "n": 2**63 + n, "ecs": {"task": "t"}}]) for n in range(200))
    assert sent(gate, pack(["many.a", entries, {"chunk": "c"}])) == b"\x81\xa3ack\xa1c"
    assert len(kinesis.records["sluice-dev-many"]) == 1
    assert [line["n"] for line in kinesis.members("sluice-dev-many")] == [2**63 + n for n in range(200)]


def test_what_is_refused_in_part_is_put_again_alone(gate, kinesis, pack):
    kinesis.fail_every = 2
    entries = b"".join(pack([5, {"log": f"{n}" * 300_000}]) for n in range(9))
    assert sent(gate, pack(["other", entries, {"chunk": "c"}])) == b"\x81\xa3ack\xa1c"
    lines = [line["log"][0] for line in kinesis.members("sluice-dev-plain")]
    assert sorted(lines) == [str(n) for n in range(9)]
    assert kinesis.calls > 1
