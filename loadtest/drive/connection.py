"""One connection of a load: sends what is due, awaits acknowledgements, and never loses what it holds.

Mechanism: a non-blocking socket that its owner steps when something can happen to it. When the connection breaks, or
the oldest chunk waits longer than `ack_timeout`, it reconnects after a back-off that doubles, up to five seconds, and
sends every unacknowledged chunk again, the same id and the same bytes, until one is older than `give_up_after`: then
the source has ended, with an error. The same rules as loadtest.forward, for thousands of connections in one thread.

Cost: the window is held in memory.
"""

import errno
import math
import os
import random
import select
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from loadtest.chunk import Acknowledgements
from loadtest.drive.answers import HttpAnswers
from loadtest.drive.book import Book
from loadtest.drive.feed import Feed, Flight
from loadtest.drive.layout import Ring
from loadtest.forward import FIRST_BACKOFF_SECONDS, RECEIVE_BYTES
from loadtest.plan import Source

MAX_BACKOFF_SECONDS: Final = 5.0

Resolve = Callable[[], tuple[str, int]]


class Answers(Protocol):
    """What reads the server's side."""

    def read(self, received: bytes) -> list[str]:
        """The ids that are acknowledged. Raises ConnectionError at what is no acknowledgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a kind of client keeps its connection.

    `window` is how many chunks may be unacknowledged; `uses` after how many it opens another connection, None: never.
    """

    window: int
    uses: int | None
    ack_timeout: float
    give_up_after: float


