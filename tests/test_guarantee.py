"""The promise, under attack: what Fluent Bit acknowledged is in S3 or in the failure store, once by event id.

A real Fluent Bit on the rendered configuration, the local Firehose with faults, the real transformer, and the
oracle. What is broken on purpose is told in each test.
"""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.account import Account
from loadtest.clients import Batch, Container, Source
from loadtest.forward import ForwardClient
from loadtest.ledger import Ledger
from loadtest.lines import Line
from loadtest.read_s3 import route_of_key
from loadtest.verify import Delivery, verify
from local.aggregator import Aggregator
from local.firehose import (
    Faults,
    Firehose,
    make_certificate,
    serve,
)
from local.fluent_bit import find
from sluice import globs, names
from sluice.fluent_bit import Sections
from sluice.load import load
from sluice.model import Deployment, deployment
from tests.streams import stream, transformer

ROOT = Path(__file__).resolve().parents[1]
RECORDS = 3000
TAGS = ("frontend-web", "backend-orders", "something.else")

pytestmark = pytest.mark.fluent_bit


@pytest.fixture(scope="module")
def here() -> Deployment:
    return deployment(load(ROOT / "sluice.yaml"), "dev")


class World:
    """A Firehose and an aggregator that can be killed and started again on the same buffer."""

    def __init__(self, here: Deployment, folder: Path, invoke: Callable[[str, bytes], bytes]) -> None:
        self.here = here
        self.objects: dict[str, bytes] = {}
        self.ledger = Ledger()
        self._running = ExitStack()
        self.firehose = self._running.enter_context(
            Firehose([stream(here, route) for route in here.routes], invoke=invoke, put_object=self._put)
        )
        server = self._running.enter_context(serve(self.firehose, certificate=make_certificate(folder / "tls")))
        self.aggregator = Aggregator(
            find(cache=folder, image_tag=None),
            here,
            folder=folder / "aggregator",
            aws=(server.host, server.port, server.ca_file),
            edit=hastened,
        )
        self._running.enter_context(self.aggregator)

    def _put(self, *, bucket: str, key: str, body: bytes, encoding: str | None) -> None:
        assert bucket == "bucket"
        self.objects[key] = gzip.decompress(body) if encoding == "gzip" else body

    def kill(self) -> None:
        """SIGKILL, and a new process on what is left of the buffer."""
        self.aggregator.kill()
        self.aggregator.start()

    def send(self, *, tag: str, count: int, at: Callable[[int], None] = lambda _number: None) -> None:
        """So many records of one container, each acknowledged in the end; `at` is told the number of each."""
        source = Source(container=Container.new(tag), tag=tag, client="test", ledger=self.ledger)
        with ForwardClient("127.0.0.1", self.aggregator.port, window=8, ack_timeout=3) as client:
            batch = Batch(client, source=source, ack=True, compress=False)
            for number in range(count):
                batch.add(
                    Line("stdout", f'{{"message": "{tag} {number}", "n": {number}}}' if number % 2 else f"{number}")
                )
                if number % 20 == 0:
                    batch.send()
                    at(number)
            batch.send()

    def settle(self) -> None:
        """Wait until the buffer is empty.

        A Fluent Bit that starts on a predecessor's buffer takes it up over some seconds; one that is told to stop
        before leaves it in the file, whatever its grace.
        """
        deadline = time.monotonic() + 240
        while not self.aggregator.is_empty():
            assert time.monotonic() < deadline, "the buffer is not passed on"
            time.sleep(0.1)

    def account(self) -> Account:
        """Stops the aggregator as ECS does, empties Firehose, and asks the oracle."""
        assert self.aggregator.stop() == 0
        assert self.firehose.drain(timeout=240)
        counts = self.firehose.counts()
        deliveries = [
            Delivery(json.loads(line), time.time(), route_of_key(key))
            for key, body in self.objects.items()
            if key.startswith("logs/")
            for line in body.splitlines()
        ]
        failures = [
            json.loads(line)
            for key, body in self.objects.items()
            if key.startswith("failed/")
            for line in body.splitlines()
        ]
        return verify(
            self.ledger,
            deliveries,
            failures,
            dropped={route.name: counts[names.stream(self.here, route)].dropped for route in self.here.routes},
            route_of=lambda tag: next(r.name for r in self.here.routes if globs.matches(r.match, tag)),
            destinations={route.name: "s3" for route in self.here.routes},
        )

    def close(self) -> None:
        self._running.close()


def hastened(sections: Sections) -> Sections:
    """Back-off of seconds in the place of half a minute: these tests wait for every retry."""
    return replace(sections, service={**sections.service, "scheduler.cap": 2})


@pytest.fixture
def world(fluent_bit_5: str, here: Deployment, tmp_path: Path) -> Iterator[Callable[..., World]]:
    del fluent_bit_5  # `find` finds it again
    made: list[World] = []

    def make(invoke: Callable[[str, bytes], bytes] = transformer) -> World:
        made.append(World(here, tmp_path, invoke))
        return made[-1]

    yield make
    for one in made:
        one.close()


def sent_by_all(world: World, *, at: Callable[[int], None] = lambda _number: None) -> None:
    senders = [
        threading.Thread(
            target=world.send, kwargs={"tag": tag, "count": RECORDS // 3, "at": at if not n else lambda _: None}
        )
        for n, tag in enumerate(TAGS)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


def holds(account: Account) -> None:
    assert account.complete, account.to_json(seconds=0)
    assert sum(route.sent for route in account.routes) == RECORDS
    assert sum(route.acknowledged for route in account.routes) == RECORDS


def test_killed_twice_while_records_come_in(world: Callable[..., World]) -> None:
    """kill -9, the disk kept: the buffer is all there is of what was acknowledged and not yet passed on."""
    there = world()
    sent_by_all(there, at=lambda number: there.kill() if number in {300, 700} else None)
    there.settle()
    account = there.account()
    holds(account)
    assert all(route.delivered == route.sent for route in account.routes)


def test_killed_while_firehose_takes_nothing(world: Callable[..., World]) -> None:
    """Nothing has left the aggregator when it is killed; Firehose comes back only after the second start."""
    there = world()
    there.firehose.inject(Faults(throttle=True))
    sent_by_all(there)
    there.kill()
    assert not there.objects
    there.firehose.inject(Faults())
    there.settle()
    holds(there.account())


def test_every_third_record_of_a_batch_refused(world: Callable[..., World]) -> None:
    """Fluent Bit then sends the whole chunk again: copies, each under the id of the first."""
    there = world()
    there.firehose.inject(Faults(fail_every=3))
    sent_by_all(there)
    time.sleep(2)
    there.firehose.inject(Faults())
    holds(there.account())


def test_a_function_that_breaks_costs_no_record(world: Callable[..., World]) -> None:
    """The function raises for every other batch: all of it is in the failure store, raw and with a reason."""
    calls = iter(range(10**6))

    def broken(arn: str, event: bytes) -> bytes:
        return b"not JSON" if next(calls) % 2 == 0 else transformer(arn, event)

    there = world(broken)
    sent_by_all(there)
    account = there.account()
    holds(account)
    assert sum(route.failed for route in account.routes) > 0
    assert sum(route.failed + route.delivered for route in account.routes) == RECORDS
    assert all("/reason=processing-failed/" in key for key in there.objects if key.startswith("failed/"))
