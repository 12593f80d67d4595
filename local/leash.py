"""Run one program on a leash: it stops when the leash is let go, deliberately or by death.

Mechanism: whoever starts this file (`local.process`) holds the write end of its standard input. The
kernel closes that end when the holder dies, even by SIGKILL, so end-of-file is the one signal that
means "stop", on Linux and macOS alike (`PR_SET_PDEATHSIG` follows the *thread* that forked, and macOS
has none). The program gets a process group of its own in a session without a terminal, so a Ctrl-C at
the keyboard reaches the owner alone. The leash waits without reaping, which keeps the group's number
from being reused until what is left of the group was killed.

Cost: one idle interpreter per program (about 10 MB, 15 ms to start). What it cannot see: a program that
leaves its process group (a daemon that calls setsid).

Usage: `python -I -S leash.py GRACE_SECONDS OUT ERR USER PROGRAM [ARGUMENT …]`, where USER is `UID:GID` or, for the
leash's own, `-`. The first line of standard output is `started PID` or `failed REASON`; the program's own output goes
to the inherited file descriptors OUT and ERR.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

_POLL_SECONDS = 0.01


def main(arguments: list[str]) -> int:
    """Start the program, wait for its end or the leash's, and answer its exit code (128 + signal)."""
    grace_seconds, out, err, argv = float(arguments[0]), int(arguments[1]), int(arguments[2]), arguments[4:]
    user, group = (None, None) if arguments[3] == "-" else map(int, arguments[3].split(":"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    child_ended = _wake_up_on_child()
    try:
        program = subprocess.Popen(  # noqa: S603 - running what it is told is its purpose
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            process_group=0,
            user=user,
            group=group,
            extra_groups=None if group is None else [],
            preexec_fn=_default_signals,  # noqa: PLW1509 - one thread only
        )
    except OSError as error:
        _answer(f"failed {error}")
        return 127
    for descriptor in {out, err} - {sys.stderr.fileno()}:
        os.close(descriptor)  # or whoever reads them would never see the program's end
    _answer(f"started {program.pid}")
    while not _ended(program.pid):
        readable, _, _ = select.select([sys.stdin.fileno(), child_ended], [], [])
        if child_ended in readable:
            os.read(child_ended, 4096)
        if sys.stdin.fileno() in readable and not os.read(sys.stdin.fileno(), 4096):
            _stop(program.pid, grace_seconds)
            break
    _signal_group(program.pid, signal.SIGKILL)
    code = program.wait()
    return code if code >= 0 else 128 - code


def _wake_up_on_child() -> int:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return read_end


def _default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _answer(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), f"{line}\n".encode())
    os.close(sys.stdout.fileno())


def _ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _stop(pid: int, grace_seconds: float) -> None:
    _signal_group(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while not _ended(pid) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _signal_group(pid: int, number: signal.Signals) -> None:
    # macOS answers EPERM for a group whose only member is a zombie.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


if __name__ == "__main__":
    # At once: nothing here needs the interpreter's farewell, and stdout is closed already.
    os._exit(main(sys.argv[1:]))
