"""A gate on this machine: the real service, told where Firehose and Kinesis are here.

It holds nothing: it can be killed at any time, and started again. Several may run side by side.

Cost: half a second to start, 60 MB, and what it needs for the load.
"""

import os
import sys
from pathlib import Path
from typing import Final

from local.listening import CREDENTIALS, Listening
from local.process import Process, free_port, start
from sluice import gate
from sluice.model import Deployment

ROOT: Final = Path(__file__).resolve().parent.parent
# What the gate takes at most to answer what is on its way, and ECS's stopTimeout.
GRACE_SECONDS: Final = 120


class Gate(Listening):
    """One gate.

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
        super().__init__({each.name: free_port() for each in deployment.listening("accepted")} | (ports or {}))
        self._folder = folder
        self.status_port = free_port()
        host, port, ca_file = aws
        endpoint = f"https://{host}:{port}"
        told = gate.environment(deployment, listen="127.0.0.1", ports=self.ports, status_port=self.status_port)
        self._variables = {
            **told,
            **CREDENTIALS,
            "AWS_ENDPOINT_URL_FIREHOSE": endpoint,
            "AWS_ENDPOINT_URL_KINESIS": endpoint,
            "AWS_CA_BUNDLE": str(ca_file),
        }

    def _launch(self) -> Process:
        self._folder.mkdir(parents=True, exist_ok=True)
        return start(
            [sys.executable, "-m", "gate"],
            name="the gate",
            log=self._folder / "gate.log",
            environment={**os.environ, **self._variables},
            directory=ROOT,
            grace_seconds=GRACE_SECONDS,
        )
