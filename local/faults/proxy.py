"""A network that can be made slow, dead or treacherous: a TCP proxy on loopback.

It is here because `tc … netem` wants a kernel module and root. What it cannot do is lose or swap single packets: TCP
would mend that, and what is seen of it is the delay, which it can do.

Mechanism: one thread with an event loop; each connection has two pumps, one for each direction. What a pump reads waits
in line until it is due, which it is at once while there is nothing wrong. A line holds no more than a window of TCP's
does, so a slow link presses back as a real one. A change of the link changes what waits in line, too. Cost: some 3 ms
of CPU for each MB.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

Address = tuple[str, int]
Fate = Literal["pass", "dead", "swallow", "cut"]

T = TypeVar("T")

HOST: Final = "127.0.0.1"
SWALLOW_SECONDS: Final = 0.3
_READ_BYTES: Final = 65_536
# As much as TCP has under way on a usual connection.
_WINDOW_BYTES: Final = 131_072
_PIECE_BYTES: Final = 4_096
# A link that was not used has no credit for it.
_LATE_SECONDS: Final = 0.05
_CALL_SECONDS: Final = 10
_SECONDS_TO_CONNECT: Final = 5


@dataclass(frozen=True, kw_only=True)
class Link:
    """What the network is like, for every connection and in both directions.

    Args:
        delay_seconds: how much later everything arrives.
        jitter_seconds: up to how much later still, by chance; the order stays.
        bytes_per_second: how much each direction of a connection carries; None: anything.
        fate: what becomes of what is sent. `pass`: it arrives. `dead`: nothing passes, either way, and no connection
            ends; afterwards it goes on where it stopped. `swallow`: what clients send is taken and thrown away, and
            the connection is closed soon after. `cut`: it arrives, and the connection is closed when the first byte of
            an answer comes, which the client does not get.
    """

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    bytes_per_second: float | None = None
    fate: Fate = "pass"

    def due(self, came: float, by_chance: float, free: float, size: int) -> float:
        """When a piece has passed, that came at a time and found the link free at another; `by_chance` is below 1."""
        arrives = came + self.delay_seconds + by_chance * self.jitter_seconds
        return max(arrives, free + self.seconds_for(size))

    def seconds_for(self, size: int) -> float:
        """How long so many bytes take."""
        return 0.0 if self.bytes_per_second is None else size / self.bytes_per_second


GOOD: Final = Link()


class Proxy:
    """Listens at an address for each that it leads to. Use as a context manager; safe for threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._link = GOOD
        self._changed = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.hit = 0
        """How many connections were swallowed, cut or reset so far."""
        self.pending = 0
        """How many bytes are under way."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lead_to(self, address: Address) -> Address:
        """Listen at a new address, and pass on to this one what comes there."""
        return self._call(self._listen(address))

    @property
    def link(self) -> Link:
        """What it is like now."""
        return self._link

    @property
    def connections(self) -> int:
        """How many connections there are now."""
        return len(self._connections)

    def become(self, link: Link) -> None:
        """Be like that from now on, for old connections and new ones."""
        self._call(self._set(link))

    def reset(self) -> int:
        """End every connection by RST, on both sides; how many these were."""
        return self._call(self._reset())

    def _call(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(_CALL_SECONDS)

    async def _listen(self, address: Address) -> Address:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - asyncio runs this in a task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            with suppress(OSError, asyncio.CancelledError):
                await self._serve(reader, writer, address)

        server = await asyncio.start_server(serve, HOST, 0, limit=_READ_BYTES)
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()
        return host, port

    async def _set(self, link: Link) -> None:
        self._link = link
        self._changed.set()
        self._changed = asyncio.Event()

    async def _reset(self) -> int:
        ending = [*self._connections]
        self.hit += len(ending)
        for connection in ending:
            connection.abort()
        return len(ending)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Address) -> None:
        await self.passing(lambda _link: 0.0)
        try:
            async with asyncio.timeout(_SECONDS_TO_CONNECT):
                far_reader, far_writer = await asyncio.open_connection(*to, limit=_READ_BYTES)
        except OSError:
            _abort(writer)
            return
        connection = _Connection(self, writer, far_writer)
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(connection.pump(reader, far_writer, answers=False))
                both.create_task(connection.pump(far_reader, writer, answers=True))
        except* OSError:
            _abort(writer)
            _abort(far_writer)
        finally:
            self._connections.discard(connection)
            writer.close()
            far_writer.close()

    async def passing(self, due: Callable[[Link], float]) -> None:
        """Wait until it is time by the link of then (in the loop's time), and something passes at all."""
        clock = asyncio.get_running_loop().time
        while self._link.fate == "dead" or due(self._link) > clock():
            changed = self._changed
            left = None if self._link.fate == "dead" else due(self._link) - clock()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await changed.wait()


class _Connection:
    """Two streams that are passed on to each other."""

    def __init__(self, proxy: Proxy, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._proxy, self._near, self._far = proxy, near, far
        self._task = asyncio.current_task()
        self._struck = False

    def abort(self) -> None:
        """End it by RST on both sides, whatever is on its way."""
        _abort(self._near)
        _abort(self._far)
        self._cancel()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        """Pass on what comes until it ends, then say so to the other side. OSError when a side has gone."""
        line = _Line(self._proxy)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(line.deliver(writer))
                both.create_task(self._read(reader, line, answers=answers))
        finally:
            line.drop()

    async def _read(self, reader: asyncio.StreamReader, line: "_Line", *, answers: bool) -> None:
        while True:
            data = await reader.read(_READ_BYTES)
            await self._proxy.passing(lambda _link: 0.0)
            if self._is_struck(self._proxy.link, answers=answers) and data:
                continue
            await line.put(data)
            if not data:
                return

    def _is_struck(self, link: Link, *, answers: bool) -> bool:
        """Whether what came is thrown away: it is from now on, once it was."""
        if not self._struck and link.fate == ("cut" if answers else "swallow"):
            self._struck = True
            self._proxy.hit += 1
            soon = 0.0 if answers else SWALLOW_SECONDS
            asyncio.get_running_loop().call_later(soon, self._end)
        return self._struck

    def _end(self) -> None:
        self._near.close()
        self._far.close()
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


class _Line:
    """What is on its way in one direction of a connection."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._pieces: asyncio.Queue[tuple[float, float, bytes]] = asyncio.Queue()
        self._room = asyncio.Event()
        self._bytes = 0

    async def put(self, data: bytes) -> None:
        """Add what was read, when there is room for it; nothing means the end."""
        now = asyncio.get_running_loop().time()
        by_chance = random.random()  # noqa: S311 - no secret
        size = _READ_BYTES if self._proxy.link.bytes_per_second is None else _PIECE_BYTES
        for start in range(0, len(data), size) if data else (0,):
            while self._bytes >= _WINDOW_BYTES:
                self._room.clear()
                await self._room.wait()
            piece = data[start : start + size]
            self._count(len(piece))
            self._pieces.put_nowait((now, by_chance, piece))

    async def deliver(self, writer: asyncio.StreamWriter) -> None:
        """Write each piece when it is due, until the end of them."""
        clock = asyncio.get_running_loop().time
        free = clock()
        while True:
            came, by_chance, data = await self._pieces.get()
            free = max(free, clock() - _LATE_SECONDS)
            since, size = free, len(data)
            await self._proxy.passing(lambda link: link.due(came, by_chance, since, size))  # noqa: B023 - awaited here
            free = since + self._proxy.link.seconds_for(size)
            if not data:
                with suppress(OSError, NotImplementedError):
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
            self._count(-size)

    def drop(self) -> None:
        """Forget what is on its way."""
        self._count(-self._bytes)

    def _count(self, size: int) -> None:
        self._bytes += size
        self._proxy.pending += size
        self._room.set()


def _abort(writer: asyncio.StreamWriter) -> None:
    """End a connection by RST: SO_LINGER with no time does that."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
