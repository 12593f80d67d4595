"""The process behind `counting`: PutRecord and PutRecordBatch over TLS, answered at once and counted.

Mechanism: one thread per connection reads a call whole, refuses what Firehose refuses, decodes it, writes its markers
to a file and adds to counters that lie in a file mapped into memory, where whoever started this reads them while it
runs, and sets the byte that blocks it. Cost: 0.4 of a core at 100 MB/s of records, TLS and base64 included; a thread
and a call's bytes, three times, for each connection.

Usage: `python -m local.firehose.counting_worker LISTENING_SOCKET FOLDER CHAIN_FILE KEY_FILE none|markers`
"""

import contextlib
import mmap
import os
import re
import socket
import ssl
import struct
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from threading import Lock, Thread
from typing import Final

import orjson
import pybase64

from loadtest import marker
from local.firehose.errors import ApiError, service_unavailable
from local.firehose.limits import BYTES_PER_CALL
from local.firehose.sources.direct_put import check_limits
from local.firehose.wire import CONTENT_TYPE, TARGET_PREFIX, Request, Response

BOARD: Final = struct.Struct("=QQQQQ")
"""Calls, refused calls, records, bytes and lines; the byte behind them blocks."""
BOARD_FILE: Final = "counts"
BLOCK: Final = struct.Struct("=dHI")
"""What stands before a block of markers: when its call was answered, and the bytes of its stream's name and markers."""
SEGMENT_BYTES: Final = 16 * 1024 * 1024

_BODY_BYTES: Final = 2 * BYTES_PER_CALL
_HEAD_BYTES: Final = 64 * 1024
_HEADER: Final = re.compile(rb"\r\n([^:\r\n]+):[ \t]*([^\r\n]*)")
_MARKERS: Final = re.compile(rb"%s[a-p]{%d}" % (marker.HEAD, marker.LENGTH - len(marker.HEAD)))
_LONG_BYTES: Final = 256
_NAME: Final = uuid.uuid4().hex  # no base64 that a client sends
_REASONS: Final = {200: b"OK", 400: b"Bad Request", 503: b"Service Unavailable"}


def segment(folder: Path, number: int) -> Path:
    """Where the markers of that segment are; the one after is begun when one is full."""
    return folder / f"taken-{number:08d}"


class Board:
    """The counters, seen by both processes."""

    def __init__(self, folder: Path) -> None:
        file = folder / BOARD_FILE
        if not file.exists():
            file.write_bytes(bytes(BOARD.size + 1))
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), BOARD.size + 1)
        self._lock = Lock()

    @property
    def blocked(self) -> bool:
        """Whether every call is to be throttled."""
        return self._memory[BOARD.size] != 0

    @blocked.setter
    def blocked(self, blocked: bool) -> None:
        self._memory[BOARD.size] = blocked

    def add(self, *amounts: int) -> None:
        """Add to the counters, in their order."""
        with self._lock:
            sums = (old + new for old, new in zip(self.read(), amounts, strict=True))
            self._memory[: BOARD.size] = BOARD.pack(*sums)

    def read(self) -> tuple[int, ...]:
        """The counters. A call that is being added may be in some of them only."""
        return BOARD.unpack_from(self._memory)


