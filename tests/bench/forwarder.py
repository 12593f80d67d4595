"""What sends in the aggregator's bench: messages made beforehand, sent as fast as they are acknowledged, or at a rate.

Sending must cost little beside what is measured. So eight forward messages are encoded once and sent over and over;
the acknowledgements are counted, not looked at.
"""

import selectors
import socket
import struct
import time
from dataclasses import dataclass, field

import msgpack

WINDOW = 4  # forward messages under way on a connection; a Docker daemon waits for each
FIRELENS = {
    "container_id": "c" * 64,
    "container_name": "/ecs-orders-12-app-aabbccddeeff",
    "source": "stdout",
    "ecs_cluster": "production",
    "ecs_task_arn": "arn:aws:ecs:eu-west-1:123456789012:task/production/0123456789abcdef0123456789abcdef",
    "ecs_task_definition": "orders:12",
}
DOCKER = {key: FIRELENS[key] for key in ("container_id", "container_name", "source")}
_LINE = (
    '10.1.2.3 - - [10/Oct/2026:13:55:36 +0000] "GET /api/v1/orders?id={number} HTTP/1.1" 200 2326 '
    '"https://example.com/start" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36" '
)
_FILLING = "lorem ipsum dolor sit amet "
_ENDED = "the aggregator ended a connection"


@dataclass(frozen=True)
class Shape:
    """How clients send: records to a forward message (1: one by one, as Docker's driver), and bytes of a text."""

    records: int
    text_bytes: int

    @property
    def is_docker(self) -> bool:
        """Whether it is Docker's driver that sends so."""
        return self.records == 1

    def messages(self, tag: str) -> list[bytes]:
        """Forward messages that ask for acknowledgements."""
        count = 64 if self.is_docker else 8
        return [self._message(tag, number * self.records) for number in range(count)]

    def _message(self, tag: str, first: int) -> bytes:
        option = {"chunk": f"bench-{first}"}
        if self.is_docker:
            return bytes(msgpack.packb([tag, _time(first), {**DOCKER, "log": self._text(first)}, option]))
        records = range(first, first + self.records)
        entries = b"".join(msgpack.packb([_time(each), {**FIRELENS, "log": self._text(each)}]) for each in records)
        return bytes(msgpack.packb([tag, entries, {**option, "size": self.records}]))

    def _text(self, number: int) -> str:
        line = _LINE.format(number=number)
        return (line + _FILLING * (self.text_bytes // len(_FILLING) + 1))[: self.text_bytes]


def _time(number: int) -> msgpack.ExtType:
    return msgpack.ExtType(0, struct.pack(">II", 1_700_000_000 + number // 1000, number % 1000 * 1_000_000))


@dataclass
class Connection:
    """One client's connection."""

    socket: socket.socket
    window: int
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    under_way: int = 0


class Forwarder:
    """Some connections to a port of this machine; a context manager."""

    def __init__(self, port: int, shape: Shape, *, tag: str, connections: int) -> None:
        self._shape, self._messages = shape, shape.messages(tag)
        window = 1 if shape.is_docker else WINDOW
        self._connections = [
            Connection(socket.create_connection(("127.0.0.1", port)), window) for _ in range(connections)
        ]
        self._selector = selectors.DefaultSelector()
        for each in self._connections:
            each.socket.setblocking(False)
            self._selector.register(each.socket, selectors.EVENT_READ, each)

    def __enter__(self) -> "Forwarder":
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for each in self._connections:
            each.socket.close()

    def send(self, records: int, *, rate: float | None = None, give_up_after: float = 600.0) -> int:
        """Send so many records and wait until they are acknowledged; how many were.

        `rate` is in records a second, None: as fast as they are acknowledged. It is fewer only where a connection
        ended, or nothing was acknowledged for so many seconds: the aggregator holds back.
        """
        wanted = records // self._shape.records
        sent = acknowledged = 0
        began = progress = time.monotonic()
        while acknowledged < wanted and time.monotonic() - progress < give_up_after:
            elapsed = time.monotonic() - began
            due = wanted if rate is None else min(wanted, int(elapsed * rate / self._shape.records) + 1)
            self._watch(may_begin=sent < due)
            for key, events in self._selector.select(0.005):
                each: Connection = key.data
                try:
                    if events & selectors.EVENT_READ:
                        acknowledged += self._read(each)
                        progress = time.monotonic()
                    if events & selectors.EVENT_WRITE:
                        sent += self._write(each, sent, begin=sent < due)
                except OSError:
                    return acknowledged * self._shape.records
        return acknowledged * self._shape.records

    def _watch(self, *, may_begin: bool) -> None:
        for each in self._connections:
            writes = each.unsent or (may_begin and each.under_way < each.window)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writes else 0)
            if self._selector.get_key(each.socket).events != events:
                self._selector.modify(each.socket, events, each)

    def _read(self, connection: Connection) -> int:
        answers = connection.socket.recv(1 << 16).count(b"\xa3ack")
        if not answers:
            raise ConnectionError(_ENDED)
        connection.under_way -= answers
        return answers

    def _write(self, connection: Connection, sent: int, *, begin: bool) -> int:
        begins = begin and not connection.unsent and connection.under_way < connection.window
        if begins:
            connection.unsent = memoryview(self._messages[sent % len(self._messages)])
            connection.under_way += 1
        connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        return int(begins)
