"""What one connection has to send: which of its messages are due, and the chunks that it makes of them.

Mechanism: nothing is made before it is due and there is room for it, so that a target that stalls costs the memory of
the window and no more. Docker's driver sends each message by itself; the others send batches, once a second or when a
batch is full, as Fluent Bit does.

Cost: a batch is made in some 100 us and 0.1 us for each message; single messages are made some dozens at a time.
"""

import base64
import gzip
import math
import os
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

import msgpack  # type: ignore[import-untyped]  # the library ships no types
import numpy as np
from numpy.typing import NDArray

from loadtest.chunk import CHUNK_ID_BYTES
from loadtest.clients import BATCH_BYTES, FLUSH_SECONDS
from loadtest.drive.layout import NANOSECONDS, Ring
from loadtest.drive.records import Names, otlp_frame
from loadtest.drive.schedule import due_times
from loadtest.plan import Plan, Source

SINGLES_BYTES: Final = 32_000_000
"""What all connections of a process that send single messages may hold ready."""
_MOST_SINGLES: Final = 32
_ENTRY_ARRAY_BYTES: Final = 1
_COMMA: Final = 1
_PHASES: Final = 1000


@dataclass(slots=True, eq=False)
class Flight:
    """A chunk as it is sent, and sent again: messages `first` to before `end`. Times are the connection's clock.

    `id` is what it is acknowledged by: None when it is done with its last byte.
    """

    first: int
    end: int
    data: bytes | bytearray
    id: str | None
    started: float = 0.0
    written: float = 0.0
    told: bool = False


class Feed(Protocol):
    """What a connection asks for things to send. Times are in seconds since the load began."""

    @property
    def next(self) -> int:
        """The message that comes next."""

    @property
    def wake(self) -> float:
        """When there will be something to send; infinity when nothing is left."""

    def take(self, now: float) -> Flight | None:
        """The next chunk, if one is due."""


class Clock:
    """When a source's messages are due: since the load's beginning, and in Unix nanoseconds."""

    def __init__(self, source: Source, *, seconds: float, began: float) -> None:
        self._source, self._seconds = source, seconds
        self._began = round(began * NANOSECONDS)

    def elapsed(self, first: int, end: int) -> NDArray[np.int64]:
        """Nanoseconds since the beginning."""
        return due_times(self._source, first, end, seconds=self._seconds)

    def unix(self, elapsed: NDArray[np.int64]) -> NDArray[np.int64]:
        """Unix nanoseconds."""
        return elapsed + self._began


class Batches:
    """A source that sends many messages at once: PackedForward, or a request of OTLP's."""

    def __init__(self, plan: Plan, source: Source, ring: Ring, *, began: float) -> None:
        self.next = 0
        self.wake = math.inf
        self._source, self._ring = source, ring
        self._count = plan.count(source)
        self._clock = Clock(source, seconds=plan.profile.seconds, began=began)
        # Sidecars do not flush all at the same moment.
        self._phase = FLUSH_SECONDS * ((source.number * 617 + 50) % _PHASES) / _PHASES
        self._encode = _Otlp(plan, source) if source.load.client == "otlp" else _Packed(source)
        self._look()

    def take(self, now: float) -> Flight | None:
        """What is due, up to a full batch; None before it is time to flush."""
        if now < self.wake:
            return None
        first = self.next
        due = self._due[: np.searchsorted(self._due, int(now * NANOSECONDS), side="right")]
        self.next = first + len(due)
        body = self._ring.write(self._source.number, first, self._clock.unix(due), head=self._encode.head)
        self._look()
        return self._encode.flight(first, self.next, body)

    def _look(self) -> None:
        """Find the next batch, and when it goes: when it is full, or at the flush after its first message is due."""
        if self.next >= self._count:
            self.wake = math.inf
            return
        full = self._ring.reach(self._source.number, self.next, most_bytes=BATCH_BYTES)
        end = min(full, self._count)
        self._due = self._clock.elapsed(self.next, end)
        oldest = int(self._due[0]) / NANOSECONDS
        flushes = math.ceil((oldest - self._phase) / FLUSH_SECONDS) * FLUSH_SECONDS + self._phase
        filled = int(self._due[-1]) / NANOSECONDS if full <= self._count else math.inf
        # The time at which something is due is rounded up, so that it is due by then in whole nanoseconds too.
        self.wake = max(min(flushes, filled), oldest) + 1e-9


