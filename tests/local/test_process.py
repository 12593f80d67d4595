"""A program that was started ends with its owner, in every way an owner can end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from local.process import Process, ProcessError, free_port, port_answers, start, start_piped

# Says that it is up, then waits for ever.
WAITS = "import time; print('up', flush=True); time.sleep(3600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(3600)"
HAS_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DEAF!r}])"
PATIENCE_SECONDS = 120


def python(code: str, log: Path, *, grace_seconds: float = 30) -> Process:
    return start([sys.executable, "-c", code], name="the test's program", log=log, grace_seconds=grace_seconds)


def says(log: Path, text: str) -> Callable[[], bool]:
    return lambda: log.exists() and text in log.read_text()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_output_and_error_go_to_the_log_and_the_status_is_the_programs(tmp_path: Path):
    code = "import sys; print('to out'); print('to err', file=sys.stderr); sys.exit(7)"
    with python(code, tmp_path / "log") as process:
        assert process.wait(timeout_seconds=PATIENCE_SECONDS) == 7
    assert set((tmp_path / "log").read_text().split("\n")) >= {"to out", "to err"}


def test_every_line_is_told_once_also_an_unfinished_last_one(tmp_path: Path):
    lines: list[str] = []
    code = r"import sys; sys.stdout.write('one\ntwo\n\xff three'); sys.stdout.flush()"
    with python(code, tmp_path / "log") as process:
        process.wait(timeout_seconds=PATIENCE_SECONDS, on_line=lines.append)
    assert lines == ["one", "two", "\xff three"]


def test_a_piped_programs_output_and_error_are_read_apart_to_their_end(tmp_path: Path):
    """Both end only when the program and all it started are gone."""
    code = (
        "import sys, time; print('to out', flush=True); print('to err', file=sys.stderr, flush=True); time.sleep(3600)"
    )
    with start_piped([sys.executable, "-c", code], name="x", log=tmp_path / "log") as (process, out, err):
        assert (out.readline(), err.readline()) == (b"to out\n", b"to err\n")
        assert process.stop() == 128 + signal.SIGTERM
        assert (out.read(), err.read()) == (b"", b"")
    assert (tmp_path / "log").read_bytes() == b""


def test_stopping_sends_sigterm_and_leaves_nobody(tmp_path: Path):
    with python(WAITS, tmp_path / "log") as process:
        process.wait_ready(says(tmp_path / "log", "up"), timeout_seconds=PATIENCE_SECONDS)
        assert process.stop() == 128 + signal.SIGTERM
    assert not alive(process.pid)
    assert process.stop() == 128 + signal.SIGTERM, "stopping again changes nothing"


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path):
    with python(DEAF, tmp_path / "log", grace_seconds=0.2) as process:
        process.wait_ready(says(tmp_path / "log", "up"), timeout_seconds=PATIENCE_SECONDS)
        assert process.stop() == 128 + signal.SIGKILL


def test_what_the_program_started_goes_with_it(tmp_path: Path):
    with python(HAS_CHILD, tmp_path / "log", grace_seconds=0.2) as process:
        process.wait_ready(says(tmp_path / "log", "up"), timeout_seconds=PATIENCE_SECONDS)
        (grandchild,) = psutil.Process(process.pid).children()
    assert not alive(process.pid)
    wait_for(lambda: not alive(grandchild.pid), "the grandchild, which was sent SIGKILL, is gone")


def test_what_outlives_the_program_in_its_group_goes_too(tmp_path: Path):
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {DEAF!r}]).pid, flush=True)"
    with python(code, tmp_path / "log") as process:
        process.wait(timeout_seconds=PATIENCE_SECONDS)
    orphan = int((tmp_path / "log").read_text().split()[0])
    wait_for(lambda: not alive(orphan), "the orphan, which was sent SIGKILL, is gone")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_program_and_its_children_die_with_their_owner(tmp_path: Path, number: signal.Signals):
    owner_code = (
        "import sys, time; from pathlib import Path; from local.process import start;"
        f"log = Path({str(tmp_path / 'log')!r}); argv = [sys.executable, '-c', {HAS_CHILD!r}];"
        "p = start(argv, name='x', log=log, grace_seconds=0.2);"
        "print(p.pid, flush=True); time.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", owner_code], stdout=subprocess.PIPE, text=True, process_group=0
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        wait_for(says(tmp_path / "log", "up"), "the grandchild is up")
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        os.killpg(owner.pid, number)  # as a time limit does: the leash must not be in the owner's group
        owner.wait(PATIENCE_SECONDS)
    assert len(family) == 2
    wait_for(lambda: not any(alive(member) for member in family), "the program and its child are gone")


def test_ctrl_c_reaches_the_owner_and_not_the_program(tmp_path: Path):
    """The owner stops what it started in its own order: here, after having said so."""
    owner_code = (
        "import sys, time; from pathlib import Path; from local.process import start\n"
        f"p = start([sys.executable, '-c', {WAITS!r}], name='x', log=Path({str(tmp_path / 'log')!r}))\n"
        "try: print(p.pid, flush=True); time.sleep(3600)\n"
        "except KeyboardInterrupt: time.sleep(0.3); print(p.exit_code, flush=True); p.stop()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", owner_code],
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
        # Where these tests run in a shell's background, SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        wait_for(says(tmp_path / "log", "up"), "the program is up")
        os.killpg(owner.pid, signal.SIGINT)  # what a terminal does
        assert owner.stdout.readline().strip() == "None", "the program was still running"
    assert not alive(pid)


def test_an_early_end_is_told_with_the_logs_tail(tmp_path: Path):
    code = "import sys; print('port 24224 is taken'); sys.exit(3)"
    with (
        python(code, tmp_path / "log") as process,
        pytest.raises(ProcessError, match=r"(?s)status 3 before it was listening.*port 24224 is taken"),
    ):
        process.wait_ready(lambda: False, timeout_seconds=PATIENCE_SECONDS, what="listening")


def test_never_ready_is_told_with_the_logs_tail(tmp_path: Path):
    with python(WAITS, tmp_path / "log") as process:
        process.wait_ready(says(tmp_path / "log", "up"), timeout_seconds=PATIENCE_SECONDS)
        with pytest.raises(ProcessError, match=r"(?s)not ready after 0\.05 s.*up"):
            process.wait_ready(lambda: False, timeout_seconds=0.05)


def test_taking_too_long_is_an_error_and_ends_it(tmp_path: Path):
    with python(WAITS, tmp_path / "log") as process:
        with pytest.raises(ProcessError, match=r"took longer than 0\.05 s"):
            process.wait(timeout_seconds=0.05)
        assert not alive(process.pid)


def test_a_program_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(ProcessError, match=r"a ghost could not be started: .*No such file.*/no/such/program"):
        start(["/no/such/program"], name="a ghost", log=tmp_path / "log")


def test_a_signal_reaches_the_program_and_is_harmless_after_its_end(tmp_path: Path):
    with python(WAITS, tmp_path / "log") as process:
        process.send(signal.SIGKILL)
        assert process.wait(timeout_seconds=PATIENCE_SECONDS) == 128 + signal.SIGKILL
        process.send(signal.SIGKILL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may choose whom a program runs as")
def test_root_may_run_a_program_as_another_user_without_roots_groups(tmp_path: Path):
    log = tmp_path / "log"
    argv = ["/bin/sh", "-c", "id -u; id -g; id -G; echo up; exec sleep 3600"]
    before = os.getgroups()
    os.setgroups([4])
    try:
        with start(argv, name="x", log=log, user=(65534, 65533)) as process:
            process.wait_ready(says(log, "up"), timeout_seconds=PATIENCE_SECONDS)
            assert process.stop() == 128 + signal.SIGTERM, "root's leash may stop it"
    finally:
        os.setgroups(before)
    assert log.read_text() == "65534\n65533\n65533\nup\n"


def test_a_free_port_is_given_to_nobody_but_who_asks_for_it() -> None:
    port = free_port()
    with socket.socket() as any_other, pytest.raises(OSError, match="in use"):
        any_other.bind(("127.0.0.1", port))  # as the kernel would for who asks for any port
    with socket.create_server(("127.0.0.1", port)):
        assert port_answers(port)


def test_a_port_answers_only_while_somebody_listens(tmp_path: Path):
    port = free_port()
    assert not port_answers(port)
    code = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(3600)"
    with python(code, tmp_path / "log") as process:
        process.wait_ready(lambda: port_answers(port), timeout_seconds=PATIENCE_SECONDS)
    assert not port_answers(port)
