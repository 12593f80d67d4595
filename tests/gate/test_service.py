"""The gate as it runs, over real sockets, before a Firehose that misbehaves: what is acknowledged, Firehose has."""

import contextlib
import gzip
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import msgpack
import psutil
import pytest

from gate import health
from local.firehose import Faults
from local.process import port_answers

ROOT = Path(__file__).resolve().parents[2]
RECORDS = 3000
PATIENCE_SECONDS = 120
MIB = 1024 * 1024


def event_time(seconds=1_700_000_000, nanoseconds=5):
    return msgpack.ExtType(0, struct.pack(">II", seconds, nanoseconds))


def healthy(gate):
    command = [sys.executable, "-m", "gate.health", str(gate.port), str(gate.status_port)]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=PATIENCE_SECONDS).returncode == 0


def connected(world):
    return closing(socket.create_connection(("127.0.0.1", world.gate.port), timeout=PATIENCE_SECONDS))


def holds(account):
    assert account.complete, account.to_json(seconds=0)
    assert sum(route.sent for route in account.routes) == RECORDS
    assert sum(route.acknowledged for route in account.routes) == RECORDS
    assert all(route.delivered == route.sent for route in account.routes)


def test_every_mode_is_acknowledged_and_delivered_once(shared, pack):
    entry = pack([event_time(), {"log": "packed"}])
    modes = {
        "message": ["m", event_time(), {"log": "message"}, {"chunk": "c"}],
        "seconds": ["m", 1_700_000_000, {"log": "seconds"}, {"chunk": "c"}],
        "forward": ["m", [[event_time(), {"log": "forward"}], [7, {"log": "forward too"}]], {"chunk": "c"}],
        "packed": ["m", entry, {"chunk": "c"}],
        "packed as text": [
            "m",
            pack([event_time(), {"log": "text"}]).decode("utf-8", "surrogateescape"),
            {"chunk": "c"},
        ],
        "gzip": [
            "m",
            gzip.compress(pack([5, {"log": "gzip"}])) + gzip.compress(pack([5, {"log": "member"}])),
            {"chunk": "c", "compressed": "gzip"},
        ],
        "metadata": ["m", pack([[event_time(), {"trace": 1}], {"log": "metadata"}]), {"chunk": "c"}],
        "nothing": ["m", b"", {"chunk": "c"}],
        "probe": ["sluice.health", 0, {"log": "probe"}, {"chunk": "c"}],
    }
    for name, message in modes.items():
        assert shared.message(pack(message)) == b"\x81\xa3ack\xa1c", name
    said = sorted(document["body"] for document in shared.documents() if document["tag"] == "m")
    assert said == sorted(
        ["message", "seconds", "forward", "forward too", "packed", "text", "gzip", "member", "metadata"]
    )


def test_what_asks_for_no_answer_is_delivered_without_one(shared, pack):
    with closing(socket.create_connection(("127.0.0.1", shared.gate.port), timeout=PATIENCE_SECONDS)) as connection:
        connection.sendall(pack(["quiet", 5, {"log": "quiet"}]) + pack(["quiet", 5, {"log": "loud"}, {"chunk": "l"}]))
        assert connection.recv(64) == b"\x81\xa3ack\xa1l"
    assert {"quiet", "loud"} <= {document["body"] for document in shared.documents()}


@pytest.mark.parametrize(
    "hostile",
    [
        b"\xc1",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x93\xa1t\xc4\x03\xc1\xc1\xc1\x81\xa5chunk\xa1c",
        b"\x94\xa1t\x05\x01\x81\xa5chunk\xa1c",
        b"\x94" + b"\x91" * 2000,
        b"\x93\xa1t\xc6\xff\xff\xff\xff" + bytes(17 * MIB),
        msgpack.packb(["t", gzip.compress(bytes(65 * MIB)), {"chunk": "c", "compressed": "gzip"}]),
        msgpack.packb(["t", b"", {"chunk": "c", "compressed": "snappy"}]),
        msgpack.packb(["t" * 9000, 5, {"log": "x"}, {"chunk": "c"}]),
    ],
    ids=["reserved", "http", "entries", "no-record", "nested", "too-long", "bomb", "compression", "tag"],
)
def test_what_is_not_the_protocol_ends_its_connection_alone(shared, pack, hostile):
    with connected(shared) as other:
        with connected(shared) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(hostile)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(64) == b""
        other.sendall(pack(["t", 5, {"log": "alive"}, {"chunk": "c"}]))
        assert other.recv(64) == b"\x81\xa3ack\xa1c"
    assert shared.status()["waiting_bytes"] == 0


