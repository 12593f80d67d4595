"""A clock of a task's own, that can be set while it runs: libfaketime, which reads what time it is from a file.

Only the time of day is set; the monotonic clock goes on, as it does on a machine whose clock is corrected. It sees the
file at most a second later. AWS refuses calls that are signed more than five minutes off, and Fluent Bit tries again;
the local Firehose looks at no signature.
"""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from local import making

CACHE_SECONDS: Final = 1
_PROGRAM: Final = "faketime"
_INSTALL_SECONDS: Final = 300
_SECONDS: Final = 10


class FalseClock:
    """The clock of the tasks that are run with its `wrapper`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    @property
    def wrapper(self) -> tuple[str, ...]:
        """The command that is to run a program by this clock."""
        settings = {
            "LD_PRELOAD": _library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(CACHE_SECONDS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        return ("env", *(f"{name}={value}" for name, value in settings.items()))

    def set(self, seconds: int) -> None:
        """Be so many seconds before the time of day, or behind it where they are negative."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(self._file)


def lacking(*, log: Path) -> str | None:
    """Why there is no false clock here; as root, faketime is installed where it is missing. ProcessError as install."""
    if not shutil.which(_PROGRAM) and making.may_install():
        making.install([_PROGRAM], log=log, seconds=_INSTALL_SECONDS)
    return None if shutil.which(_PROGRAM) else f"faketime is not there: {making.installing([_PROGRAM])}"


@cache
def _library() -> str:
    """What the program `faketime` preloads: the path differs by distribution and processor."""
    program = shutil.which(_PROGRAM) or _PROGRAM
    asked = [program, "-f", "+0", "printenv", "LD_PRELOAD"]
    return subprocess.run(  # noqa: S603 - a program of this machine
        asked, check=True, capture_output=True, text=True, timeout=_SECONDS
    ).stdout.strip()
