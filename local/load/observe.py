"""What an aggregator of this machine uses while a load runs, each half second.

CPU and memory are the process's own, as the kernel counts them; the buffer's depth is the size of its files, which is
exact at any time; whether its inputs are paused Fluent Bit says itself (the metric `fluentbit_input_ingestion_paused`
of 4.x and later, `overlimit` of `/api/v1/storage` before, which lags five seconds behind).

Cost: a listing of the buffer and an HTTP request of 30 KB a time, 2 ms of Fluent Bit's time.
"""

import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from loadtest.tally import Observation
from local.aggregator import Aggregator

EVERY_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 0.4
_PAUSED: Final = re.compile(r"^fluentbit_input_ingestion_paused\{[^}]*\}\s+([0-9.]+)", re.MULTILINE)


class Observer:
    """A thread that watches one aggregator, killed and started again or not; use as a context manager.

    Args:
        pid: whom to look at, asked each time.
        buffer: the folder with its chunks.
        metrics_port: where its HTTP server is.
    """

    def __init__(
        self, *, pid: Callable[[], int], buffer: Path, metrics_port: int, every: float = EVERY_SECONDS
    ) -> None:
        self._pid, self._buffer, self._port, self._every = pid, buffer, metrics_port, every
        self._seen: list[Observation] = []
        self._usage = _Usage()
        self._paused = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="observer", daemon=True)

    @classmethod
    def of(cls, aggregator: Aggregator) -> Self:
        """Whatever process the aggregator has at the time."""
        return cls(pid=lambda: aggregator.process.pid, buffer=aggregator.buffer, metrics_port=aggregator.metrics_port)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """All of them so far, by time."""
        return tuple(self._seen)

    @property
    def latest(self) -> Observation | None:
        """The last one."""
        return self._seen[-1] if self._seen else None

    def __enter__(self) -> Self:
        self.look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def look(self) -> None:
        """Look once. Nothing is noted while there is no process."""
        now = time.time()
        try:
            process = psutil.Process(self._pid())
            cpu = self._usage.rate(process, at=now)
            memory = process.memory_info().rss
        except psutil.Error:
            return
        chunks, size = buffered(self._buffer)
        self._paused = _is_paused(self._port, otherwise=self._paused)
        if cpu is not None:
            self._seen.append(
                Observation(at=now, cpu=cpu, memory=memory, buffered=size, chunks=chunks, paused=self._paused)
            )

    def _watch(self) -> None:
        while not self._ending.wait(self._every):
            self.look()


class _Usage:
    """The CPU of a process, and of whichever follows it."""

    def __init__(self) -> None:
        self._last: tuple[psutil.Process, float, float] | None = None

    def rate(self, process: psutil.Process, *, at: float) -> float | None:
        """Cores used since the last call, None the first time that a process is seen."""
        times = process.cpu_times()
        used = times.user + times.system
        before, self._last = self._last, (process, used, at)
        if before is None or before[0] != process or at <= before[2]:
            return None
        return (used - before[1]) / (at - before[2])


def buffered(folder: Path) -> tuple[int, int]:
    """How many chunks a buffer's folder holds, and their bytes."""
    sizes = []
    for file in folder.rglob("*.flb"):
        with suppress(FileNotFoundError):  # sent in the meantime
            sizes.append(file.stat().st_size)
    return len(sizes), sum(sizes)


def _is_paused(port: int, *, otherwise: bool) -> bool:
    """What Fluent Bit says; `otherwise` where it says nothing, for it is busy or just begins."""
    found = _PAUSED.findall(_ask(port, "/api/v2/metrics/prometheus") or "")
    if found:
        return any(float(value) > 0 for value in found)
    answer = _ask(port, "/api/v1/storage")
    with suppress(ValueError, AttributeError, KeyError):
        inputs = json.loads(answer or "null").get("input_chunks", {}).values()
        return any(each["status"]["overlimit"] for each in inputs)
    return otherwise


def _ask(port: int, path: str) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=_ANSWER_SECONDS) as answer:
            return str(answer.read().decode(errors="replace"))
    except (OSError, ValueError):
        return None
