"""Servers for the driver to talk to, and a way to send a load from inside the test."""

import contextlib
import gzip
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgpack
import pytest

from loadtest.drive.spec import Spec, Told
from loadtest.drive.worker import send
from loadtest.journal import Journal
from loadtest.plan import Plan

RUN = 0x5A5A5A5A
PATIENCE_SECONDS = 180


@dataclass(frozen=True)
class Received:
    """A whole message in the Forward protocol: when and on which connection it came, its bytes, and what they mean."""

    at: float
    connection: int
    data: bytes
    message: list[Any]

    @property
    def chunk(self) -> str | None:
        return self.message[-1].get("chunk")

    @property
    def entries(self) -> list[tuple[int, dict[str, str]]]:
        """(Unix nanoseconds, record) of each."""
        _, *rest = self.message
        if not isinstance(rest[0], bytes):
            return [(nanoseconds(rest[0]), rest[1])]
        body = gzip.decompress(rest[0]) if self.message[-1].get("compressed") == "gzip" else rest[0]
        unpacker = msgpack.Unpacker(unicode_errors="surrogateescape")
        unpacker.feed(body)
        return [(nanoseconds(at), record) for at, record in unpacker]


def nanoseconds(at: msgpack.ExtType) -> int:
    assert at.code == 0
    seconds, rest = struct.unpack(">II", at.data)
    return seconds * 10**9 + rest


def ack(chunk: str | None) -> bytes:
    return msgpack.packb({"ack": chunk}) if chunk else b""


class Server:
    """Takes connections, and answers each chunk as `respond(received)` says: None closes the connection.

    `cut_after` closes the first connection after so many bytes, wherever that is in a chunk.
    """

    def __init__(
        self, respond: Callable[[Received], bytes | None] = lambda received: ack(received.chunk), *, cut_after: int = 0
    ) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self.respond, self._cut_after = respond, cut_after
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = ("127.0.0.1", self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._server, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    @property
    def entries(self) -> list[tuple[int, dict[str, str]]]:
        return [entry for received in list(self.received) for entry in received.entries]

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._converse, args=(connection, self.connections), daemon=True).start()

    def _converse(self, connection: socket.socket, number: int) -> None:
        unpacker = msgpack.Unpacker(unicode_errors="surrogateescape", max_buffer_size=0)
        stream, start = bytearray(), 0
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                stream += data
                if number == 1 and 0 < self._cut_after <= len(stream):
                    return
                unpacker.feed(data)
                for message in unpacker:
                    received = Received(time.time(), number, bytes(stream[start : unpacker.tell()]), message)
                    start = unpacker.tell()
                    with self._lock:
                        self.received.append(received)
                        answer = self.respond(received)
                    if answer is None:
                        return
                    connection.sendall(answer)


class Collector(ThreadingHTTPServer):
    """Takes OTLP by HTTP, and answers each request as `respond(number)` says: a status and a body."""

    daemon_threads = True

    def __init__(self, respond: Callable[[int], tuple[int, bytes]] = lambda _: (200, b"{}")) -> None:
        super().__init__(("127.0.0.1", 0), _Collected)
        self.bodies: list[bytes] = []
        self.respond = respond
        self.address = ("127.0.0.1", self.server_address[1])
        threading.Thread(target=partial(self.serve_forever, poll_interval=0.02), daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def records(self, body: bytes) -> list[dict[str, Any]]:
        body = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        (resource,) = json.loads(body)["resourceLogs"]
        (scope,) = resource["scopeLogs"]
        return scope["logRecords"]


class _Collected(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert self.path == "/v1/logs"
        assert self.headers["Content-Type"] == "application/json"
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        status, body = self.server.respond(len(self.server.bodies))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Sending:
    """A load that is sent from a thread of the test."""

    plan: Plan
    folder: Path
    told: list[Told]
    stop: threading.Event
    thread: threading.Thread
    parent: int

    def wait(self) -> Journal:
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive(), "still sending"
        return Journal.read(self.folder)

    def forsake(self) -> None:
        """As if who started it were gone."""
        os.close(self.parent)
        self.parent = -1


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Callable[..., Sending]]:
    started: list[Sending] = []

    def start(plan: Plan, to: Mapping[str, tuple[str, int]], *, ack_timeout=60.0, give_up_after=90.0) -> Sending:
        folder = tmp_path / f"run-{len(started)}"
        spec = Spec(
            profile=plan.profile,
            run=plan.run,
            to=dict(to),
            folder=folder,
            process=0,
            processes=1,
            ack_timeout=ack_timeout,
            give_up_after=give_up_after,
        )
        control, parent = os.pipe()
        told: list[Told] = []
        stop = threading.Event()

        def work() -> None:
            say = lambda line: told.append(Told.model_validate_json(line))  # noqa: E731 - a line it is
            try:
                send(spec, begin=time.time, control=control, tell=say, stop=stop)
            finally:
                os.close(control)

        thread = threading.Thread(target=work, daemon=True)
        started.append(Sending(plan, folder, told, stop, thread, parent))
        thread.start()
        return started[-1]

    yield start
    for each in started:
        if each.parent >= 0:
            each.forsake()
        each.thread.join(PATIENCE_SECONDS)


@pytest.fixture
def server() -> type[Server]:
    return Server


@pytest.fixture
def collector() -> type[Collector]:
    return Collector


@pytest.fixture
def answer() -> Callable[[str | None], bytes]:
    return ack
