"""The senders against a real Fluent Bit: every mode is understood and acknowledged, and nothing acked is lost."""

import subprocess
import sys
import threading

import pytest

from loadtest.chunk import encode_entry, encode_message, encode_packed
from loadtest.clients import Container, DockerDriver, FireLensSidecar, Task
from loadtest.compare import as_delivered
from loadtest.forward import ForwardClient
from loadtest.ledger import Ledger

pytestmark = pytest.mark.fluent_bit

AT = 1_763_690_840_738_355_123
PRINTS = """
import sys
print("plain")
print('{"event": "caf\\u00e9"}')
sys.stdout.buffer.write(b"caf\\xe9 \\xff\\n" + b"x" * 40_000 + b"\\n")
sys.stdout.flush()
print("Traceback", file=sys.stderr)
"""


def printing_process():
    return subprocess.Popen([sys.executable, "-c", PRINTS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_every_carrier_mode_is_acknowledged_and_carries_tag_time_and_record(fluent_bit):
    server = fluent_bit()
    acknowledged = []
    entries = [encode_entry(time_unix_nano=AT + n, record={"log": str(n)}) for n in range(2)]

    with ForwardClient("127.0.0.1", server.port, window=8) as client:
        for name, chunk in {
            "message": encode_message(tag="message", time_unix_nano=AT, record={"log": "m"}, ack=True, sub_second=True),
            "seconds": encode_message(
                tag="seconds", time_unix_nano=AT, record={"log": "s"}, ack=True, sub_second=False
            ),
            "packed": encode_packed(tag="packed", entries=entries, ack=True, compress=False),
            "gzip": encode_packed(tag="gzip", entries=entries, ack=True, compress=True),
        }.items():
            client.send(chunk, acknowledged=lambda name=name: acknowledged.append(name))

    assert sorted(acknowledged) == ["gzip", "message", "packed", "seconds"]
    stored = {(s.tag, s.time_unix_nano, s.record["log"]) for s in server.wait_for(6)}
    assert stored == {
        ("message", AT, "m"),
        ("seconds", AT // 10**9 * 10**9, "s"),
        ("packed", AT, "0"),
        ("packed", AT + 1, "1"),
        ("gzip", AT, "0"),
        ("gzip", AT + 1, "1"),
    }


@pytest.mark.parametrize("kind", ["docker", "firelens"])
def test_what_a_process_printed_arrives_under_the_ledgers_keys(fluent_bit, kind):
    server, ledger, container = fluent_bit(), Ledger(), Container.new("shop")
    client = ForwardClient("127.0.0.1", server.port)
    with client, printing_process() as process:
        if kind == "docker":
            sender = DockerDriver(client, container=container, tag="shop.web", ledger=ledger)
        else:
            task = Task(cluster="c", arn="arn:aws:ecs:x:1:task/c/t1", definition="shop:1", container="web")
            sender = FireLensSidecar(client, container=container, task=task, ledger=ledger, compress=True)
        sender.follow(process.stdout, process.stderr)

    assert len(ledger) == 7
    assert all(sent.acknowledged_at for sent in ledger)
    arrived = {
        (s.record["container_id"], s.time_unix_nano, s.tag, s.record["log"]) for s in server.wait_for(len(ledger))
    }
    assert arrived == {(s.source, s.time_unix_nano, s.tag, as_delivered(s.text)) for s in ledger}


@pytest.mark.parametrize(
    "data", [b"caf\xe9", b"\xff\xfe", b"\xed\xa0\x80", b"\xf0\x9f\x98 cut", b"\xc0\xaf", b"\xc3\n", b"\x00\x7f\x80"]
)
def test_each_byte_that_is_not_utf8_arrives_spelled_out(fluent_bit, data):
    """What the oracle expects of such lines, and the aggregator's filter does."""
    server, text = fluent_bit(), data.decode("utf-8", "surrogateescape")

    with ForwardClient("127.0.0.1", server.port) as client:
        client.send(encode_message(tag="t", time_unix_nano=AT, record={"log": text}, ack=True, sub_second=True))

    (stored,) = server.wait_for(1)
    assert stored.record["log"] == as_delivered(text)


def test_nothing_acknowledged_is_lost_when_fluent_bit_is_killed_and_restarted(fluent_bit):
    """Until the kill it flushes every 60 s, so what it had acknowledged is in its filesystem buffer only."""
    server = fluent_bit(flush_seconds=60)
    acknowledged, killed = [], threading.Event()

    def acknowledge(n):
        acknowledged.append(n)
        if len(acknowledged) == 500:
            server.kill()
            killed.set()
            threading.Thread(target=server.start).start()

    with ForwardClient("127.0.0.1", server.port, window=32, ack_timeout=2, give_up_after=120) as client:
        for n in range(2_000):
            chunk = encode_message(tag="t", time_unix_nano=AT + n, record={"log": str(n)}, ack=True, sub_second=True)
            client.send(chunk, acknowledged=lambda n=n: acknowledge(n))

    assert killed.is_set()
    assert len(acknowledged) == 2_000
    stored = {int(s.record["log"]) for s in server.wait_for(2_000)}
    assert set(acknowledged) <= stored
