"""The tasks of one service behind the balancer, and what ECS does with them, in ECS's order.

ECS's times are scaled down, the order is not: a minute of draining is a second, ten seconds between health checks are a
fifth of one. What ECS does: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html

Cost: what its tasks cost; a deployment of two takes 4 s.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from local.faults import disk
from local.faults.balancer import Balancer
from local.process import Process
from sluice import limits

_POLL_SECONDS: Final = 0.02


class Task(Protocol):
    """What a service runs: an aggregator, or a gate."""

    @property
    def ports(self) -> Mapping[str, int]:
        """Where it listens, by the balancer's front."""

    @property
    def process(self) -> Process:
        """What runs."""

    def start(self) -> None:
        """Start it on its disk, and return when it listens."""

    def stop(self) -> int:
        """SIGTERM, and wait."""

    def kill(self) -> None:
        """SIGKILL, and wait."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """How long things take, in seconds.

    `drain` is from deregistration to the end of a target's connections (60 s in AWS), `stop` from SIGTERM to SIGKILL,
    `restart` from a container's death to its next start.
    """

    drain: float = 1.0
    stop: float = limits.STOP_TIMEOUT_SECONDS
    restart: float = 0.2


TIMES: Final = Times()

T = TypeVar("T", bound=Task)


class Fleet(Generic[T]):
    """The tasks of a service. One thread at a time may change it; `tasks` may be read by any.

    Args:
        make: makes a task, not yet started, with this folder for its disk.
        folder: where the tasks' folders go.
        balancer: what connections come through.
        times: how long things take.
    """

    def __init__(self, make: Callable[[Path], T], *, folder: Path, balancer: Balancer, times: Times = TIMES) -> None:
        self._make, self._folder, self._balancer, self.times = make, folder, balancer, times
        self._lock = threading.Lock()
        self._tasks: list[T] = []
        self._folders: dict[int, Path] = {}
        self._number = 0

    @property
    def tasks(self) -> list[T]:
        """Those that are in service, the oldest first."""
        return [*self._tasks]

    def launch(self, make: Callable[[Path], T] | None = None) -> T:
        """Start a task and return when it is found healthy and in service. `make` makes another kind of it."""
        with self._lock:
            self._number += 1
            folder = self._folder / f"task-{self._number}"
        folder.mkdir(parents=True)
        task = (make or self._make)(folder)
        self._folders[id(task)] = folder
        task.start()
        self._balancer.register(task.ports)
        self._tasks.append(task)
        return task

    def launch_many(self, number: int, make: Callable[[Path], T] | None = None) -> list[T]:
        """Start so many tasks, side by side, in order."""
        with ThreadPoolExecutor(max_workers=max(1, number)) as side_by_side:
            return [*side_by_side.map(lambda _: self.launch(make), range(number))]

    def retire(self, task: T, *, drain_seconds: float | None = None, stop_seconds: float | None = None) -> bool:
        """Take a task out of service as ECS does, and its disk with it; whether it ended in time.

        It is deregistered and gets no new connection; at the end of the deregistration delay its connections are ended;
        then SIGTERM, and SIGKILL if it has not ended in time. Seconds are those of `times` unless they are given.
        """
        self._tasks.remove(task)
        self._balancer.deregister(task.ports)
        time.sleep(self.times.drain if drain_seconds is None else drain_seconds)
        self._balancer.terminate(task.ports)
        ended = terminate(task.process, seconds=self.times.stop if stop_seconds is None else stop_seconds)
        self._forget(task)
        return ended

    def retire_all(self, tasks: Iterable[T]) -> None:
        """Take tasks out of service, side by side."""
        leaving = [*tasks]
        with ThreadPoolExecutor(max_workers=max(1, len(leaving))) as side_by_side:
            list(side_by_side.map(self.retire, leaving))

    def rolling_deployment(self, make: Callable[[Path], T] | None = None) -> None:
        """Replace every task: as many new ones start and become healthy, then the old ones are retired."""
        old = self.tasks
        self.launch_many(len(old), make)
        self.retire_all(old)

    def crash(self, task: T, *, times: int = 1) -> None:
        """SIGKILL, and start it again in the same task, on the buffer that it left, as the restart policy does."""
        for _ in range(times):
            task.kill()
            time.sleep(self.times.restart)
            task.start()

    def lose(self, task: T) -> T:
        """SIGKILL and the disk is gone, as with its host; the task that replaces it."""
        task.kill()
        self._tasks.remove(task)
        self._balancer.terminate(task.ports)
        self._forget(task)
        return self.launch()

    def close(self) -> None:
        """End every task, and keep its folder to look at, bar what was on a disk of its own."""
        with ThreadPoolExecutor(max_workers=max(1, len(self._tasks))) as side_by_side:
            list(side_by_side.map(lambda task: task.process.stop(), self._tasks))
        for task in self._tasks:
            disk.unmount(self._folders[id(task)])

    def _forget(self, task: T) -> None:
        disk.destroy(self._folders.pop(id(task)))


def terminate(process: Process, *, seconds: float) -> bool:
    """SIGTERM, and SIGKILL after so many seconds; whether it ended by itself."""
    process.send(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while process.exit_code is None:
        if time.monotonic() > deadline:
            process.send(signal.SIGKILL)
            while process.exit_code is None:
                time.sleep(_POLL_SECONDS)
            return False
        time.sleep(_POLL_SECONDS)
    return True