class Singles:
    """A source that sends each message by itself, as Docker's driver does in Message mode.

    `most_bytes` is what it may hold ready.
    """

    def __init__(self, plan: Plan, source: Source, ring: Ring, *, began: float, most_bytes: int) -> None:
        self.next = 0
        self._source, self._ring, self._most_bytes = source, ring, most_bytes
        self._count = plan.count(source)
        self._clock = Clock(source, seconds=plan.profile.seconds, began=began)
        self._head = b"\x94" + _pack(source.load.tag)
        self._ready: deque[tuple[float, bytes]] = deque()
        self._look()

    @property
    def wake(self) -> float:
        """When the next message is due."""
        return self._ready[0][0] if self._ready else math.inf

    def take(self, now: float) -> Flight | None:
        """The next message, if it is due."""
        if now < self.wake:
            return None
        entry = self._ready.popleft()[1]
        identity = _new_id() if self._source.load.ack else None
        option = {"chunk": identity} if identity else {}
        flight = Flight(self.next, self.next + 1, b"".join((self._head, entry, _pack(option))), identity)
        self.next += 1
        self._look()
        return flight

    def _look(self) -> None:
        if self._ready or self.next >= self._count:
            return
        source, first = self._source.number, self.next
        reach = self._ring.reach(source, first, most_bytes=self._most_bytes)
        end = min(reach, self._count, first + _MOST_SINGLES)
        elapsed = self._clock.elapsed(first, end)
        data = memoryview(self._ring.write(source, first, self._clock.unix(elapsed)))
        bounds = self._ring.bounds(source, first, end)
        for at, start, stop in zip((elapsed / NANOSECONDS).tolist(), bounds, bounds[1:], strict=False):
            # An entry is [time, record]; here both stand in the message's own array.
            self._ready.append((at, bytes(data[start + _ENTRY_ARRAY_BYTES : stop])))


class _Packed:
    """`[tag, entries, option]`, as out_forward writes it, gzipped when the load says so."""

    def __init__(self, source: Source) -> None:
        self._load = source.load
        self._tag = b"\x93" + _pack(source.load.tag)
        # A body that is not compressed follows its head without being copied: bin 32, the length filled in after.
        self.head = b"" if source.load.compress else self._tag + b"\xc6\x00\x00\x00\x00"

    def flight(self, first: int, end: int, data: bytearray) -> Flight:
        option: dict[str, str | int] = {"size": end - first}
        identity = _new_id() if self._load.ack else None
        if identity:
            option["chunk"] = identity
        if self._load.compress:
            option["compressed"] = "gzip"
            packed = self._tag + _pack(gzip.compress(data, compresslevel=1, mtime=0)) + _pack(option)
            return Flight(first, end, packed, identity)
        data[len(self.head) - 4 : len(self.head)] = (len(data) - len(self.head)).to_bytes(4, "big")
        data += _pack(option)
        return Flight(first, end, data, identity)


class _Otlp:
    """`POST /v1/logs` with JSON, gzipped when the load says so. https://opentelemetry.io/docs/specs/otlp/#otlphttp."""

    def __init__(self, plan: Plan, source: Source) -> None:
        self._compress = source.load.compress
        self.head, self._after = otlp_frame(Names.of(plan, source.load).numbered(source.number))

    def flight(self, first: int, end: int, data: bytearray) -> Flight:
        data[-_COMMA:] = self._after
        body = gzip.compress(data, compresslevel=1, mtime=0) if self._compress else bytes(data)
        encoding = "Content-Encoding: gzip\r\n" if self._compress else ""
        head = (
            "POST /v1/logs HTTP/1.1\r\nHost: collector\r\nUser-Agent: sluice-loadtest\r\n"
            f"Content-Type: application/json\r\n{encoding}Content-Length: {len(body)}\r\n\r\n"
        )
        return Flight(first, end, head.encode("ascii") + body, "")


def _new_id() -> str:
    return base64.b64encode(os.urandom(CHUNK_ID_BYTES)).decode("ascii")


def _pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed
