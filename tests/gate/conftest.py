"""A real gate before the local Firehose with the real transformer, and what came out of it."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgpack
import pytest

from loadtest.account import Account
from loadtest.clients import Batch, Container, Source
from loadtest.forward import ForwardClient
from loadtest.ledger import Ledger
from loadtest.lines import Line
from loadtest.read_s3 import route_of_key
from loadtest.verify import Delivery, verify
from local.firehose import (
    Faults,
    Firehose,
    Server,
    make_certificate,
    serve,
)
from local.gate import Gate
from sluice import globs, names
from sluice.load import load
from sluice.model import Deployment, Listener, deployment
from tests.streams import stream, transformer

ROOT = Path(__file__).resolve().parents[2]
TAGS = ("frontend-web", "backend-orders", "something.else")
PATIENCE_SECONDS = 120


@pytest.fixture(scope="session")
def here() -> Deployment:
    """The default configuration, with a listener of the gate's."""
    base = deployment(load(ROOT / "sluice.yaml"), "dev")
    gate = Listener(name="kept", port=24225, acknowledge="accepted")
    return base.model_copy(update={"listeners": (*base.listeners, gate)})


class World:
    """A Firehose and a gate that can be killed and started again. `put` is every record as it was given to Firehose."""

    def __init__(self, here: Deployment, folder: Path) -> None:
        self.here = here
        self.objects: dict[str, bytes] = {}
        self.events: list[dict[str, Any]] = []
        self.ledger = Ledger()
        self._running = ExitStack()
        streams = [stream(here, route) for route in here.routes]
        self.firehose = self._running.enter_context(Firehose(streams, invoke=self._invoke, put_object=self._put))
        self.server: Server = self._running.enter_context(
            serve(self.firehose, certificate=make_certificate(folder / "tls"))
        )
        self.aws = (self.server.host, self.server.port, self.server.ca_file)
        self.gate = self._running.enter_context(Gate(here, folder=folder / "gate", aws=self.aws))

    def _invoke(self, _arn: str, event: bytes) -> bytes:
        self.events.append(json.loads(event))
        return transformer(_arn, event)

    def _put(self, *, bucket: str, key: str, body: bytes, encoding: str | None) -> None:
        assert bucket == "bucket"
        self.objects[key] = gzip.decompress(body) if encoding == "gzip" else body

    def message(self, message: bytes, *, seconds: float = PATIENCE_SECONDS) -> bytes:
        """What is answered to one message from a connection of its own, b"" if it is closed without an answer."""
        with closing(socket.create_connection(("127.0.0.1", self.gate.port), timeout=seconds)) as connection:
            connection.sendall(message)
            try:
                return connection.recv(64)
            except ConnectionResetError:
                return b""

    def status(self) -> dict[str, Any]:
        """What the gate says of itself."""
        with closing(
            socket.create_connection(("127.0.0.1", self.gate.status_port), timeout=PATIENCE_SECONDS)
        ) as connection:
            return json.loads(b"".join(iter(lambda: connection.recv(4096), b"")))

    def wait(self, until: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, "it does not happen"
            time.sleep(0.02)

    def send(self, tag: str, count: int, at: Callable[[int], None], patience: float) -> None:
        """So many records of one container, each acknowledged in the end; `at` is told the number of each."""
        source = Source(container=Container.new(tag), tag=tag, client="test", ledger=self.ledger)
        with ForwardClient("127.0.0.1", self.gate.port, window=8, ack_timeout=patience) as client:
            batch = Batch(client, source=source, ack=True, compress=False)
            for number in range(count):
                said = f'{{"message": "{tag} {number}", "n": {number}}}' if number % 2 else f"{number}"
                batch.add(Line("stdout", said))
                if number % 20 == 0:
                    batch.send()
                    at(number)
            batch.send()

    def send_all(self, count: int, at: Callable[[int], None] = lambda _number: None, *, patience: float = 3) -> None:
        """So many records over three tags, at once; `at` is told the numbers of the first.

        A client sends again what was not acknowledged for `patience` seconds.
        """
        senders = [
            threading.Thread(target=self.send, args=(tag, count // 3, at if not n else lambda _: None, patience))
            for n, tag in enumerate(TAGS)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def documents(self) -> list[dict[str, Any]]:
        """What Firehose has delivered, after everything that it has taken."""
        assert self.firehose.drain(timeout=PATIENCE_SECONDS)
        return [
            json.loads(line)
            for key, body in self.objects.items()
            if key.startswith("logs/")
            for line in body.splitlines()
        ]

    def account(self) -> Account:
        """What the oracle says."""
        assert self.firehose.drain(timeout=PATIENCE_SECONDS)
        counts = self.firehose.counts()
        deliveries = [
            Delivery(json.loads(line), time.time(), route_of_key(key))
            for key, body in self.objects.items()
            if key.startswith("logs/")
            for line in body.splitlines()
        ]
        return verify(
            self.ledger,
            deliveries,
            [],
            dropped={route.name: counts[names.stream(self.here, route)].dropped for route in self.here.routes},
            route_of=lambda tag: next(r.name for r in self.here.routes if globs.matches(r.match, tag)),
            destinations={route.name: "s3" for route in self.here.routes},
        )

    def close(self) -> None:
        """Stop everything."""
        self.firehose.inject(Faults())
        self._running.close()


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Deployment], World]]:
    """Makes worlds, and ends them with the module."""
    with ExitStack() as running:

        def make(here: Deployment) -> World:
            world = World(here, tmp_path_factory.mktemp("world"))
            running.callback(world.close)
            return world

        yield make


@pytest.fixture
def world(here: Deployment, tmp_path: Path) -> Iterator[World]:
    """A world of the test's own."""
    made = World(here, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(here: Deployment, worlds: Callable[[Deployment], World]) -> World:
    """A world for tests that break nothing."""
    return worlds(here)


@pytest.fixture(scope="session")
def pack() -> Callable[..., bytes]:
    """MessagePack as clients write it: lone surrogates stand for bytes that are not UTF-8."""

    def packed(value: object) -> bytes:
        return msgpack.packb(value, use_bin_type=True, unicode_errors="surrogateescape")

    return packed