def test_a_record_of_millions_of_values_stays_within_the_memory(shared):
    """5 MiB of empty maps: a message of 16 is three times as much, one such record at a time."""
    many = 5 * MIB
    bomb = b"\x94\xa1t\x05\x81\xa1a\xdd" + many.to_bytes(4) + b"\x80" * many + b"\x81\xa5chunk\xa1c"
    assert shared.message(bomb) == b"\x81\xa3ack\xa1c"
    with open(f"/proc/{shared.gate.process.pid}/status") as status:
        peak = next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))
    assert 3 * peak < shared.here.gate.memory_mib


def test_a_record_that_no_call_takes_is_cut_and_delivered(shared, pack):
    """Two strings of 700 KB: the aggregator's rule looks at the longest alone, and Fluent Bit drops the record."""
    record = {"log": "huge", "one": "1" * 700_000, "two": "2" * 700_000}
    assert shared.message(pack(["huge", event_time(), record, {"chunk": "c"}])) == b"\x81\xa3ack\xa1c"
    parts = [document for document in shared.documents() if document["body"] == "huge"]
    parts.sort(key=lambda document: int(document["attributes"]["partial_ordinal"]))
    text = "".join(document["attributes"]["log.record.members"] for document in parts)
    assert json.loads(text) == {"one": record["one"], "two": record["two"]}
    assert len({document["event_id"] for document in parts}) == len(parts)


def test_nothing_is_acknowledged_before_firehose_takes_it(world, pack):
    world.firehose.inject(Faults(throttle=True))
    message = pack(["late", event_time(), {"log": "late"}, {"chunk": "c"}])
    with closing(socket.create_connection(("127.0.0.1", world.gate.port), timeout=PATIENCE_SECONDS)) as connection:
        connection.sendall(message)
        connection.settimeout(1.5)
        with pytest.raises(TimeoutError):
            connection.recv(64)
        world.firehose.inject(Faults())
        connection.settimeout(PATIENCE_SECONDS)
        assert connection.recv(64) == b"\x81\xa3ack\xa1c"
    assert [document["body"] for document in world.documents()] == ["late"]


@pytest.mark.parametrize("fault", [Faults(empty=True), Faults(status=500)], ids=["empty", "500"])
def test_an_answer_that_says_nothing_is_no_acceptance(world, pack, fault):
    """Fluent Bit counts an empty 200 as delivered."""
    world.firehose.inject(fault)
    with closing(socket.create_connection(("127.0.0.1", world.gate.port), timeout=PATIENCE_SECONDS)) as connection:
        connection.sendall(pack(["late", event_time(), {"log": "kept"}, {"chunk": "c"}]))
        connection.settimeout(1)
        with pytest.raises(TimeoutError):
            connection.recv(64)
        world.firehose.inject(Faults())
        connection.settimeout(PATIENCE_SECONDS)
        assert connection.recv(64) == b"\x81\xa3ack\xa1c"
    assert [document["body"] for document in world.documents()] == ["kept"]


def test_of_a_call_that_was_taken_in_part_only_the_rest_is_sent_again(here, worlds):
    """Every third record is refused, for a while: no copies, where Fluent Bit sends its whole chunk again."""
    single = tuple(
        route.model_copy(update={"buffering": route.buffering.model_copy(update={"pack": False})})
        for route in here.routes
    )
    world = worlds(here.model_copy(update={"routes": single}))
    world.firehose.inject(Faults(fail_every=3))
    world.send_all(RECORDS, patience=60)
    account = world.account()
    holds(account)
    assert sum(route.duplicated for route in account.routes) == 0


def test_killed_four_times_with_everything_that_it_held(world):
    """kill -9, and nothing is kept: the case in which an aggregator loses what it acknowledged."""

    def kill(number):
        if number in {200, 400, 600, 800}:
            world.gate.kill()
            world.gate.start()

    world.firehose.inject(Faults(hang_seconds=0.2))
    world.send_all(RECORDS, kill)
    world.firehose.inject(Faults())
    account = world.account()
    holds(account)  # copies have the id of the first, or it is not complete


