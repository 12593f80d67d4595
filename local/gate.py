"""A gate on this machine: the real service, told where Firehose and Kinesis are here.

It holds nothing: it can be killed at any time, and started again. Several may run side by side.

Cost: half a second to start, 60 MB, and what it needs for the load.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from local.process import Process, free_port, port_answers, start
from sluice import gate, local_run
from sluice.model import Deployment

ROOT: Final = Path(__file__).resolve().parent.parent
READY_SECONDS: Final = 30
# What the gate takes at most to answer what is on its way, and ECS's stopTimeout.
GRACE_SECONDS: Final = 120
_POLL_SECONDS: Final = 0.01


class Gate:
    """One gate. As a context manager it runs from the beginning of the block to its end.

    Args:
        deployment: what it serves; at least one of its listeners acknowledges what was accepted.
        folder: where its log goes; made if it is not there.
        aws: host, port and certificate authority of who answers for Firehose and Kinesis.
        ports: by listener's name, the port to listen at; a free one where none is named.
    """

    def __init__(
        self,
        deployment: Deployment,
        *,
        folder: Path,
        aws: tuple[str, int, Path],
        ports: dict[str, int] | None = None,
    ) -> None:
        self._folder = folder
        self.ports = {listener.name: free_port() for listener in deployment.listening("accepted")} | (ports or {})
        self.status_port = free_port()
        host, port, ca_file = aws
        endpoint = f"https://{host}:{port}"
        told = gate.environment(deployment, listen="127.0.0.1", ports=self.ports, status_port=self.status_port)
        self._variables = {
            **told,
            "AWS_REGION": local_run.REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL_FIREHOSE": endpoint,
            "AWS_ENDPOINT_URL_KINESIS": endpoint,
            "AWS_CA_BUNDLE": str(ca_file),
        }
        self._process: Process | None = None

    @property
    def port(self) -> int:
        """The first listener's port."""
        return next(iter(self.ports.values()))

    @property
    def process(self) -> Process:
        """The process that runs, or ran last. RuntimeError before the first start."""
        if self._process is None:
            raise RuntimeError("the gate was not started")
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
        """Start it, and return when it listens. Raises ProcessError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = start(
            [sys.executable, "-m", "gate"],
            name="the gate",
            log=self._folder / "gate.log",
            environment={**os.environ, **self._variables},
            directory=ROOT,
            grace_seconds=GRACE_SECONDS,
        )
        self._process.wait_ready(
            lambda: all(map(port_answers, self.ports.values())), timeout_seconds=READY_SECONDS, what="listening"
        )

    def stop(self) -> int:
        """SIGTERM, as ECS sends it: it answers what is on its way and ends. Its exit status."""
        return self.process.stop()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Nothing of it stays."""
        self.process.send(signal.SIGKILL)
        while self.process.exit_code is None:
            time.sleep(_POLL_SECONDS)
