"""The side of a load that whoever runs it holds: starts the sending processes, hears them, ends them.

Each process (`python -m loadtest.drive.worker SPEC.json`) makes its texts, says that it is ready, and is told one time
at which the load begins. From then on it tells ten times a second how far it is. A process whose parent is gone ends.

Cost: one thread for each sending process, which waits for a line of 200 bytes ten times a second.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, TypeAlias

from loadtest.drive.spec import Spec, Told
from loadtest.journal import Journal
from loadtest.plan import Plan

Address: TypeAlias = tuple[str, int]
"""Host and port."""
READY_SECONDS: Final = 60.0
_LEAD_SECONDS: Final = 0.2
_END_SECONDS: Final = 5.0
_TAIL_BYTES: Final = 2_000


class DriverError(Exception):
    """The sending processes could not be started; the text says why."""


@dataclass(frozen=True)
class Progress:
    """How far a load is: messages handed to sockets and acknowledged, the bytes of those handed over.

    `at` is in Unix seconds; `behind_seconds` is by how much the slowest source is late; `errors` are those so far, such
    as a source that gave up; `ended` says that every process has ended.
    """

    at: float
    sent: int
    acknowledged: int
    bytes: int
    behind_seconds: float
    ended: bool
    errors: tuple[str, ...]


class Driver:
    """A load under way. As a context manager it begins with the block and leaves nothing running.

    Args:
        plan: what is sent.
        to: where to, by the load's name.
        folder: where the journals go: one of the run's own. Made if it is not there.
        share: (i, n): this is the i-th of n machines that share the load, from 0.
        ack_timeout: seconds after which a silent server is left and the chunk sent again.
        give_up_after: seconds after which a source whose chunk nobody acknowledged sends no more, and says so.

    Raises ValueError for a load without an address, and for OTLP without acknowledgements: HTTP always answers.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        to: Mapping[str, Address],
        folder: Path,
        share: tuple[int, int] = (0, 1),
        ack_timeout: float = 10,
        give_up_after: float = 60,
    ) -> None:
        if missing := {load.name for load in plan.profile.loads} - to.keys():
            raise ValueError(f"no address for {', '.join(sorted(missing))}: say where each load goes")
        if silent := [load.name for load in plan.profile.loads if load.client == "otlp" and not load.ack]:
            raise ValueError(f"{', '.join(silent)}: HTTP always answers, so otlp is with ack: true")
        self.began = 0.0
        self.folder = folder
        count = plan.profile.processes
        specs = [
            Spec(
                profile=plan.profile,
                run=plan.run,
                to=dict(to),
                folder=folder,
                process=share[0] * count + number,
                processes=share[1] * count,
                ack_timeout=ack_timeout,
                give_up_after=give_up_after,
            )
            for number in range(count)
        ]
        # A process without a connection has nothing to do, and need not be there.
        self._specs = [spec for spec in specs if any(spec.sources(plan))]
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            for spec in self._specs:
                self._workers.append(_Worker(spec))
            for worker in self._workers:
                worker.wait_ready()
            self.began = time.time() + _LEAD_SECONDS
            for worker in self._workers:
                worker.tell({"began": self.began})
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pids(self) -> tuple[int, ...]:
        """The sending processes."""
        return tuple(worker.process.pid for worker in self._workers)

    def progress(self) -> Progress:
        """How far the load is, as of a tenth of a second ago."""
        told = [worker.told for worker in self._workers]
        return Progress(
            at=time.time(),
            sent=sum(each.sent for each in told),
            acknowledged=sum(each.acknowledged for each in told),
            bytes=sum(each.bytes for each in told),
            behind_seconds=max((each.behind for each in told), default=0.0),
            ended=all(worker.process.poll() is not None for worker in self._workers),
            errors=tuple(error for worker in self._workers for error in worker.errors()),
        )

    def stop(self) -> None:
        """Send nothing new; what is in flight is still resent until it is acknowledged or given up. Does not wait."""
        for worker in self._workers:
            worker.tell({"stop": True})

    def wait(self, *, timeout: float) -> Journal:
        """Wait until every process has ended, and read what they wrote. TimeoutError when they have not by then."""
        deadline = time.monotonic() + timeout
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise TimeoutError(f"the load has not ended after {timeout:g} s: stop it, or wait longer") from None
        return Journal.read(self.folder)

    def _end(self) -> None:
        for worker in self._workers:
            worker.end()


class _Worker:
    """One sending process, and what it said last."""

    def __init__(self, spec: Spec) -> None:
        file = spec.folder / f"worker-{spec.process}.json"
        file.write_text(spec.to_json(), encoding="utf-8")
        self._log = file.with_suffix(".log")
        self._number = spec.process
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - this interpreter and a file of our own
                [sys.executable, "-m", "loadtest.drive.worker", str(file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.told = Told()
        self._heard = threading.Event()
        self._ready = False
        self._hearing = threading.Thread(target=self._hear, args=(self.process.stdout,), daemon=True)
        self._hearing.start()

    def wait_ready(self) -> None:
        """Return when it can begin. Raises DriverError when it ended or takes too long."""
        self._heard.wait(READY_SECONDS)
        if not self._ready:
            raise DriverError(f"sending process {self._number} did not get ready: {self._tail() or 'it is too slow'}")

    def tell(self, words: Mapping[str, Any]) -> None:
        """Say something to it; nothing when it has ended."""
        assert self.process.stdin is not None  # noqa: S101 - a pipe
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps(words).encode("ascii") + b"\n")
            self.process.stdin.flush()

    def errors(self) -> tuple[str, ...]:
        """What went wrong in it so far; a process that did not end by itself says so in its last words."""
        status = self.process.poll()
        if status in (None, 0):
            return self.told.errors
        return (*self.told.errors, f"sending process {self._number} ended with status {status}: {self._tail()}")

    def end(self) -> None:
        """End it now: it writes its journal's last line, or else is killed."""
        assert self.process.stdin is not None  # noqa: S101 - a pipe
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._hearing.join()
        assert self.process.stdout is not None  # noqa: S101 - a pipe
        self.process.stdout.close()

    def _hear(self, said: IO[bytes]) -> None:
        for line in said:
            self.told = Told.model_validate_json(line)
            self._ready = True
            self._heard.set()
        self._heard.set()

    def _tail(self) -> str:
        return self._log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
