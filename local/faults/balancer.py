"""The network load balancer on this machine: HAProxy in TCP mode.

It stands for what stacks/load_balancer.py makes: connections are spread, not records; a target is found healthy by
connecting to it, twice; one that is deregistered gets no new connection and keeps those it has, until they are ended.
A connection without traffic stays. What differs: an NLB picks a target by a hash of the connection's addresses, and
HAProxy the one with the fewest connections; and HAProxy ends a connection with FIN where an NLB sends RST.

Cost: one process, 10 MB; a connection goes through it by splicing, at a few microseconds of CPU for each read.

Its runtime API: https://docs.haproxy.org/2.6/management.html#9.3
"""

import csv
import io
import os
import shutil
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from local import making
from local.process import Process, free_port, port_answers, start

HOST: Final = "127.0.0.1"
CHECK_SECONDS: Final = 0.2
HEALTHY_CHECKS: Final = 2
_PROGRAM: Final = "haproxy"
_SLOTS: Final = 32
_READY_SECONDS: Final = 60
_HEALTHY_SECONDS: Final = 60
_INSTALL_SECONDS: Final = 300
_POLL_SECONDS: Final = 0.02


class BalancerError(Exception):
    """HAProxy is not to be had, or did not do what it was told."""


def find(*, log: Path) -> Path:
    """HAProxy; as root it is installed where it is missing. Raises BalancerError, and ProcessError as `install`."""
    if not shutil.which(_PROGRAM) and making.may_install():
        making.install([_PROGRAM], log=log, seconds=_INSTALL_SECONDS)
    program = shutil.which(_PROGRAM) or shutil.which(_PROGRAM, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise BalancerError(f"HAProxy is not there: {making.installing([_PROGRAM])}")
    return Path(program)


class Balancer:
    """HAProxy with one front for each listener; targets come and go. Use as a context manager.

    A target is a port of this machine for each of some fronts. Not for use by two threads at once on one target.
    """

    def __init__(self, program: Path, *, fronts: Iterable[str], folder: Path) -> None:
        self.ports = {front: free_port() for front in fronts}
        self._program, self._folder = program, folder
        self._control = free_port()
        self._slots: dict[str, dict[int, int]] = {front: {} for front in self.ports}
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "haproxy.cfg"
        config.write_text(_config(self.ports, control=self._control))
        self._process = start(
            [self._program, "-db", "-f", config],
            name="HAProxy",
            log=self._folder / "haproxy.log",
            environment={"PATH": os.environ.get("PATH", "")},
        )
        self._process.wait_ready(
            lambda: all(map(port_answers, (self._control, *self.ports.values()))),
            timeout_seconds=_READY_SECONDS,
            what="listening",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()

    def register(self, target: Mapping[str, int]) -> None:
        """Add a target and return when it is found healthy, on every front. Raises BalancerError if it is not."""
        for front, port in target.items():
            slot = next(each for each in range(1, _SLOTS + 1) if each not in self._slots[front].values())
            self._slots[front][port] = slot
            server = f"{front}/task{slot}"
            self._tell(f"set server {server} addr {HOST} port {port}")
            self._tell(f"set server {server} state ready")
            self._tell(f"set server {server} health down")
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while not all(self.is_healthy(front, port) for front, port in target.items()):
            if time.monotonic() > deadline:
                raise BalancerError(f"no target became healthy on {dict(target)} in {_HEALTHY_SECONDS} s")
            time.sleep(_POLL_SECONDS)

    def deregister(self, target: Mapping[str, int]) -> None:
        """Give a target no more connections; those that it has stay."""
        for front, port in target.items():
            self._tell(f"set server {self._server(front, port)} state drain")

    def terminate(self, target: Mapping[str, int]) -> None:
        """End a target's connections, and forget it. Nothing for one that is not registered."""
        for front, port in target.items():
            if port in self._slots[front]:
                server = self._server(front, port)
                self._tell(f"set server {server} state maint")
                self._tell(f"shutdown sessions server {server}")
                del self._slots[front][port]

    def is_healthy(self, front: str, port: int) -> bool:
        """Whether the target was found healthy at the last checks."""
        return self._row(front, port)["status"].startswith("UP")

    def connections(self, front: str, port: int) -> int:
        """How many connections the target has."""
        return int(self._row(front, port)["scur"])

    def _server(self, front: str, port: int) -> str:
        return f"{front}/task{self._slots[front][port]}"

    def _row(self, front: str, port: int) -> dict[str, str]:
        rows = csv.DictReader(io.StringIO(self._tell("show stat").removeprefix("# ")))
        server = self._server(front, port)
        return next(row for row in rows if f"{row['pxname']}/{row['svname']}" == server)

    def _tell(self, command: str) -> str:
        with socket.create_connection((HOST, self._control), timeout=_READY_SECONDS) as control:
            control.sendall(f"{command}\n".encode())
            answer = b"".join(iter(lambda: control.recv(65_536), b"")).decode()
        if command.startswith(("set", "shutdown")) and answer.strip() and not _is_consent(answer):
            raise BalancerError(f"HAProxy was told `{command}` and answered: {answer.strip()}")
        return answer


def _is_consent(answer: str) -> bool:
    """Whether this says what was done: `set server … addr` tells the old and the new address."""
    return "changed from" in answer or "no need to change" in answer


def _config(ports: Mapping[str, int], *, control: int) -> str:
    lines = [
        "global",
        f"    stats socket ipv4@{HOST}:{control} level admin",
        "defaults",
        "    mode tcp",
        "    timeout connect 2s",
        "    timeout client 6000s",
        "    timeout server 6000s",
        "    balance leastconn",
        "    retries 2",
        "    option redispatch",
        f"    default-server check inter {CHECK_SECONDS * 1000:.0f}ms rise {HEALTHY_CHECKS} fall {HEALTHY_CHECKS}",
    ]
    for front, port in ports.items():
        lines += [
            f"listen {front}",
            f"    bind {HOST}:{port}",
            f"    server-template task 1-{_SLOTS} {HOST}:9 disabled",
        ]
    return "\n".join(lines) + "\n"
