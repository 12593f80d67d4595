"""One sending process: `python -m loadtest.drive.worker SPEC.json`.

Mechanism: one thread, one epoll over all connections, and a heap of the times at which they have something to send. On
its standard input comes a JSON line `{"began": <Unix seconds>}`, and `{"stop": true}` to send nothing new, as SIGTERM
does; when the input ends, so does the process, at once. On its output it says how far it is (spec.Told).

The clock of the load is the monotonic one, fixed to `began` once, so that a step of the machine's clock does not bend
the load.
"""

import heapq
import json
import math
import os
import random
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

from loadtest.clients import BATCH_BYTES
from loadtest.drive.book import Book, ParentGoneError
from loadtest.drive.connection import Connection, Manners, Resolve
from loadtest.drive.feed import SINGLES_BYTES, Batches, Feed, Singles
from loadtest.drive.layout import Ring
from loadtest.drive.records import ring_of
from loadtest.drive.spec import Spec, Told
from loadtest.journal import JournalWriter
from loadtest.plan import Plan, Source, make_plan
from sluice.client import CONNECTION_USES

JOURNAL_SECONDS: Final = 0.1
CHECK_SECONDS: Final = 0.25
WINDOW: Final = 8
WINDOW_BYTES: Final = 256_000_000
"""What all connections of a process that send batches may have in flight."""
RESOLVED_SECONDS: Final = 10.0
_INPUT: Final = 0
_OUTPUT: Final = 1
_MOST_EVENTS: Final = 1024


class Worker:
    """The sources of one process, from the load's beginning to the end of all of them.

    `clock` is what the monotonic clock shows at the beginning, `control` the descriptor that the parent speaks through.
    Nothing new is sent once `stop` is set.
    """

    def __init__(
        self, connections: list[Connection], book: Book, *, clock: float, control: int, stop: threading.Event
    ) -> None:
        self._connections, self._book, self._clock = connections, book, clock
        self._control, self._stop = control, stop
        self._poll = select.epoll()
        self._poll.register(control, select.EPOLLIN)
        self._by_descriptor: dict[int, Connection] = {}
        self._registered: dict[Connection, tuple[int, int]] = {}
        self._due: list[tuple[float, int, Connection]] = []
        self._order = count()
        self._running = set(connections)

    def run(self) -> None:
        """Return when every source has ended. Raises ParentGoneError."""
        for connection in self._connections:
            self._step(connection, 0)
        next_entry = next_check = self._now()
        stopped = False
        while self._running:
            now = self._now()
            if now >= next_entry:
                self._book.write(behind=max(each.behind(now) for each in self._running))
                next_entry = now + JOURNAL_SECONDS
            if now >= next_check:
                self._check(now)
                next_check = now + CHECK_SECONDS
            if not stopped and self._stop.is_set():
                stopped = True
                self._stop_all(now)
            self._round(until=min(next_entry, next_check))

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()
        self._poll.close()

    def _now(self) -> float:
        return time.monotonic() - self._clock

    def _round(self, *, until: float) -> None:
        """Wait for something to happen or to be due, and do it."""
        first = self._due[0][0] if self._due else math.inf
        timeout = max(0.0, min(first, until) - self._now())
        for descriptor, happened in self._poll.poll(timeout, _MOST_EVENTS):
            if descriptor == self._control:
                if "stop" in heard(self._control):
                    self._stop.set()
            elif connection := self._by_descriptor.get(descriptor):
                self._step(connection, happened)
        now = self._now()
        while self._due and self._due[0][0] <= now:
            at, _, connection = heapq.heappop(self._due)
            if at == connection.scheduled:
                connection.scheduled = math.inf
                self._step(connection, 0)

    def _step(self, connection: Connection, happened: int) -> None:
        connection.step(happened, self._now())
        self._follow(connection)

    def _check(self, now: float) -> None:
        for connection in tuple(self._running):
            connection.check(now)
            self._follow(connection)

    def _stop_all(self, now: float) -> None:
        for connection in tuple(self._running):
            connection.stop(now)
            self._follow(connection)

    def _follow(self, connection: Connection) -> None:
        """See to it that the connection is stepped when it next has to be."""
        descriptor = connection.socket.fileno() if connection.socket is not None else -1
        interest = connection.interest if descriptor >= 0 else 0
        known = self._registered.get(connection, (-1, 0))
        if known != (descriptor, interest):
            self._register(connection, known[0], descriptor, interest)
        if connection.ended:
            self._running.discard(connection)
        wake = connection.wake()
        if wake < connection.scheduled:
            connection.scheduled = wake
            heapq.heappush(self._due, (wake, next(self._order), connection))

    def _register(self, connection: Connection, before: int, descriptor: int, interest: int) -> None:
        # A socket that was closed has left the epoll by itself; its number may be another connection's by now.
        if before >= 0 and before != descriptor and self._by_descriptor.get(before) is connection:
            del self._by_descriptor[before]
        if descriptor < 0:
            self._registered.pop(connection, None)
            return
        try:
            self._poll.modify(descriptor, interest)
        except FileNotFoundError:
            self._poll.register(descriptor, interest)
        self._by_descriptor[descriptor] = connection
        self._registered[connection] = (descriptor, interest)


