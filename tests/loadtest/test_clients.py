import subprocess
import sys

import pytest

from loadtest.clients import Container, DockerDriver, FireLensSidecar, Source, Task
from loadtest.forward import ForwardClient, UnacknowledgedError
from loadtest.ledger import Ledger
from loadtest.lines import Line

SHOP = Container(id="c" * 64, name="/ecs-shop-1-web")
TASK = Task(
    cluster="prod",
    arn="arn:aws:ecs:eu-west-1:111122223333:task/prod/0123abcd",
    definition="shop:7",
    container="web",
)
PRINTS = "import sys; print('out'); print('x' * 20_000); sys.stdout.flush(); print('err', file=sys.stderr)"


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", PRINTS], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        yield running


def by_log(server):
    return {record["log"][:3]: (tag, at, record) for tag, at, record in server.entries()}


def test_the_docker_driver_sends_each_line_as_docker_does(aggregator, process):
    server, ledger = aggregator(), Ledger()
    with ForwardClient("127.0.0.1", server.port) as client:
        count = DockerDriver(client, container=SHOP, tag="shop.web", ledger=ledger).follow(
            process.stdout, process.stderr
        )

    assert count == len(server.received) == 4
    tag, _, record = by_log(server)["err"]
    assert tag == "shop.web"
    assert record == {"container_id": "c" * 64, "container_name": "/ecs-shop-1-web", "source": "stderr", "log": "err"}
    parts = [record for _, _, record in server.entries() if "partial_message" in record]
    assert [(part["partial_ordinal"], part["partial_last"]) for part in parts] == [("1", "false"), ("2", "true")]
    assert len({part["partial_id"] for part in parts}) == 1


def test_the_ledger_knows_each_line_s_stream_and_which_parts_are_one_line(aggregator, process):
    server, ledger = aggregator(), Ledger()
    with ForwardClient("127.0.0.1", server.port) as client:
        DockerDriver(client, container=SHOP, tag="shop.web", ledger=ledger).follow(process.stdout, process.stderr)

    records = {record["log"]: record for _, _, record in server.entries()}
    for sent in ledger:
        record = records[sent.text]
        assert sent.stream == record["source"]
        assert sent.partial_id == record.get("partial_id")
        assert str(sent.partial_ordinal) == record.get("partial_ordinal", "0")
        assert sent.partial_last == (record.get("partial_last") == "true")
    assert sum(sent.partial_id is not None for sent in ledger) == 2


def test_the_sidecar_batches_lines_with_what_ecs_knows(aggregator, process):
    server, ledger = aggregator(), Ledger()
    with ForwardClient("127.0.0.1", server.port) as client:
        FireLensSidecar(client, container=SHOP, task=TASK, ledger=ledger, flush_seconds=60).follow(
            process.stdout, process.stderr
        )

    assert len(server.received) == 1
    assert server.received[0].message[2]["size"] == 4
    tag, _, record = by_log(server)["out"]
    assert tag == "web-firelens-0123abcd"
    assert record == {
        "container_id": "c" * 64,
        "container_name": "/ecs-shop-1-web",
        "source": "stdout",
        "log": "out",
        "ecs_cluster": "prod",
        "ecs_task_arn": TASK.arn,
        "ecs_task_definition": "shop:7",
    }


def test_a_sidecar_sends_a_batch_that_has_reached_its_size(aggregator):
    code = "for n in range(100): print(str(n) * 8_000)"
    server = aggregator()
    with (
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running,
        ForwardClient("127.0.0.1", server.port) as client,
    ):
        FireLensSidecar(client, container=SHOP, task=TASK, ledger=None, flush_seconds=60).follow(
            running.stdout, running.stderr
        )

    sizes = [len(received.data) for received in server.received]
    assert len(sizes) == 3
    assert max(sizes) < 512_000 + 20_000


def test_the_ledger_knows_what_was_sent_and_acknowledged(aggregator, process):
    server, ledger = aggregator(), Ledger()
    with ForwardClient("127.0.0.1", server.port) as client:
        DockerDriver(client, container=SHOP, tag="shop.web", ledger=ledger).follow(process.stdout, process.stderr)

    sent = {(one.source, one.time_unix_nano, one.tag, one.text) for one in ledger}
    assert sent == {(r["container_id"], at, tag, r["log"]) for tag, at, r in server.entries()}
    assert all(one.acknowledged_at >= one.sent_at for one in ledger)
    assert {one.client for one in ledger} == {"docker"}


def test_the_ledger_knows_what_was_sent_and_not_acknowledged(aggregator, process):
    server, ledger = aggregator(lambda _: None), Ledger()
    client = ForwardClient("127.0.0.1", server.port, give_up_after=0.1)

    with pytest.raises(UnacknowledgedError):
        DockerDriver(client, container=SHOP, tag="shop.web", ledger=ledger).follow(process.stdout, process.stderr)

    assert [one.acknowledged_at for one in ledger] == [None]


def test_every_record_of_a_container_has_a_later_time_than_the_one_before():
    clock = iter([100, 100, 90, 101, 500])
    source = Source(container=SHOP, tag="t", client="docker", ledger=None, clock=lambda: next(clock))

    assert [source.stamp(Line("stdout", "x"))[0] for _ in range(5)] == [100, 101, 102, 103, 500]


def test_whole_seconds_cannot_be_accounted_for():
    with pytest.raises(ValueError, match="sub_second"):
        DockerDriver(ForwardClient("127.0.0.1", 1), container=SHOP, tag="t", ledger=Ledger(), sub_second=False)


def test_without_acknowledgements_nothing_is_marked_as_acknowledged(aggregator, process):
    server, ledger = aggregator(), Ledger()
    with ForwardClient("127.0.0.1", server.port) as client:
        DockerDriver(client, container=SHOP, tag="t", ledger=ledger, ack=False).follow(process.stdout, process.stderr)

    assert [one.acknowledged_at for one in ledger] == [None] * 4