def test_a_client_that_is_gone_is_not_waited_for(world, pack):
    """It has its message, and sends it again: to this gate or another, under the same event id."""
    world.firehose.inject(Faults(throttle=True))
    message = pack(["again", event_time(), {"log": "again"}, {"chunk": "c"}])
    connection = socket.create_connection(("127.0.0.1", world.gate.port), timeout=PATIENCE_SECONDS)
    connection.sendall(message)
    world.wait(lambda: world.status()["waiting_bytes"] > 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    world.wait(lambda: world.status()["waiting_bytes"] == 0)
    world.firehose.inject(Faults())
    assert world.message(message) == b"\x81\xa3ack\xa1c"
    assert len(world.documents()) == 1


def test_a_copy_has_the_event_id_of_the_first(shared, pack):
    message = pack(["twice", event_time(9), {"log": "twice"}, {"chunk": "c"}])
    assert shared.message(message) == shared.message(message) == b"\x81\xa3ack\xa1c"
    copies = [document for document in shared.documents() if document["body"] == "twice"]
    assert len(copies) == 2
    assert len({document["event_id"] for document in copies}) == 1


def test_what_waits_is_bounded_and_holding_back_is_healthy(here, worlds, pack):
    """Nobody reads on while Firehose is blocked: not the memory of the gate grows, but that of its clients."""
    small = here.model_copy(update={"gate": here.gate.model_copy(update={"memory_mib": 128})})  # 16 MiB may wait
    world = worlds(small)
    world.firehose.inject(Faults(throttle=True))
    entry = pack([event_time(), {"log": "x" * 9000}])
    chunks = [pack(["much", entry * 90, {"chunk": f"c{n}"}]) for n in range(60)]  # 49 MB
    answered: set[str] = set()
    clients = [threading.Thread(target=exchange, args=(world, chunks[n::4], answered)) for n in range(4)]
    before = psutil.Process(world.gate.process.pid).memory_info().rss
    for client in clients:
        client.start()
    world.wait(lambda: world.status()["paused"] == 1)
    time.sleep(1)
    assert world.status()["waiting_bytes"] < 26 * MIB  # half as much more may be held of incomplete messages
    assert psutil.Process(world.gate.process.pid).memory_info().rss - before < 150 * MIB
    assert healthy(world.gate)
    assert not answered
    world.firehose.inject(Faults())
    for client in clients:
        client.join()
    assert answered == {f"c{n}" for n in range(60)}
    assert len(world.documents()) == 60 * 90


def exchange(world, chunks, answered):
    """Send everything, and note what was answered."""
    with closing(socket.create_connection(("127.0.0.1", world.gate.port), timeout=PATIENCE_SECONDS)) as connection:
        for chunk in chunks:
            connection.sendall(chunk)
        answers, count = msgpack.Unpacker(), 0
        while count < len(chunks):
            answers.feed(connection.recv(65536))
            for answer in answers:
                count += 1
                answered.add(answer["ack"])


def test_health_is_a_message_that_is_acknowledged(shared, monkeypatch):
    assert healthy(shared.gate)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.5)
    process = psutil.Process(shared.gate.process.pid)
    process.suspend()
    try:
        shared.wait(lambda: process.status() == psutil.STATUS_STOPPED)
        assert not health.acknowledges(shared.gate.port)
        assert not health.holds_back(shared.gate.status_port)
    finally:
        process.resume()


def test_sigterm_answers_what_is_on_its_way_and_takes_nothing_more(world, pack, monkeypatch):
    let_go = threading.Event()
    monkeypatch.setattr(world.firehose, "hang", lambda _seconds: let_go.wait(PATIENCE_SECONDS))
    world.firehose.inject(Faults(hang_seconds=1))
    with closing(socket.create_connection(("127.0.0.1", world.gate.port), timeout=PATIENCE_SECONDS)) as connection:
        connection.sendall(pack(["last", event_time(), {"log": "last"}, {"chunk": "c"}]))
        world.wait(lambda: world.status()["waiting_bytes"] > 0)
        world.gate.process.send(signal.SIGTERM)
        world.wait(lambda: not port_answers(world.gate.port))
        time.sleep(1.5)  # longer than it waits for a client that has its answer
        let_go.set()
        assert connection.recv(64) == b"\x81\xa3ack\xa1c"
        assert connection.recv(64) == b""
    world.wait(lambda: world.gate.process.exit_code is not None)
    assert world.gate.process.exit_code == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", world.gate.port), timeout=PATIENCE_SECONDS)


def test_its_log_counts_and_tells_nothing_of_what_it_carries(world, pack):
    assert world.message(pack(["secret-tag", event_time(), {"log": "hunter2"}, {"chunk": "c"}]))
    world.message(b"\xc1 hunter2")
    assert world.gate.stop() == 0
    log = (world.gate.process.log).read_text()
    assert "hunter2" not in log
    assert "secret-tag" not in log
    told = json.loads(log.splitlines()[-1])
    metrics = told["_aws"]["CloudWatchMetrics"][0]
    assert (metrics["Namespace"], metrics["Dimensions"]) == ("Sluice", [["gate"]])
    assert {each["Name"] for each in metrics["Metrics"]} <= told.keys()
    assert (told["Gate.records"], told["Gate.acknowledged"], told["Gate.refused"]) == (1, 1, 1)
