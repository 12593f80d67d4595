"""A real Fluent Bit on the rendered configuration, with files in the place of Firehose."""

import json
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from local.process import free_port
from sluice import fluent_bit
from sluice.load import load
from sluice.model import Deployment, deployment

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120


@pytest.fixture(scope="session")
def here() -> Deployment:
    return deployment(load(ROOT / "sluice.yaml"), "dev")


class Aggregator:
    """A running Fluent Bit: what is sent to it, and what each route's output wrote."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, port: int, metrics_port: int) -> None:
        self.process = process
        self.folder = folder
        self.port = port
        self.metrics_port = metrics_port

    def send(
        self,
        tag: bytes,
        *records: object,
        seconds: int = 1_700_000_000,
        nanoseconds: int = 5,
        patience: float = PATIENCE_SECONDS,
    ) -> bytes:
        """One acknowledged message; the answer as it came."""
        time_of = msgpack.ExtType(0, struct.pack(">II", seconds, nanoseconds))
        entries = b"".join(msgpack.packb([time_of, record]) for record in records)
        name = msgpack.packb(tag, use_bin_type=False)
        body = b"\x93" + name + msgpack.packb(entries) + msgpack.packb({"chunk": "one"})
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=patience)) as connection:
            connection.sendall(body)
            return connection.recv(64)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(timeout=PATIENCE_SECONDS)

    def written(self) -> dict[str, list[dict[str, object]]]:
        """Stops, and returns the records by the route whose output wrote them."""
        self.stop()
        found: dict[str, list[dict[str, object]]] = {}
        for file in sorted(self.folder.glob("*.route")):
            text = file.read_bytes().decode("utf-8", "surrogateescape")
            found[file.stem] = [json.loads(line) for line in text.split("\n") if line]
        return found


@pytest.fixture
def start(fluent_bit_5: str, here: Deployment, tmp_path: Path) -> Iterator[Callable[..., Aggregator]]:
    running: list[Aggregator] = []

    def begin(*, chunks: int = 100, blocked: bool = False, nanoseconds: bool = True) -> Aggregator:
        port, metrics_port = free_port(), free_port()
        places = fluent_bit.Places(
            home=str(ROOT / "fluentbit-image"),
            buffer=str(tmp_path / "buffer"),
            listen="127.0.0.1",
            ports={"forward": port},
            metrics_port=metrics_port,
            aws_host="127.0.0.1",
            aws_port=free_port(),  # nobody listens there
        )
        sections = fluent_bit.sections(here, places, fluent_bit.Abilities(nanoseconds=nanoseconds))
        if not blocked:
            outputs = tuple(_to_file(output, tmp_path) for output in sections.outputs)
            sections = replace(sections, outputs=outputs)
        config = tmp_path / "fluent-bit.yaml"
        config.write_text(fluent_bit.as_yaml(sections))
        environment = {
            **os.environ,
            **fluent_bit.environment(here),
            fluent_bit.CHUNKS_VARIABLE: str(chunks),
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
        }
        log = (tmp_path / "log").open("wb")
        process = subprocess.Popen([fluent_bit_5, "-c", str(config)], env=environment, stdout=log, stderr=log)
        aggregator = Aggregator(process, tmp_path, port, metrics_port)
        running.append(aggregator)
        await_port(process, metrics_port, tmp_path / "log")
        await_port(process, port, tmp_path / "log")
        return aggregator

    yield begin
    for aggregator in running:
        aggregator.process.kill()
        aggregator.process.wait(timeout=PATIENCE_SECONDS)


def _to_file(output: fluent_bit.Section, folder: Path) -> fluent_bit.Section:
    if output["name"] not in {"kinesis_firehose", "kinesis_streams", "kinesis"}:
        return output
    match = {key: value for key, value in output.items() if key.startswith("match")}
    return {
        "name": "file",
        "alias": output["alias"],
        **match,
        "path": str(folder),
        "file": f"{output['alias']}.route",
        "format": "plain",
    }


def await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"Fluent Bit does not listen on {port}: {log.read_text()}")
