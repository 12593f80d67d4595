"""A route's stream: what waits for it, gathered over all connections, and the calls that put it.

A call begins 20 ms after the first message that waits, if none is on its way; while one is, more is gathered, up to a
full call or for 100 ms. So under little load a message waits for one call, and under much load calls are full. Up to
four are on their way at once; then lines of one client may overtake each other, as they may in Firehose anyway.

Of a call that was answered in part, only what was refused is put again. Everything is tried for ever, with a back-off
while nothing is taken, as long as a client waits for it; what nobody waits for any more is left out, for its client has
it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from gate.chunks import Block
from gate.counters import Counters
from gate.packing import Put, Queue
from gate.settings import Route

PutCall = Callable[[list[Put]], Awaitable[list[bool]]]
"""Puts records and tells which were taken. What it raises says that nothing is known to be taken."""

LINGER_SECONDS: Final = 0.02
# While a call is on its way: it may be the one that hangs.
PATIENCE_SECONDS: Final = 0.1
CALLS: Final = 4
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0


class Stream:
    """Where blocks are offered. All of it runs in one event loop."""

    def __init__(self, route: Route, *, put: PutCall, counters: Counters, log: Callable[[str], None]) -> None:
        self.route = route
        self._put, self._counters, self._log = put, counters, log
        self._waiting = Queue(route.form)
        self._oldest = 0.0
        self._calls: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, blocks: Iterable[Block]) -> None:
        """Take blocks; their messages are told when they were put."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._oldest = loop.time()
        for block in blocks:
            self._waiting.append(block)
        self._begin()

    def _begin(self) -> None:
        """Begin the calls that are due, and come back when the next one is."""
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._calls) < CALLS:
            due = self._oldest + (PATIENCE_SECONDS if self._calls else LINGER_SECONDS)
            if not self._waiting.fills_a_call and loop.time() < due:
                if self._timer is None or self._timer.when() > due:
                    self._forget_timer()
                    self._timer = loop.call_at(due, self._ring)
                return
            puts = self._waiting.take()
            self._oldest = loop.time()
            if puts:
                call = loop.create_task(self._deliver(puts))
                self._calls.add(call)
                call.add_done_callback(self._ended)

    def _ring(self) -> None:
        self._timer = None
        self._begin()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ended(self, call: "asyncio.Task[None]") -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.result()
            self._begin()

    async def _deliver(self, puts: list[Put]) -> None:
        """Put these records, until each was taken or nobody wants it."""
        pause = FIRST_PAUSE_SECONDS / 2
        while puts:
            try:
                taken = await self._put(puts)
            except Exception as error:  # whatever it is, the records are still here
                self._log(f"{self.route.stream}: {error}")
                taken = [False] * len(puts)
            for put, is_taken in zip(puts, taken, strict=True):
                if is_taken:
                    _settle(put)
            puts = [put for put, is_taken in zip(puts, taken, strict=True) if not is_taken]
            if puts:
                self._counters.retried += len(puts)
                pause = FIRST_PAUSE_SECONDS if any(taken) else min(pause * 2, LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - to spread, not to hide
                puts = list(_wanted(puts))


def _wanted(puts: Iterable[Put]) -> Iterator[Put]:
    for put in puts:
        if put.is_wanted:
            yield put
        else:
            _settle(put)


def _settle(put: Put) -> None:
    for chunk in put.chunks:
        chunk.settle()
