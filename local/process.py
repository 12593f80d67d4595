"""A program that this run started: logged, awaited, and gone when the run is gone.

`start` returns a `Process` whose program writes to a log file and runs under `leash.py`, which stops
the program's whole process group when the owner says so, forgets it (garbage), or dies, even by
SIGKILL. Ctrl-C reaches only the owner, which stops what it started in its own order.

Cost: one idle interpreter per program. Waiting polls every 20 ms.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

User: TypeAlias = tuple[int, int]
"""The numbers of a user and of a group."""

_LEASH = Path(__file__).with_name("leash.py")
_POLL_SECONDS = 0.02
_TAIL_LINES = 25
# What the leash needs beyond the program's own grace: to notice, to kill, to reap.
_LEASH_SECONDS = 5.0
_PIPED_GRACE_SECONDS = 10.0


class ProcessError(Exception):
    """A program did not start, ended early or outlasted its time; the text says which, with its log."""


class Process:
    """A running program; a context manager that stops it. Made by `start`."""

    def __init__(self, *, name: str, leash: subprocess.Popen[bytes], pid: int, log: Path, grace: float) -> None:
        self.name = name
        self.pid = pid
        self.log = log
        self._leash = leash
        self._grace = grace

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """None while it runs, else its exit status; 128 + n after signal n, as a shell counts."""
        return self._leash.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program's process group; nothing when it has already ended.

        The leash reaps the program only in its own last moment, so the group's number is still this
        program's while the leash runs.
        """
        if self.exit_code is None:
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                return

    def wait_ready(self, ready: Callable[[], bool], *, timeout_seconds: float, what: str = "ready") -> None:
        """Return once `ready()`; ProcessError when the program ends first or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if self.exit_code is not None:
                raise ProcessError(
                    f"{self.name} ended with status {self.exit_code} before it was {what}.{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} was not {what} after {timeout_seconds:g} s.{self.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def wait(self, *, timeout_seconds: float, on_line: Callable[[str], None] | None = None) -> int:
        """Wait for the program's own end and return its exit status; each log line goes to `on_line`.

        Raises ProcessError, with the program stopped, when it takes longer than `timeout_seconds`.
        """
        deadline = time.monotonic() + timeout_seconds
        with self.log.open("rb") as written:
            unfinished = b""
            while True:
                code = self.exit_code
                # Read after the status: what the program wrote last is then in the file.
                *lines, unfinished = (unfinished + written.read()).split(b"\n")
                for line in lines if code is None else [*lines, unfinished]:
                    if on_line is not None and line:
                        on_line(line.decode(errors="replace"))
                if code is not None:
                    return code
                if time.monotonic() > deadline:
                    self.stop()
                    raise ProcessError(f"{self.name} took longer than {timeout_seconds:g} s.{self.log_tail()}")
                time.sleep(_POLL_SECONDS)

    def stop(self) -> int:
        """SIGTERM, then after the grace SIGKILL, to the program's whole group; its exit status.

        Safe to repeat. A second Ctrl-C while waiting leaves the rest to the leash.
        """
        if self._leash.stdin is not None and not self._leash.stdin.closed:
            self._leash.stdin.close()
        try:
            return self._leash.wait(self._grace + _LEASH_SECONDS)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self._leash.kill()
            return self._leash.wait()

    def log_tail(self) -> str:
        """The last lines of its log, with the path, as an error tells them."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return f"\nThe end of {self.log}:\n" + "\n".join(f"  {line}" for line in lines)


def start(
    argv: Sequence[str | Path],
    *,
    name: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    user: User | None = None,
    grace_seconds: float = 5.0,
) -> Process:
    """Start a program whose standard output and error go to `log` (overwritten).

    `environment` is the whole of it (None: this process's own); `user` is whom it runs as, for root to choose;
    `grace_seconds` is the time between SIGTERM and SIGKILL. Raises ProcessError when it cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        descriptor = output.fileno()
        leash, pid = _leash(
            [*map(str, argv)],
            name=name,
            outputs=(descriptor, descriptor),
            log=output,
            environment=environment,
            directory=directory,
            user=user,
            grace=grace_seconds,
        )
    return Process(name=name, leash=leash, pid=pid, log=log, grace=grace_seconds)


@contextmanager
def start_piped(
    argv: Sequence[str | Path], *, name: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Process, BinaryIO, BinaryIO]]:
    """Start a program whose standard output and error are read here, as a container runtime reads them.

    The pipes end with the program, and whoever reads them to their end has all that it said: stop it, read
    on, and only then leave the block. `log` has only what the leash itself says.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    with os.fdopen(out_read, "rb") as out, os.fdopen(err_read, "rb") as err, log.open("wb") as said:
        try:
            leash, pid = _leash(
                [*map(str, argv)],
                name=name,
                outputs=(out_write, err_write),
                log=said,
                environment=environment,
                directory=None,
                user=None,
                grace=_PIPED_GRACE_SECONDS,
            )
        finally:
            os.close(out_write)
            os.close(err_write)
        with Process(name=name, leash=leash, pid=pid, log=log, grace=_PIPED_GRACE_SECONDS) as process:
            yield process, out, err


def _leash(
    argv: list[str],
    *,
    name: str,
    outputs: tuple[int, int],
    log: BinaryIO,
    environment: Mapping[str, str] | None,
    directory: Path | None,
    user: User | None,
    grace: float,
) -> tuple[subprocess.Popen[bytes], int]:
    runs_as = "-" if user is None else f"{user[0]}:{user[1]}"
    leash = subprocess.Popen(  # noqa: S603 - the caller names the program
        [sys.executable, "-I", "-S", str(_LEASH), str(grace), *map(str, outputs), runs_as, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        pass_fds=outputs,
        env=None if environment is None else dict(environment),
        cwd=directory,
        start_new_session=True,
    )
    assert leash.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
    with leash.stdout as answers:
        verdict, _, detail = answers.readline().decode(errors="replace").strip().partition(" ")
    if verdict != "started":
        leash.communicate()
        raise ProcessError(f"{name} could not be started: {detail or 'its leash broke'} ({argv[0]})")
    return leash, int(detail)


def port_answers(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a TCP connection to the port is accepted."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port(*, host: str = "127.0.0.1") -> int:
    """A TCP port that is free and, for a minute, given to nobody who asks for any port, here or elsewhere.

    A connection to it was just ended by its own side, which leaves the port in TIME_WAIT: whoever binds it has to set
    SO_REUSEADDR, as servers do.
    """
    with socket.create_server((host, 0)) as server, socket.create_connection(server.getsockname()):
        server.accept()[0].close()
        return int(server.getsockname()[1])
