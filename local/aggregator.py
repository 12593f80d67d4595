"""An aggregator on this machine: a real Fluent Bit on the rendered configuration, told where things are here.

Each has a folder of its own, with its configuration, its log and its buffer. It can be stopped as ECS stops a task,
killed, and started again on the buffer that it left. Several may run side by side.

Cost: 0.2 s to start, 30 MB, and what Fluent Bit needs for the load.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from local.fluent_bit import FluentBit
from local.listening import CREDENTIALS, Listening
from local.process import Process, ProcessError, free_port, start
from sluice import fluent_bit
from sluice.fluent_bit import Sections
from sluice.model import Deployment

HOME: Final = Path(__file__).resolve().parent.parent / "fluentbit-image"

Edit = Callable[[Sections], Sections]
"""What turns the rendered configuration into another one: for a test that breaks a setting on purpose."""


class Aggregator(Listening):
    """One Fluent Bit.

    Args:
        engine: the Fluent Bit to run.
        deployment: what it is configured by.
        folder: where its configuration, log and buffer go; made if it is not there.
        home: the folder with its filter's script, as the image has it.
        aws: host, port and certificate authority of who answers for Firehose and Kinesis.
        ports: by listener's name, the port to listen at; a free one where none is named.
        edit: applied to the configuration before it is written.
        wrapper: a command that is to run Fluent Bit, as ("faketime", "+1h").
    """

    def __init__(
        self,
        engine: FluentBit,
        deployment: Deployment,
        *,
        folder: Path,
        home: Path = HOME,
        aws: tuple[str, int, Path],
        ports: dict[str, int] | None = None,
        edit: Edit = lambda sections: sections,
        wrapper: tuple[str, ...] = (),
    ) -> None:
        super().__init__({each.name: free_port() for each in deployment.listening("stored")} | (ports or {}))
        self._engine, self._folder, self._aws, self._wrapper = engine, folder, aws, wrapper
        self._home = home
        self.buffer = folder / "buffer"
        self.metrics_port = free_port()
        self._variables = {**fluent_bit.environment(deployment), **CREDENTIALS}
        self._sections = edit(fluent_bit.sections(deployment, self._places(), engine.abilities))

    def is_empty(self) -> bool:
        """Whether its buffer holds no chunk."""
        return not any(self.buffer.rglob("*.flb"))

    def _launch(self) -> Process:
        self.buffer.mkdir(parents=True, exist_ok=True)
        abilities = self._engine.abilities
        config = self._folder / f"fluent-bit.{'yaml' if abilities.yaml else 'conf'}"
        write = fluent_bit.as_yaml if abilities.yaml else fluent_bit.as_classic
        config.write_text(write(self._sections))
        seen = [self._home, self.buffer, self._aws[2].parent]
        if self._process is None:
            tried = self._engine.dry_run(config, directories=seen, environment=self._variables)
            if not tried.accepted:
                raise ProcessError(f"Fluent Bit {self._engine.version_text} does not take {config}:\n{tried.message}")
        return start(
            [*self._wrapper, *self._engine.argv(config, directories=seen, variables=self._variables)],
            name="Fluent Bit",
            log=self._folder / "fluent-bit.log",
            environment={**os.environ, **self._variables},
            grace_seconds=fluent_bit.GRACE_SECONDS,
        )

    def _places(self) -> fluent_bit.Places:
        host, port, ca_file = self._aws
        return fluent_bit.Places(
            home=str(self._home),
            buffer=str(self.buffer),
            listen="127.0.0.1",
            ports=self.ports,
            metrics_port=self.metrics_port,
            aws_host=host,
            aws_port=port,
            aws_ca_file=str(ca_file),
        )
