"""The gate against Fluent Bit, in one run: messages and megabytes per CPU second, and how long answers take.

    .venv/bin/python tests/bench/gate.py

Both get the same chunks, as a FireLens sidecar sends them (900-byte messages, 1,000 to a chunk, acknowledgements, four
connections with four chunks under way), through the same routes to the same counting Firehose; then single messages, as
Docker's driver sends them, from 32 connections that each wait. What a process has used is read from the kernel.
Latency is at a twentieth of the load that one core takes, with a Firehose that answers at once: AWS adds its own.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from loadtest.chunk import Chunk, encode_entry, encode_message, encode_packed  # noqa: E402
from loadtest.forward import ForwardClient  # noqa: E402
from local.aggregator import Aggregator  # noqa: E402
from local.firehose import Certificate, make_certificate  # noqa: E402
from local.firehose.counting import CountingServer, counting  # noqa: E402
from local.fluent_bit import find  # noqa: E402
from local.gate import Gate  # noqa: E402
from sluice.load import load  # noqa: E402
from sluice.model import Deployment, Listener, deployment  # noqa: E402

CHUNKS, SINGLES, CONNECTIONS, DOCKERS = 300, 300, 4, 32
MESSAGES = 1000
BEGIN = 1_700_000_000_000_000_000
TAG = "backend-orders"


@dataclass(frozen=True)
class Load:
    """A kind of client: how many connections, how many chunks under way on each, and the chunks of each."""

    connections: int
    window: int
    chunks: Callable[[], list[Chunk]]
    messages: int


def record(number: int) -> dict[str, str]:
    """A line of 900 bytes in MessagePack, with what FireLens adds."""
    said = f'{{"level": "info", "event": "order {number} taken", "customer": null, "text": "'
    return {
        "container_id": "fa6e" * 16,
        "container_name": "/ecs-shop-orders-3-orders",
        "source": "stdout",
        "log": said + "x" * (545 - len(said)) + '"}',
        "ecs_cluster": "shop",
        "ecs_task_arn": "arn:aws:ecs:eu-west-1:111122223333:task/shop/5f1a0000000040008000000000000000",
        "ecs_task_definition": "shop-orders:3",
    }


def sidecar() -> list[Chunk]:
    """Chunks as a FireLens sidecar sends them."""
    entries = [encode_entry(time_unix_nano=BEGIN + n, record=record(n)) for n in range(MESSAGES)]
    return [encode_packed(tag=TAG, entries=entries, ack=True, compress=False) for _ in range(CHUNKS // CONNECTIONS)]


def docker() -> list[Chunk]:
    """Messages as Docker's driver sends them."""
    return [
        encode_message(tag=TAG, time_unix_nano=BEGIN + n, record=record(n), ack=True, sub_second=True)
        for n in range(SINGLES)
    ]


LOADS = {
    "sidecars": Load(CONNECTIONS, 4, sidecar, CHUNKS * MESSAGES),
    "docker": Load(DOCKERS, 1, docker, DOCKERS * SINGLES),
}


def main() -> None:
    """Measure both, show them side by side, write .sluice/bench/gate.json."""
    here = deployment(load(ROOT / "sluice.yaml"), "dev")
    here = here.model_copy(
        update={"listeners": (*here.listeners, Listener(name="gate", port=24225, acknowledge="accepted"))}
    )
    engine = find(cache=ROOT / ".cache", image_tag=None, on_progress=lambda _text: None)
    report: dict[str, Any] = {"fluent_bit": engine.version_text}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        certificate = make_certificate(folder / "tls")
        for name, kind in LOADS.items():
            one = folder / name
            report[name] = {
                "gate": measure(kind, certificate, one / "gate", lambda aws, at: Gate(here, folder=at, aws=aws)),
                "fluent bit": measure(
                    kind, certificate, one / "bit", lambda aws, at: Aggregator(engine, here, folder=at, aws=aws)
                ),
            }
        report["latency_ms"] = latency(here, certificate, folder / "latency")
    target = ROOT / ".sluice" / "bench" / "gate.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    show(report)