def heard(control: int) -> dict[str, Any]:
    """What the parent says now. Waits for it. Raises ParentGoneError at the input's end."""
    said = os.read(control, 65_536)
    if not said:
        raise ParentGoneError("ended before its time: the process that started it wanted so, or is gone")
    words: dict[str, Any] = {}
    for line in said.splitlines():
        words |= json.loads(line)
    return words


def tell(line: str) -> None:
    """Say a line to the parent. Raises ParentGoneError when nobody listens."""
    try:
        os.write(_OUTPUT, line.encode() + b"\n")
    except OSError as error:
        raise ParentGoneError("ended before its time: nobody listens to it") from error


def resolver(host: str, port: int) -> Resolve:
    """Any address of a host, looked up again after ten seconds, so that a load balancer's new ones are found.

    Cost: everything waits while a name is looked up.
    """
    known: list[tuple[str, int]] = []
    until = 0.0

    def resolve() -> tuple[str, int]:
        nonlocal known, until
        if time.monotonic() >= until:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            known = [(str(address[0]), port) for *_, address in found]
            until = time.monotonic() + RESOLVED_SECONDS
        return random.choice(known)  # noqa: S311 - no secret

    return resolve


def connections_of(spec: Spec, plan: Plan, rings: dict[str, Ring], book: Book, *, began: float) -> Iterator[Connection]:
    """The process's part of the load."""
    sources = list(spec.sources(plan))
    resolvers = {name: resolver(*address) for name, address in spec.to.items()}
    for source in sources:
        ring = rings[source.load.name]
        yield Connection(
            source,
            _feed(plan, source, ring, began=began, most_bytes=SINGLES_BYTES // len(sources)),
            ring,
            resolve=resolvers[source.load.name],
            manners=_manners(spec, source, window=max(1, min(WINDOW, WINDOW_BYTES // BATCH_BYTES // len(sources)))),
            book=book,
        )


def _feed(plan: Plan, source: Source, ring: Ring, *, began: float, most_bytes: int) -> Feed:
    if source.load.client == "docker":
        return Singles(plan, source, ring, began=began, most_bytes=most_bytes)
    return Batches(plan, source, ring, began=began)


def _manners(spec: Spec, source: Source, *, window: int) -> Manners:
    """Docker waits for each answer and keeps its connection; HTTP asks one thing at a time."""
    return Manners(
        window=1 if source.load.client in {"docker", "otlp"} else window,
        uses=None if source.load.client == "docker" else CONNECTION_USES,
        ack_timeout=spec.ack_timeout,
        give_up_after=spec.give_up_after,
    )


def send(
    spec: Spec, *, begin: Callable[[], float], control: int, tell: Callable[[str], None], stop: threading.Event
) -> None:
    """Send this process's part of a load, and keep its journal. `begin` gives the Unix seconds at which it begins.

    What a source could not do stands in the journal; only what is wrong with the sender itself is raised.
    """
    plan = make_plan(spec.profile, run=spec.run)
    loads = {source.load.name: source.load for source in spec.sources(plan)}
    rings = {name: ring_of(plan, load) for name, load in loads.items()}
    tell(Told().model_dump_json())
    began = begin()
    with JournalWriter(spec.folder, run=plan.run, process=spec.process, began=began) as journal:
        book = Book(journal, tell=tell)
        connections = list(connections_of(spec, plan, rings, book, began=began))
        clock = time.monotonic() + began - time.time()
        worker = Worker(connections, book, clock=clock, control=control, stop=stop)
        try:
            worker.run()
        except ParentGoneError as gone:
            book.fail(str(gone))
        except BaseException as error:
            book.fail(f"sending process {spec.process} failed: {error!r}")
            raise
        finally:
            worker.close()
            book.end()


def main(file: Path) -> None:
    """Send what the spec says."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for who started this
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    send(Spec.from_file(file), begin=lambda: float(heard(_INPUT)["began"]), control=_INPUT, tell=tell, stop=stop)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
