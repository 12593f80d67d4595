"""The service: listeners, what waits, and an end that leaves nobody without an answer.

Memory is bounded: while more than `waiting_bytes` wait for Firehose, nothing is read from anybody, and clients keep
what they have. What waits is counted as lines; beside it there are the messages that are not complete (half as much,
beyond which a connection is ended), one record as objects, and four calls' bodies for each stream.
"""

import asyncio
import functools
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import orjson

from gate.aws import Aws
from gate.chunks import Block, Chunk
from gate.connection import Connection
from gate.counters import Counters, Waiting
from gate.lines import lines_of
from gate.packing import LONGEST_KEY, Put, blocks_of, pieces
from gate.routing import Routing
from gate.settings import Route, Settings
from gate.stream import CALLS, Stream
from gate.wire import Message, WireError

# Under ECS's stopTimeout of 120 s, so that it ends by itself. It ends as soon as all is answered.
GRACE_SECONDS: Final = 100
REPORT_SECONDS: Final = 60
_MOST_THREADS: Final = 32
_BACKLOG: Final = 1024
_LOG_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.02
# What was answered last is still to be written.
_LAST_WORDS_SECONDS: Final = 1.0


class Service:
    """A gate at work. `run` returns after `stop`, when everything is answered or the grace is over."""

    def __init__(self, settings: Settings, aws: Aws) -> None:
        self._settings, self._aws = settings, aws
        self._threads = ThreadPoolExecutor(min(CALLS * len(settings.routes), _MOST_THREADS), "put")
        self.counters = Counters()
        self._routing = Routing([(route.match, self._stream(route)) for route in settings.routes])
        self._connections: set[Connection] = set()
        self._chunks: dict[Chunk, float] = {}
        self._waiting = self._held = 0
        self._is_paused = self._is_ending = False
        self._stopping = asyncio.Event()
        self._said = 0.0

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until told to stop. Raises OSError where a port is taken."""
        loop = asyncio.get_running_loop()
        status = await asyncio.start_server(self._tell, "127.0.0.1", self._settings.status_port)
        servers = [
            await loop.create_server(
                lambda: Connection(self), self._settings.listen, port, backlog=_BACKLOG, reuse_address=True
            )
            for port in self._settings.ports
        ]
        report = loop.create_task(self._report())
        ready()
        await self._stopping.wait()
        for server in servers:
            server.close()
        self._is_ending = True
        for connection in tuple(self._connections):
            connection.end()
        deadline = loop.time() + GRACE_SECONDS
        while self._chunks and loop.time() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        deadline = loop.time() + _LAST_WORDS_SECONDS
        while self._connections and loop.time() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        report.cancel()
        status.close()
        sys.stdout.write(self._line() + "\n")
        sys.stdout.flush()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """Accept and read nothing more; `run` then returns."""
        self._stopping.set()

    def take(self, message: Message, connection: Connection) -> None:
        """Take a message on: its client is answered when every record of it was taken."""
        stream = self._routing.of(message.tag)
        if stream is None:
            if message.answer:
                connection.answer(message.answer)
            return
        route = stream.route
        made = blocks_of(lines_of(message.tag, message.entries), route.form, functools.partial(_key, route))
        if not made:
            if message.answer:
                connection.answer(message.answer)
            return
        lines = sum(len(block) for block, _, _ in made)
        size = sum(size for _, size, _ in made)
        done = functools.partial(self._settled, connection=connection, answer=message.answer)
        chunk = Chunk(pieces=pieces(route.form, len(made), lines), size=size, done=done)
        if message.answer:
            connection.expect(chunk)
        self._chunks[chunk] = time.monotonic()
        self.counters.records += lines
        self.counters.bytes += size
        self._wait(size)
        stream.offer(Block(block, length, chunk, key) for block, length, key in made)

    def joined(self, connection: Connection) -> None:
        """A client has connected."""
        self._connections.add(connection)
        if self._is_paused:
            connection.pause(is_paused=True)
        if self._is_ending:
            connection.end()

    def left(self, connection: Connection) -> None:
        """A client is gone."""
        self._connections.discard(connection)

    def refused(self, why: str) -> None:
        """A connection is ended because of what it sent."""
        self.counters.refused += 1
        self.log(f"a connection is closed: {why}")

    def holds(self, more: int) -> None:
        """Count what is held of messages that are not complete. Raises WireError if it is too much."""
        self._held += more
        if more > 0 and self._held > self._settings.waiting_bytes // 2:
            self._held -= more
            raise WireError("too many messages are incomplete")

    def log(self, text: str) -> None:
        """Say something, once a second at most."""
        if time.monotonic() - self._said > _LOG_SECONDS:
            self._said = time.monotonic()
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def _stream(self, route: Route) -> Stream:
        async def put(puts: list[Put]) -> list[bool]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._aws.put, route.to, route.stream, puts)

        return Stream(route, put=put, counters=self.counters, log=self.log)

    def _settled(self, chunk: Chunk, *, connection: Connection, answer: bytes | None) -> None:
        del self._chunks[chunk]
        self._wait(-chunk.size)
        if answer and chunk.wanted:
            self.counters.acknowledged += 1
            connection.answer(answer, chunk)

    def _wait(self, more: int) -> None:
        self._waiting += more
        most = self._settings.waiting_bytes
        is_paused = self._waiting > (most // 2 if self._is_paused else most)
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            for connection in self._connections:
                connection.pause(is_paused=is_paused or self._is_ending)

    def _status(self) -> Waiting:
        oldest = min(self._chunks.values(), default=time.monotonic())
        return Waiting(
            waiting_bytes=self._waiting + self._held,
            oldest_seconds=round(time.monotonic() - oldest, 3),
            connections=len(self._connections),
            paused=int(self._is_paused),
        )

    def _line(self) -> str:
        return self.counters.line(self._settings.name, waiting=self._status())

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            sys.stdout.write(self._line() + "\n")
            sys.stdout.flush()

    async def _tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer who connects to the status port, which only this container can."""
        writer.write(json.dumps(vars(self._status())).encode() + b"\n")
        writer.close()


def _key(route: Route, line: bytes) -> str:
    """The partition key of an aggregate that begins with this line; empty where it has none."""
    if route.form != "kpl" or not route.key:
        return ""
    value = orjson.loads(line)
    for name in route.key.split("->"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_KEY else ""
