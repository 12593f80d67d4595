"""How fast one sending process of the load test is, with acknowledgements, against a peer in the same run.

    python tests/bench/driver.py

The driver's one process sends 900-byte messages in PackedForward chunks to a sink on loopback that acknowledges each
chunk and does no more, and to a real Fluent Bit with a null output where there is one. The peer is the sender that
follows a process (loadtest.clients), to the same sink. Figures are per CPU second of the sending process, so that what
else the machine does hardly matters.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from loadtest.clients import Container, FireLensSidecar, Task  # noqa: E402 - found through the line above
from loadtest.drive import Driver  # noqa: E402
from loadtest.forward import ForwardClient  # noqa: E402
from loadtest.lines import Line  # noqa: E402
from loadtest.plan import make_plan  # noqa: E402
from loadtest.profile import Profile  # noqa: E402

SIZE = 900
SECONDS = 4.0
WARM_SECONDS = 1.0
PEER_MESSAGES = 60_000
MORE_THAN_ANYBODY_SENDS = 5_000_000
_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4}
"""By MessagePack's first byte of a binary, of how many bytes its length is."""


def sink() -> None:
    """Acknowledge every chunk, read nothing of it but its option. Says its port first; ends with its parent."""
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)  # noqa: T201 - what the parent reads
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_acknowledge, args=(connection,), daemon=True).start()


def _acknowledge(connection: socket.socket) -> None:
    scratch = memoryview(bytearray(1 << 20))
    with connection, contextlib.suppress(OSError):
        stream = connection.makefile("rb")
        while head := stream.read(2):
            stream.read(head[1] & 0x1F)
            kind = stream.read(1)[0]
            if kind not in _LENGTHS:
                raise ValueError(f"{kind:#x} is no PackedForward body")
            size = int.from_bytes(stream.read(_LENGTHS[kind]), "big")
            while size:
                size -= stream.readinto(scratch[: min(size, len(scratch))]) or 0
            unpacker = msgpack.Unpacker()
            while True:
                unpacker.feed(stream.read1(1))
                with contextlib.suppress(msgpack.OutOfData):
                    option = unpacker.unpack()
                    break
            connection.sendall(msgpack.packb({"ack": option["chunk"]}))


@contextmanager
def running_sink() -> Iterator[int]:
    """The sink in a process of its own; its port."""
    process = subprocess.Popen(
        [sys.executable, __file__, "sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


@contextmanager
def running_fluent_bit(folder: Path) -> Iterator[int]:
    """A real Fluent Bit that takes everything and keeps nothing; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["fluent-bit", "-q", "-i", "forward", "-p", "listen=127.0.0.1", "-p", f"port={port}"]
    process = subprocess.Popen([*command, "-o", "null", "-m", "*"], cwd=folder)
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def measure_driver(port: int, folder: Path, **load: Any) -> dict[str, float]:
    """What one sending process sends, and has acknowledged, in a CPU second of its own."""
    profile = Profile.model_validate(
        {
            "name": "bench",
            "seconds": 600,
            "loads": [
                {
                    "name": "fast",
                    "tag": "bench",
                    "connections": 2,
                    "messages_per_second": MORE_THAN_ANYBODY_SENDS,
                    "size": {"median": SIZE},
                    **load,
                }
            ],
        }
    )
    with Driver(make_plan(profile), to={"fast": ("127.0.0.1", port)}, folder=folder) as driver:
        process = psutil.Process(driver.pids[0])
        time.sleep(WARM_SECONDS)
        start, used, began = driver.progress(), process.cpu_times(), time.monotonic()
        time.sleep(SECONDS)
        end, used_now, seconds = driver.progress(), process.cpu_times(), time.monotonic() - began
    cpu = used_now.user + used_now.system - used.user - used.system
    messages = end.acknowledged - start.acknowledged
    return {
        "messages_per_cpu_second": messages / cpu,
        "mb_per_cpu_second": (end.bytes - start.bytes) / cpu / 1e6,
        "messages_per_second": messages / seconds,
    }


def measure_peer(port: int) -> dict[str, float]:
    """What the sender that follows a process does with lines of the same length."""
    container = Container.new("bench")
    task = Task(cluster="c", arn="arn:aws:ecs:eu-west-1:1:task/c/t", definition="t:1", container="bench")
    line = Line("stdout", "x" * SIZE)
    with ForwardClient("127.0.0.1", port, window=8) as client:
        sidecar = FireLensSidecar(client, container=container, task=task, ledger=None)
        began, used = time.monotonic(), time.process_time()
        for _ in range(PEER_MESSAGES):
            sidecar._batch.add(line)
        sidecar._batch.send()
        client.flush()
        cpu, seconds = time.process_time() - used, time.monotonic() - began
    return {
        "messages_per_cpu_second": PEER_MESSAGES / cpu,
        "mb_per_cpu_second": PEER_MESSAGES * SIZE / cpu / 1e6,
        "messages_per_second": PEER_MESSAGES / seconds,
    }


def measure() -> dict[str, dict[str, float]]:
    """Every figure, by what was measured."""
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary, running_sink() as port:
        folder = Path(temporary)
        figures["peer, to a sink"] = measure_peer(port)
        loads: dict[str, dict[str, Any]] = {
            "driver, to a sink": {},
            "driver, JSON and access lines": {"formats": {"json": 1, "access": 1}},
            "driver, sizes that differ": {"size": {"median": SIZE, "sigma": 0.8}},
        }
        for name, load in loads.items():
            figures[name] = measure_driver(port, folder / name, **load)
        if shutil.which("fluent-bit"):
            with running_fluent_bit(folder) as fluent_bit:
                figures["driver, to Fluent Bit"] = measure_driver(fluent_bit, folder / "fluent-bit")
                figures["driver, single messages"] = measure_driver(fluent_bit, folder / "docker", client="docker")
    return figures


def main() -> None:
    """Measure and show."""
    figures = measure()
    peer = figures["peer, to a sink"]["messages_per_cpu_second"]
    table = Table(f"messages of {SIZE} bytes, with acks", "messages/CPU s", "MB/CPU s", "messages/s", "of the peer")
    for name, each in figures.items():
        rate = each["messages_per_cpu_second"]
        megabytes, seen = each["mb_per_cpu_second"], each["messages_per_second"]
        table.add_row(name, f"{rate:,.0f}", f"{megabytes:,.0f}", f"{seen:,.0f}", f"{rate / peer:.1f}")
    Console().print(table)
    print(json.dumps({name: {key: round(value) for key, value in each.items()} for name, each in figures.items()}))  # noqa: T201


if __name__ == "__main__":
    sink() if sys.argv[1:] == ["sink"] else main()
