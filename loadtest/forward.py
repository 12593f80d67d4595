"""A client of the Forward protocol that knows what was acknowledged.

Mechanism: one non-blocking socket, driven only inside the caller's calls: no thread. Up to `window` chunks
are in flight; acknowledgements are matched by chunk id, in any order. When the connection breaks, or the
oldest chunk waits longer than `ack_timeout`, the client reconnects with a capped back-off and writes every
unacknowledged chunk again, the same id and the same bytes, until each is acknowledged or one of them is
older than `give_up_after`. Cost: the window is held in memory; a chunk whose acknowledgement was lost
arrives twice (the protocol is at least once).

A chunk without an id is done when its last byte was handed to the kernel: what that means for loss is the
reason to ask for acknowledgements.

Protocol: https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1 ("Response": the server
answers `{"ack": <chunk>}`; a client that gets none may send the chunk again).
"""

import contextlib
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

from loadtest.chunk import Acknowledgements, Chunk

FIRST_BACKOFF_SECONDS = 0.05
RECEIVE_BYTES = 65_536


class UnacknowledgedError(Exception):
    """Chunks that nobody acknowledged in time. They may or may not have arrived."""

    def __init__(self, *, records: int, chunks: int, address: str, seconds: float, cause: str) -> None:
        self.records = records
        self.chunks = chunks
        super().__init__(
            f"{records} records ({chunks} chunks) are unacknowledged by {address} after {seconds:g} s"
            f" ({cause}): they may or may not have arrived; see that the aggregator runs, then send them again"
        )


@dataclass(slots=True)
class _Flight:
    chunk: Chunk
    acknowledged: Callable[[], None]
    started: float
    written: float = 0.0


class ForwardClient:
    """A connection to one forward listener. Not for use by two threads at once.

    `window` is how many chunks may be unacknowledged; 1 waits for each, as Docker's driver does. Times
    are in seconds. `unknown_acks` counts acknowledgements of chunks that were not in flight.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        window: int = 1,
        ack_timeout: float = 10.0,
        give_up_after: float = 60.0,
        max_backoff: float = 5.0,
    ) -> None:
        self.address = f"{host}:{port}"
        self.unknown_acks = 0
        self._host, self._port = host, port
        self._window, self._ack_timeout = window, ack_timeout
        self._give_up_after, self._max_backoff = give_up_after, max_backoff
        self._backoff = FIRST_BACKOFF_SECONDS
        self._socket: socket.socket | None = None
        self._acknowledgements = Acknowledgements()
        self._unwritten: deque[_Flight] = deque()
        self._offset = 0
        self._progress = 0.0
        self._unacked: dict[str, _Flight] = {}

    def connect(self) -> None:
        """Open the connection now. Raises OSError at once when nothing listens; sending would retry."""
        self._socket = self._socket or self._open()

    def send(self, chunk: Chunk, *, acknowledged: Callable[[], None] = lambda: None) -> None:
        """Write a chunk and return when the window has room for another.

        `acknowledged` is called once, when the acknowledgement is read (inside this or a later call).
        Raises UnacknowledgedError when a chunk in flight is older than `give_up_after`.
        """
        now = time.monotonic()
        if not self._unwritten:
            self._progress = now
        self._unwritten.append(_Flight(chunk, acknowledged, now))
        self._drive(lambda: not self._unwritten and len(self._unacked) < self._window)

    def poll(self) -> None:
        """Read the acknowledgements that have arrived, without waiting for more."""
        if self._unacked:
            self._attempt(wait=False)

    def flush(self) -> None:
        """Wait until nothing is in flight. Raises UnacknowledgedError as `send` does."""
        self._drive(lambda: not self._unwritten and not self._unacked)

    def close(self) -> None:
        """Close the connection, whatever is in flight."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.flush()
        finally:
            self.close()

    def _drive(self, done: Callable[[], bool]) -> None:
        while not done():
            self._attempt(wait=True)

    def _attempt(self, *, wait: bool) -> None:
        try:
            self._exchange(wait=wait)
        except OSError as error:
            self._recover(error)

    def _exchange(self, *, wait: bool) -> None:
        """One round of writing and reading: at most one chunk out, whatever acknowledgements are in."""
        self._socket = self._socket or self._open()
        timeout = max(0.0, min(self._ack_due(), self._deadline()) - time.monotonic()) if wait else 0.0
        poller = select.poll()
        poller.register(self._socket, select.POLLIN | (select.POLLOUT if self._unwritten else 0))
        events = poller.poll(timeout * 1000)
        happened = events[0][1] if events else 0
        if happened & ~select.POLLOUT:
            self._read(self._socket)
        if happened & select.POLLOUT and self._unwritten:
            self._write(self._socket)
        if time.monotonic() >= min(self._ack_due(), self._deadline()):
            raise TimeoutError("no acknowledgement in time")

    def _write(self, connection: socket.socket) -> None:
        flight = self._unwritten[0]
        self._offset += connection.send(memoryview(flight.chunk.data)[self._offset :])
        self._progress = flight.written = time.monotonic()
        if self._offset == len(flight.chunk.data):
            self._unwritten.popleft()
            self._offset = 0
            if flight.chunk.id is not None:
                self._unacked[flight.chunk.id] = flight

    def _read(self, connection: socket.socket) -> None:
        received = connection.recv(RECEIVE_BYTES)
        if not received:
            raise ConnectionResetError("the server closed the connection")
        for identity in self._acknowledgements.read(received):
            flight = self._unacked.pop(identity, None)
            if flight is None:
                self.unknown_acks += 1
                continue
            self._backoff = FIRST_BACKOFF_SECONDS
            flight.acknowledged()

    def _recover(self, error: OSError) -> None:
        """Forget the connection, put what is unacknowledged back in order, and wait before another try."""
        self.close()
        self._unwritten.extendleft(reversed(self._unacked.values()))
        self._unacked.clear()
        self._offset = 0
        remaining = self._deadline() - time.monotonic()
        if remaining <= 0:
            raise self._unacknowledged(error) from error
        time.sleep(min(self._backoff, remaining))
        self._backoff = min(self._backoff * 2, self._max_backoff)
        self._progress = time.monotonic()

    def _unacknowledged(self, cause: OSError) -> UnacknowledgedError:
        flights = [*self._unwritten]
        return UnacknowledgedError(
            records=sum(flight.chunk.records for flight in flights),
            chunks=len(flights),
            address=self.address,
            seconds=self._give_up_after,
            cause=str(cause) or type(cause).__name__,
        )

    def _oldest(self) -> _Flight | None:
        """The chunk that was sent first: resends keep the order, so it is the head of one of the two."""
        return next(iter(self._unacked.values()), self._unwritten[0] if self._unwritten else None)

    def _deadline(self) -> float:
        oldest = self._oldest()
        return oldest.started + self._give_up_after if oldest else float("inf")

    def _ack_due(self) -> float:
        """When silence becomes a fault: of the oldest written chunk, or of a write that makes no progress."""
        since = [flight.written for flight in islice(self._unacked.values(), 1)]
        if self._unwritten:
            since.append(self._progress)
        return min(since) + self._ack_timeout if since else float("inf")

    def _open(self) -> socket.socket:
        connection = socket.create_connection((self._host, self._port), timeout=self._ack_timeout)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self._acknowledgements = Acknowledgements()
        self._progress = time.monotonic()
        return connection
