"""What it takes to make something for the cache: to be the only one who does, and to run others' programs for it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from local.process import ProcessError, start


def run(
    argv: Sequence[str | Path], *, log: Path, environment: Mapping[str, str], directory: Path, seconds: float
) -> None:
    """Run one step to its end; its output is the log, until the next step's. ProcessError, with the log's tail."""
    name = " ".join(Path(str(part)).name for part in argv[:2])
    with start(argv, name=name, log=log, environment=environment, directory=directory) as step:
        status = step.wait(timeout_seconds=seconds)
    if status != 0:
        raise ProcessError(f"`{name}` ended with status {status}.\n{step.log_tail()}")


def may_install() -> bool:
    """Whether Debian's packages can be installed here, by us."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def installing(packages: Sequence[str]) -> str:
    """The command that installs Debian's packages."""
    return f"apt-get install --yes --no-install-recommends {' '.join(packages)}"


def install(packages: Sequence[str], *, log: Path, seconds: float) -> None:
    """Install Debian's packages, as root; one after the other, for apt-get gives up where another one is at work.

    Raises ProcessError as run.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with alone(Path(tempfile.gettempdir()) / f"sluice-install-{os.getuid()}.lock"):
        for one in ("apt-get update", installing(packages)):
            run(one.split(), log=log, environment=environment, directory=log.parent, seconds=seconds)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold the lock file; the kernel lets go of it when its holder dies."""
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
