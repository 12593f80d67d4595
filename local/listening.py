"""A program that listens for clients, and can be stopped as ECS stops a task, killed, and started again."""

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from local.process import Process, port_answers
from sluice import local_run

READY_SECONDS: Final = 60
# What every client of AWS needs to have; nobody looks at them here.
CREDENTIALS: Final[Mapping[str, str]] = {
    "AWS_REGION": local_run.REGION,
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}
_POLL_SECONDS: Final = 0.01


class Listening(ABC):
    """One program. As a context manager it runs from the beginning of the block to its end.

    `ports` are those it listens at, by listener's name.
    """

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports
        self._process: Process | None = None

    @abstractmethod
    def _launch(self) -> Process:
        """Start the program; it need not listen yet."""

    @property
    def port(self) -> int:
        """The first listener's port."""
        return next(iter(self.ports.values()))

    @property
    def process(self) -> Process:
        """The process that runs, or ran last. RuntimeError before the first start."""
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()

    def start(self) -> None:
        """Start it, on whatever it left behind, and return when it listens. Raises ProcessError."""
        self._process = self._launch()
        self._process.wait_ready(
            lambda: all(map(port_answers, self.ports.values())), timeout_seconds=READY_SECONDS, what="listening"
        )

    def stop(self) -> int:
        """SIGTERM, as ECS sends it, and wait for its end. Its exit status."""
        return self.process.stop()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.send(signal.SIGKILL)
        while self.process.exit_code is None:
            time.sleep(_POLL_SECONDS)
