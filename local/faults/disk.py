"""A disk of a task's own: a file system in memory, small enough to be filled.

It is mounted where the buffer goes. That takes the right to mount, which root has outside of most containers.
"""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

_SECONDS: Final = 10
_FILLER: Final = "filler"
_BLOCK: Final = bytes(64 * 1024)


class MountError(Exception):
    """A file system could not be mounted here."""


def mount(folder: Path, *, size: int) -> None:
    """Put an empty file system of so many bytes there; the folder is made. Raises MountError."""
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("mount")
    if program is None:
        raise MountError("there is no mount on PATH")
    _run([program, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)])


def unmount(folder: Path) -> None:
    """Take away every file system mounted there or right below, with what is on it."""
    program = shutil.which("umount")
    for each in (folder, *folder.glob("*")):
        if program is not None and os.path.ismount(each):
            # Lazily: a process that was killed a moment ago may still hold a file.
            _run([program, "-l", str(each)])


def destroy(folder: Path) -> None:
    """The disk is gone."""
    unmount(folder)
    shutil.rmtree(folder)


def fill(folder: Path) -> None:
    """Take up what is free on its file system."""
    with suppress(OSError), (folder / _FILLER).open("wb", buffering=0) as filler:
        while filler.write(_BLOCK):
            pass


def relieve(folder: Path) -> None:
    """Give back what `fill` took."""
    (folder / _FILLER).unlink()


@cache
def may_mount() -> bool:
    """Whether file systems can be mounted here, by us: tried, once."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount(Path(folder), size=len(_BLOCK))
        except MountError:
            return False
        unmount(Path(folder))
        return True


def _run(command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603 - mount and umount, of this machine
        command, check=False, capture_output=True, text=True, timeout=_SECONDS
    )
    if done.returncode != 0:
        raise MountError(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()}")