def measure(kind: Load, certificate: Certificate, folder: Path, make: Callable[..., Any]) -> dict[str, float]:
    """What one of them needs for a load: until everything is acknowledged and put."""
    folder.mkdir(parents=True)
    with (
        counting(certificate, folder=folder / "counts") as firehose,
        make((firehose.host, firehose.port, firehose.ca_file), folder / "log") as target,
    ):
        process = psutil.Process(target.process.pid)
        prepared = [kind.chunks() for _ in range(kind.connections)]
        size = sum(len(chunk.data) for chunks in prepared for chunk in chunks)
        before, began = used(process), time.monotonic()
        senders = [threading.Thread(target=send, args=(target.port, chunks, kind.window)) for chunks in prepared]
        for sender in senders:
            sender.start()
        peak = 0
        while any(sender.is_alive() for sender in senders):
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.02)
        acknowledged = time.monotonic() - began
        settle(firehose, kind.messages)
        cpu, counts = used(process) - before, firehose.counts()
        return {
            "messages_per_cpu_second": round(kind.messages / cpu),
            "mb_per_cpu_second": round(size / cpu / 1e6, 1),
            "messages_per_second": round(kind.messages / acknowledged),
            "peak_mb": round(peak / 1e6),
            "bytes_per_record_put": round(counts.bytes / counts.records),
        }


def send(port: int, chunks: list[Chunk], window: int) -> None:
    """Send them all, and wait for every answer."""
    with ForwardClient("127.0.0.1", port, window=window, ack_timeout=60) as client:
        for chunk in chunks:
            client.send(chunk)


def settle(firehose: CountingServer, lines: int) -> None:
    """Wait until Firehose has them all: Fluent Bit acknowledges before."""
    deadline = time.monotonic() + 120
    while firehose.counts().lines < lines and time.monotonic() < deadline:
        time.sleep(0.02)


def used(process: psutil.Process) -> float:
    """Seconds of CPU."""
    times = process.cpu_times()
    return times.user + times.system


def latency(here: Deployment, certificate: Certificate, folder: Path) -> dict[str, float]:
    """Of single messages from one connection, beside a load of 5,000 messages a second in chunks."""
    folder.mkdir()
    stop = threading.Event()
    with (
        counting(certificate, folder=folder / "counts") as firehose,
        Gate(here, folder=folder / "log", aws=(firehose.host, firehose.port, firehose.ca_file)) as gate,
    ):

        def beside() -> None:
            entries = [encode_entry(time_unix_nano=BEGIN + n, record=record(n)) for n in range(MESSAGES)]
            with ForwardClient("127.0.0.1", gate.port, window=8) as client:
                while not stop.wait(0.2):
                    client.send(encode_packed(tag=TAG, entries=entries, ack=True, compress=False))

        other = threading.Thread(target=beside)
        other.start()
        waited = []
        with ForwardClient("127.0.0.1", gate.port) as client:
            for chunk in docker()[:150]:
                began = time.perf_counter()
                client.send(chunk)
                client.flush()
                waited.append((time.perf_counter() - began) * 1000)
                time.sleep(0.02)
        stop.set()
        other.join()
    waited.sort()
    return {name: round(waited[int(len(waited) * at)], 1) for name, at in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))}


def show(report: dict[str, Any]) -> None:
    """Show what was measured."""
    console = Console()
    for name in LOADS:
        told = report[name]
        table = Table(name, *told, "ratio")
        for key in told["gate"]:
            mine, peer = told["gate"][key], told["fluent bit"][key]
            table.add_row(key.replace("_", " "), f"{mine:,}", f"{peer:,}", f"{mine / peer:.2f}")
        console.print(table)
    console.print("acknowledged by the gate after", report["latency_ms"], "ms")


if __name__ == "__main__":
    main()
