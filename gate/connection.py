"""One client's connection: bytes in, answers out.

Whatever is wrong with what it sends ends it, and no other. While too much waits, or while its client does not read its
answers, nothing is read from it; what it sends then stays in its client.
"""

import asyncio
from typing import Any, Protocol

from gate.chunks import Chunk
from gate.wire import Framer, Message, WireError, read


class Taker(Protocol):
    """Who takes messages in: the service."""

    def take(self, message: Message, connection: "Connection") -> None:
        """Take a message. Raises WireError where one of its entries is malformed; nothing of it was taken then."""

    def joined(self, connection: "Connection") -> None:
        """A client has connected."""

    def left(self, connection: "Connection") -> None:
        """A client is gone; what it waits for is marked as not wanted."""

    def refused(self, why: str) -> None:
        """A connection is ended because of what it sent."""

    def holds(self, more: int) -> None:
        """So many bytes more, or less, are held of incomplete messages. Raises WireError if it is too much."""


class Connection(asyncio.Protocol):
    """A connection as asyncio drives it."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._framer = Framer()
        self._transport: Any = None
        self._pending: set[Chunk] = set()
        self._is_paused = self._is_clogged = self._is_ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: a client has connected."""
        self._transport = transport
        self._taker.joined(self)

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes came. Messages that were complete before a malformed one are taken."""
        held = self._framer.held
        try:
            for message in self._framer.feed(data):
                self._taker.take(read(message), self)
            self._taker.holds(self._framer.held - held)
        except WireError as error:
            self._taker.refused(str(error))
            self._taker.holds(-held)
            self._framer = Framer()
            self._transport.close()

    def eof_received(self) -> bool:
        """Asyncio: the client has sent all; answers to it are still possible."""
        self._is_ending = True
        return bool(self._pending)

    def connection_lost(self, _error: Exception | None) -> None:
        """Asyncio: it is gone, and nobody waits for what it sent with the wish for an answer."""
        for chunk in self._pending:
            chunk.wanted = False
        self._taker.holds(-self._framer.held)
        self._taker.left(self)

    def pause_writing(self) -> None:
        """Asyncio: the client does not read its answers."""
        self._is_clogged = True
        self._steer()

    def resume_writing(self) -> None:
        """Asyncio: it does again."""
        self._is_clogged = False
        self._steer()

    def pause(self, is_paused: bool) -> None:
        """Read nothing from now on, or read again."""
        self._is_paused = is_paused
        self._steer()

    def expect(self, chunk: Chunk) -> None:
        """The client waits for an answer about this."""
        self._pending.add(chunk)

    def answer(self, text: bytes, chunk: Chunk | None = None) -> None:
        """Answer the client, if it is still there."""
        if chunk is not None:
            self._pending.discard(chunk)
        if not self._transport.is_closing():
            self._transport.write(text)
        if self._is_ending and not self._pending:
            self._transport.close()

    def end(self) -> None:
        """Read nothing more, and close as soon as all is answered."""
        self.pause(is_paused=True)
        self._is_ending = True
        if not self._pending:
            self._transport.close()

    def _steer(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_paused or self._is_clogged:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
