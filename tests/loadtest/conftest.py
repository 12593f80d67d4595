"""What the senders talk to: a fake aggregator for the protocol's edges, and a real Fluent Bit."""

import contextlib
import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest

from local.process import free_port

PATIENCE_SECONDS = 120.0


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.01)


def ack(chunk: str) -> bytes:
    return msgpack.packb({"ack": chunk})


@dataclass(frozen=True)
class Received:
    connection: int
    data: bytes
    message: list[Any]

    @property
    def chunk(self) -> str | None:
        return self.message[-1].get("chunk")


class FakeAggregator:
    """Speaks just enough of the protocol, and answers each message as `respond(received)` says.

    `respond` gives the bytes to answer with, or None to close the connection. `reset_after` resets the
    first connection once so many bytes have come in; `stall_first` accepts it and never reads from it.
    """

    def __init__(
        self,
        respond=lambda received: ack(received.chunk) if received.chunk else b"",
        *,
        reset_after=None,
        stall_first=False,
    ):
        self.received: list[Received] = []
        self.connections = 0
        self._respond, self._reset_after = respond, reset_after
        self._stall_first, self._stalled = stall_first, None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def entries(self) -> list[tuple[str, int, dict[str, Any]]]:
        """Every record received: (tag, Unix ns, record)."""
        found = []
        for received in self.received:
            tag, *rest = received.message
            for at, record in unpack(rest[0]) if isinstance(rest[0], bytes) else [rest[:2]]:
                found.append((tag, nanoseconds(at), record))
        return found

    def wait_for(self, count: int) -> list[Received]:
        wait_until(lambda: len(self.received) >= count, f"{count} messages")
        return self.received

    def close(self):
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        if self._stalled:
            self._stalled.close()
        self._thread.join(PATIENCE_SECONDS)

    def _serve(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            if self._stall_first and self.connections == 1:
                self._stalled = connection
                continue
            with connection, contextlib.suppress(ConnectionError):
                if self._reset_after is not None and self.connections == 1:
                    self._reset(connection)
                else:
                    self._converse(connection)

    def _reset(self, connection):
        seen = 0
        while seen < self._reset_after:
            seen += len(connection.recv(65_536))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _converse(self, connection):
        unpacker = msgpack.Unpacker(unicode_errors="surrogateescape", max_buffer_size=0)
        stream, start = bytearray(), 0
        while data := connection.recv(65_536):
            stream += data
            unpacker.feed(data)
            for message in unpacker:
                received = Received(self.connections, bytes(stream[start : unpacker.tell()]), message)
                start = unpacker.tell()
                self.received.append(received)
                answer = self._respond(received)
                if answer is None:
                    return
                connection.sendall(answer)


def unpack(stream: bytes) -> list[Any]:
    unpacker = msgpack.Unpacker(unicode_errors="surrogateescape")
    unpacker.feed(stream)
    return list(unpacker)


def nanoseconds(at: object) -> int:
    if isinstance(at, int):
        return at * 1_000_000_000
    assert at.code == 0
    seconds, nanos = struct.unpack(">II", at.data)
    return seconds * 1_000_000_000 + nanos


@pytest.fixture
def aggregator() -> Iterator[Callable[..., FakeAggregator]]:
    started: list[FakeAggregator] = []

    def start(*args, **options) -> FakeAggregator:
        started.append(FakeAggregator(*args, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@dataclass(frozen=True)
class Stored:
    tag: str
    time_unix_nano: int
    record: dict[str, Any]


CARRY = Path(__file__).resolve().parents[2] / "fluentbit-image" / "carry.lua"


class FluentBit:
    """A real Fluent Bit: forward in, filesystem buffer, the aggregator's filter, and a file that names tag and time."""

    LINE = re.compile(r"^(?P<tag>[^ ]+): \[(?P<seconds>\d+)\.(?P<nanos>\d{9}), (?P<record>.*)\]$")

    def __init__(self, folder: Path, *, flush_seconds: float = 0.1):
        self.port = free_port()
        self._folder = folder
        self._config = folder / "fluent-bit.yaml"
        self.start(flush_seconds=flush_seconds)

    def start(self, *, flush_seconds: float = 0.1) -> None:
        folder = self._folder
        self._config.write_text(f"""
service:
  flush: {flush_seconds}
  grace: 5
  log_level: warn
  json.escape_unicode: off
  storage.path: {folder}/buffer
pipeline:
  inputs:
    - name: forward
      listen: 127.0.0.1
      port: {self.port}
      storage.type: filesystem
  filters:
    - name: lua
      match: '*'
      script: {CARRY}
      call: carry
      time_as_table: on
  outputs:
    - name: file
      match: '*'
      path: {folder}
      file: out
""")
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(["fluent-bit", "-c", self._config], stdout=log, stderr=log)
        wait_until(self._listens, "Fluent Bit to listen")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)

    def wait_for(self, count: int) -> list[Stored]:
        """What was written out, once `count` different records were."""
        wait_until(
            lambda: len({(s.tag, s.time_unix_nano, str(s.record)) for s in self.stored()}) >= count,
            f"{count} records",
        )
        return self.stored()

    def stored(self) -> list[Stored]:
        """What has been written out so far, up to the last whole line."""
        out = self._folder / "out"
        lines = out.read_bytes().rpartition(b"\n")[0].decode().splitlines() if out.exists() else []
        matches = [match for match in map(self.LINE.match, lines) if match]
        return [
            Stored(
                match["tag"],
                int(match["seconds"]) * 1_000_000_000 + int(match["nanos"]),
                json.loads(match["record"]),
            )
            for match in matches
        ]

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self._folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False


@pytest.fixture
def fluent_bit(tmp_path: Path) -> Iterator[Callable[..., FluentBit]]:
    if shutil.which("fluent-bit") is None:
        pytest.skip("no fluent-bit on PATH")
    started: list[FluentBit] = []

    def start(**options) -> FluentBit:
        started.append(FluentBit(tmp_path, **options))
        return started[-1]

    yield start
    for process in started:
        process.stop()