class Markers:
    """The markers of what was taken, a block for each call, in segments that the reader deletes."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, Lock()
        self._number, self._size = 0, 0
        self._file = segment(folder, 0).open("ab", buffering=0)

    def write(self, stream: str, records: list[bytes]) -> None:
        """Write those of one call."""
        found = b"\n".join([each for data in records for each in _MARKERS.findall(data)])
        if not found:
            return
        name = stream.encode()
        with self._lock:
            if self._size >= SEGMENT_BYTES:
                self._file.close()
                self._number, self._size = self._number + 1, 0
                self._file = segment(self._folder, self._number).open("ab", buffering=0)
            self._size += self._file.write(BLOCK.pack(time.time(), len(name), len(found)) + name + found)


class Counter:
    """What answers calls."""

    def __init__(self, board: Board, markers: Markers | None) -> None:
        self._board, self._markers = board, markers

    def answer(self, target: str, body: bytes | memoryview) -> Response:
        """The answer to one call; what it counts and writes is done before."""
        try:
            if self._board.blocked:
                raise service_unavailable()
            return Response(200, orjson.dumps(self._put(target, body)))
        except ApiError as error:
            self._board.add(0, 1, 0, 0, 0)
            return Response(error.status, orjson.dumps({"__type": error.code, "message": error.message}))

    def _put(self, target: str, body: bytes | memoryview) -> object:
        operation = target.removeprefix(TARGET_PREFIX)
        if operation not in ("PutRecord", "PutRecordBatch"):
            raise ApiError("UnknownOperationException", f"The operation {target!r} is not counted.")
        try:
            request, long = parse(bytes(body))
            batch = operation == "PutRecordBatch"
            records = [decode(each["Data"], long) for each in (request["Records"] if batch else [request["Record"]])]
            stream = str(request["DeliveryStreamName"])
        except (ValueError, KeyError, TypeError) as error:
            raise ApiError("SerializationException", f"The body is not a put: {error!r}") from error
        check_limits(records)
        if self._markers is not None:
            self._markers.write(stream, records)
        size, lines = sum(map(len, records)), sum(data.count(b"\n") for data in records)
        self._board.add(1, 0, len(records), size, lines)
        call = uuid.uuid4().hex
        ids = [{"RecordId": f"{call}-{at}"} for at in range(len(records))]
        return (
            {"FailedPutCount": 0, "Encrypted": False, "RequestResponses": ids}
            if batch
            else {**ids[0], "Encrypted": False}
        )


def parse(body: bytes) -> tuple[Request, Mapping[str, bytes]]:
    """A JSON document with short names in the place of its long strings, and these by their names.

    A parser makes characters of every byte of a string, which for a full call takes longer than all the rest. Raises
    ValueError for what is not JSON.
    """
    parts = body.split(b'"')
    long: dict[str, bytes] = {}
    if b"\\" not in body:  # then the strings are every other part
        for at in range(1, len(parts), 2):
            if len(parts[at]) > _LONG_BYTES:
                name = f"{_NAME}{at}"
                long[name], parts[at] = parts[at], name.encode()
    return orjson.loads(b'"'.join(parts)), long


def decode(data: str, long: Mapping[str, bytes]) -> bytes:
    """A record's bytes. Raises ValueError for what is not base64."""
    return pybase64.b64decode(long.get(data, data), validate=True)


def converse(connection: ssl.SSLSocket, counter: Counter) -> None:
    """Answer the calls of one connection until it ends."""
    room = bytearray(_HEAD_BYTES + _BODY_BYTES)
    view, filled = memoryview(room), 0
    while True:
        while (end := room.find(b"\r\n\r\n", 0, filled)) < 0:
            if filled >= _HEAD_BYTES or not (got := connection.recv_into(view[filled:])):
                return
            filled += got
        headers = {name.lower(): value for name, value in _HEADER.findall(bytes(room[: end + 2]))}
        begin = end + 4
        whole = begin + int(headers.get(b"content-length", b"0"))
        if whole > len(room):
            return
        while filled < whole:
            got = connection.recv_into(view[filled:])
            if not got:
                return
            filled += got
        answer = counter.answer(headers.get(b"x-amz-target", b"").decode("latin-1"), view[begin:whole])
        connection.sendall(_written(answer))
        room[: filled - whole] = room[whole:filled]
        filled -= whole


def _written(answer: Response) -> bytes:
    head = b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nx-amzn-RequestId: counting\r\n\r\n"
    return head % (answer.status, _REASONS[answer.status], CONTENT_TYPE.encode(), len(answer.body)) + answer.body


def main(arguments: list[str]) -> None:
    """Serve until standard input ends: with whoever holds its other end, however that ends."""
    descriptor, folder, chain, key, handed_over = arguments
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    markers = Markers(Path(folder)) if handed_over == "markers" else None
    counter = Counter(Board(Path(folder)), markers)
    Thread(target=_accept, args=(int(descriptor), context, counter), daemon=True).start()
    sys.stdin.buffer.read()


def _accept(descriptor: int, context: ssl.SSLContext, counter: Counter) -> None:
    with socket.socket(fileno=descriptor) as listening:
        while True:
            plain, _ = listening.accept()
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=_serve, args=(plain, context, counter), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, counter: Counter) -> None:
    with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as connection:
        converse(connection, counter)


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # threads wait for clients