class Connection:
    """One source on the wire. `resolve` gives an address to connect to; times are seconds since the load began."""

    def __init__(
        self, source: Source, feed: Feed, ring: Ring, *, resolve: Resolve, manners: Manners, book: Book
    ) -> None:
        self.source, self.feed = source, feed
        self.socket: socket.socket | None = None
        self.ended = False
        self.scheduled = math.inf
        self._ring, self._resolve, self._manners, self._book = ring, resolve, manners, book
        self._new_answers = HttpAnswers if source.load.client == "otlp" else Acknowledgements
        self._answers: Answers = self._new_answers()
        self._unwritten: deque[Flight] = deque()
        self._unacked: dict[str, Flight] = {}
        self._offset = self._uses = 0
        self._connected = self._stopping = False
        self._backoff = FIRST_BACKOFF_SECONDS
        self._retry_at = 0.0
        self._progress = 0.0
        self._down_since = 0.0
        self._cause = "no connection yet"

    @property
    def interest(self) -> int:
        """What to wait for, as epoll says it."""
        writing = not self._connected or bool(self._unwritten and not self._draining)
        return select.EPOLLIN | (select.EPOLLOUT if writing else 0)

    def wake(self) -> float:
        """When it must be stepped even if nothing happens to its socket; faults are looked for by `check`."""
        if self.ended:
            return math.inf
        if self.socket is None:
            return self._retry_at
        held_up = self._unwritten or self._in_flight >= self._manners.window or self._draining
        if held_up or self._stopping or not self._connected:
            return math.inf
        return self.feed.wake

    def behind(self, now: float) -> float:
        """By how many seconds the next message is late."""
        return 0.0 if self.ended or self._stopping else max(0.0, now - self.feed.wake)

    def stop(self, now: float) -> None:
        """Send nothing new."""
        self._stopping = True
        self.step(0, now)

    def step(self, happened: int, now: float) -> None:
        """Do all that can be done without waiting."""
        if self.ended:
            return
        try:
            if self.socket is None:
                if now >= self._retry_at and not self._is_done():
                    self._connect(now)
            elif not self._connected:
                self._finish_connecting(happened, now)
            if self.socket is not None and self._connected:
                self._exchange(self.socket, happened, now)
        except OSError as error:
            self._break(error, now)
        if self._is_done():
            self.close()
            self.ended = True

    def check(self, now: float) -> None:
        """Look for what has taken too long: an acknowledgement, a write, a connection, or all of it."""
        if self.ended:
            return
        if now > self._deadline():
            self._give_up()
        elif self.socket is not None and now > self._silent_since() + self._manners.ack_timeout:
            self._break(TimeoutError("no acknowledgement in time"), now)

    def close(self) -> None:
        """Close the socket, whatever is in flight."""
        if self.socket is not None:
            self.socket.close()
        self.socket, self._connected = None, False

    @property
    def _in_flight(self) -> int:
        return len(self._unwritten) + len(self._unacked)

    @property
    def _draining(self) -> bool:
        """Whether this connection has had its uses: a chunk that was begun is still finished."""
        return self._manners.uses is not None and self._uses >= self._manners.uses and not self._offset

    def _is_done(self) -> bool:
        return not self._in_flight and (self._stopping or self.feed.wake == math.inf)

    def _connect(self, now: float) -> None:
        self._down_since = min(self._down_since, now)
        family_address = self._resolve()
        self.socket = socket.socket(socket.AF_INET6 if ":" in family_address[0] else socket.AF_INET)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._new_answers()
        self._offset = self._uses = 0
        self._progress = now
        status = self.socket.connect_ex(family_address)
        if status not in (0, errno.EINPROGRESS):
            raise OSError(status, os.strerror(status))

    def _finish_connecting(self, happened: int, now: float) -> None:
        assert self.socket is not None  # noqa: S101 - looked at by the caller
        if not happened:
            return
        status = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if status:
            raise OSError(status, os.strerror(status))
        self._connected = True
        self._progress = now

    def _exchange(self, connection: socket.socket, happened: int, now: float) -> None:
        """One round: read what there is, make what there is room for, write what the kernel takes."""
        if happened & ~select.EPOLLOUT:
            self._read(connection)
        for _ in range(self._manners.window):
            if self._draining or not (self._unwritten or self._fill(now)) or not self._write(connection, now):
                break
        if self._draining and not self._unacked:
            self.close()
            self._retry_at = now
            self._down_since = now

    def _fill(self, now: float) -> bool:
        """Make the next chunk, if one is due and there is room."""
        if self._stopping or self._in_flight >= self._manners.window:
            return False
        flight = self.feed.take(now)
        if flight is None:
            return False
        flight.started = now
        self._progress = now
        self._unwritten.append(flight)
        return True

    def _write(self, connection: socket.socket, now: float) -> bool:
        """Write of the first chunk what the kernel takes; whether that was all of it."""
        flight = self._unwritten[0]
        if not flight.told:
            flight.told = True
            number = self.source.number
            size = self._ring.text_bytes(number, flight.first, flight.end)
            self._book.sent(number, first=flight.first, end=flight.end, text_bytes=size)
        try:
            self._offset += connection.send(memoryview(flight.data)[self._offset :])
        except BlockingIOError:
            return False
        self._progress = flight.written = now
        if self._offset < len(flight.data):
            return False
        self._unwritten.popleft()
        self._offset = 0
        self._uses += 1
        if flight.id is not None:
            self._unacked[flight.id] = flight
        else:
            self._backoff = FIRST_BACKOFF_SECONDS
            self._down_since = math.inf
        return True

    def _read(self, connection: socket.socket) -> None:
        try:
            received = connection.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        if not received:
            raise ConnectionResetError("the server closed the connection")
        for identity in self._answers.read(received):
            flight = self._unacked.pop(identity, None)
            if flight is None:
                continue
            self._backoff = FIRST_BACKOFF_SECONDS
            self._down_since = math.inf
            self._book.acknowledged(self.source.number, first=flight.first, end=flight.end)

    def _break(self, error: OSError, now: float) -> None:
        """Leave the connection; what is unacknowledged goes first on the next."""
        self.close()
        self._cause = str(error) or type(error).__name__
        self._unwritten.extendleft(reversed(self._unacked.values()))
        self._unacked.clear()
        # Connections that broke together do not come back together.
        self._retry_at = now + self._backoff * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._backoff = min(self._backoff * 2, MAX_BACKOFF_SECONDS)
        self._down_since = min(self._down_since, now)

    def _oldest(self) -> Flight | None:
        return next(iter(self._unacked.values()), self._unwritten[0] if self._unwritten else None)

    def _deadline(self) -> float:
        """When to give up: after the oldest chunk, or, where none could be made, after the connection was lost."""
        oldest = self._oldest()
        if oldest is not None:
            return oldest.started + self._manners.give_up_after
        if self._connected or self._stopping:
            return math.inf
        return max(self.feed.wake, self._down_since) + self._manners.give_up_after

    def _silent_since(self) -> float:
        """Since when nothing happens that should; infinity when nothing should."""
        if not self._connected:
            return self._progress
        waiting = [flight.written for flight in self._unacked.values()][:1]
        return min([*waiting, *([self._progress] if self._unwritten else [])], default=math.inf)

    def _give_up(self) -> None:
        records = sum(flight.end - flight.first for flight in (*self._unacked.values(), *self._unwritten))
        self._book.fail(
            f"{self.source.load.name}, source {self.source.number}: gave up after"
            f" {self._manners.give_up_after:g} s ({self._cause}): {records} messages in {self._in_flight} chunks are"
            " unacknowledged, they may or may not have arrived; see that the target runs"
        )
        self.close()
        self.ended = True
