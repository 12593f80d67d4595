"""The thread that works for one stream, and the waiting for it to be done.

One worker per stream: a slow function or an unreachable bucket delays its own stream only. The worker
sleeps until its stream says that something is due or that something came in.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from local.firehose.clock import Clock
from local.firehose.stream import Stream

logger = logging.getLogger(__name__)


class Worker:
    """A stream's background thread, from `start` to `stop`."""

    def __init__(self, stream: Stream, *, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._flushing = 0
        self._stopping = False
        self._broken: Exception | None = None
        self._thread = Thread(target=self._run, name=f"firehose {stream.config.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step under way, which may be a call of a function; return when it has ended."""
        with self._stream.changed:
            self._stopping = True
            self._stream.changed.notify_all()
        self._thread.join()

    @contextmanager
    def flushing(self) -> Iterator[None]:
        """Have the worker flush whatever there is, in the source too, as long as the block lasts."""
        self._stream.look_again()
        self._change_flushing(+1)
        try:
            yield
        finally:
            self._change_flushing(-1)

    def await_empty(self, *, until: float | None) -> bool:
        """Wait until nothing is pending or left in the source, at the latest until `until`; return whether it is so."""
        with self._stream.changed:
            while not self._stream.is_done and self._broken is None:
                if until is not None and self._clock.now() >= until:
                    return False
                self._clock.wait(self._stream.changed, until)
        if self._broken is not None:
            raise RuntimeError(f"the worker of {self._stream.config.name} has ended") from self._broken
        return True

    def _change_flushing(self, by: int) -> None:
        with self._stream.changed:
            self._flushing += by
            self._stream.changed.notify_all()

    def _run(self) -> None:
        try:
            while self._await_work():
                self._stream.work(flush=self._flushing > 0)
        except Exception as error:
            logger.exception("the worker of %s has ended", self._stream.config.name)
            with self._stream.changed:
                self._broken = error
                self._stream.changed.notify_all()

    def _await_work(self) -> bool:
        with self._stream.changed:
            while not self._stopping:
                due_at = self._stream.due_at(flush=self._flushing > 0)
                if due_at is not None and due_at <= self._clock.now():
                    return True
                self._clock.wait(self._stream.changed, due_at)
        return False


def drain_here(stream: Stream, *, clock: Clock, until: float | None) -> bool:
    """Flush `stream` in the calling thread, for a Firehose without workers; return whether nothing is pending."""
    stream.look_again()
    while not stream.is_done:
        stream.work(flush=True)
        with stream.changed:
            due_at = stream.due_at(flush=True)
            if stream.is_done:
                return True
            if due_at is None:
                pending = stream.counts().pending
                raise RuntimeError(f"{stream.config.name}: {pending} pending records are nowhere: a bug")
            if until is not None and clock.now() >= until:
                return False
            clock.wait(stream.changed, due_at if until is None else min(due_at, until))
    return True
