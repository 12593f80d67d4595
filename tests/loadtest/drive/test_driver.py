"""The sending processes: they begin together, share the sources, and are gone when they should be."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from loadtest.drive import Driver, DriverError
from loadtest.journal import Journal
from loadtest.marker import find
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile

PATIENCE_SECONDS = 120


def plan_of(*, seconds: float = 0.5, processes: int = 1, **load: object) -> Plan:
    said = {"name": "web", "tag": "web", "client": "docker", "messages_per_second": 200} | load
    profile = {"name": "test", "seconds": seconds, "processes": processes, "loads": [said]}
    return make_plan(Profile.model_validate(profile), run=0x5A5A5A5A)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s"
        time.sleep(0.01)


def arrived(server: Any) -> set[tuple[int, int]]:
    return {(m.source, m.sequence) for _, record in server.entries for m in find(record["log"].encode())}


def sent(journal: Journal) -> set[tuple[int, int]]:
    return {(source, number) for source, count in journal.sent.items() for number in range(count)}


def test_processes_share_the_sources_and_agree_on_the_beginning(server: Any, tmp_path: Path) -> None:
    plan = plan_of(processes=2, connections=5)
    with server() as target, Driver(plan, to={"web": target.address}, folder=tmp_path / "run") as driver:
        assert len(set(driver.pids)) == 2
        journal = driver.wait(timeout=PATIENCE_SECONDS)
        progress = driver.progress()
    everything = {(source.number, number) for source in plan for number in range(plan.count(source))}
    assert arrived(target) == sent(journal) == everything
    assert (journal.run, journal.began, journal.errors, journal.unended) == (plan.run, driver.began, [], 0)
    assert (progress.sent, progress.acknowledged, progress.ended) == (len(everything), len(everything), True)
    assert progress.bytes == sum(len(record["log"]) for _, record in target.entries)
    assert progress.errors == ()
    due = [marker.due_unix_nano for _, record in target.entries for marker in find(record["log"].encode())]
    assert all(driver.began * 1e9 <= at <= (driver.began + 0.5) * 1e9 + 1000 for at in due)


def test_machines_share_a_load(server: Any, tmp_path: Path) -> None:
    plan = plan_of(connections=3)
    with server() as target:
        drivers = [Driver(plan, to={"web": target.address}, folder=tmp_path, share=(i, 2)) for i in range(2)]
        with drivers[0] as one, drivers[1] as other:
            one.wait(timeout=PATIENCE_SECONDS)
            journal = other.wait(timeout=PATIENCE_SECONDS)
        per_source = Counter(source for source, _ in arrived(target))
    assert per_source == Counter({source.number: plan.count(source) for source in plan})
    assert len(journal.sent) == 3
    assert {file.name for file in tmp_path.glob("sent-*")} == {"sent-0.jsonl", "sent-1.jsonl"}


def test_a_stop_ends_the_load_cleanly(server: Any, tmp_path: Path) -> None:
    with server() as target:
        plan = plan_of(seconds=3600)
        with Driver(plan, to={"web": target.address}, folder=tmp_path) as driver:
            until(lambda: driver.progress().acknowledged > 3)
            with pytest.raises(TimeoutError, match="has not ended"):
                driver.wait(timeout=0.1)
            driver.stop()
            journal = driver.wait(timeout=PATIENCE_SECONDS)
    assert sent(journal) == arrived(target)
    assert journal.acknowledged == {0: journal.acknowledged[0]}
    assert sum(end - first for first, end in journal.acknowledged[0]) == journal.sent[0]
    assert (journal.errors, journal.unended) == ([], 0)


def test_a_sigterm_is_a_stop(server: Any, tmp_path: Path) -> None:
    with (
        server() as target,
        Driver(plan_of(seconds=3600), to={"web": target.address}, folder=tmp_path) as driver,
    ):
        until(lambda: driver.progress().sent)
        os.kill(driver.pids[0], signal.SIGTERM)
        journal = driver.wait(timeout=PATIENCE_SECONDS)
    assert (journal.errors, journal.unended) == ([], 0)


def test_leaving_the_block_leaves_nothing_running(server: Any, tmp_path: Path) -> None:
    with server(lambda _: b"") as target:
        with Driver(
            plan_of(seconds=3600, processes=2, connections=2), to={"web": target.address}, folder=tmp_path
        ) as it:
            pids = it.pids
            until(lambda: target.received)
        assert not any(map(psutil.pid_exists, pids))
    assert sent(Journal.read(tmp_path)) >= arrived(target)


def test_a_sender_that_is_killed_is_an_error_and_its_journal_is_unended(server: Any, tmp_path: Path) -> None:
    with server() as target, Driver(plan_of(seconds=3600), to={"web": target.address}, folder=tmp_path) as driver:
        until(lambda: driver.progress().sent)
        os.kill(driver.pids[0], signal.SIGKILL)
        journal = driver.wait(timeout=PATIENCE_SECONDS)
        (error,) = driver.progress().errors
    assert "status -9" in error
    assert journal.unended == 1


def test_senders_end_when_who_started_them_is_killed(server: Any, tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from loadtest.drive import Driver
from loadtest.plan import make_plan
from loadtest.profile import Profile
load = {"name": "web", "tag": "web", "client": "docker", "messages_per_second": 200}
plan = make_plan(Profile.model_validate({"name": "test", "seconds": 3600, "loads": [load]}))
with Driver(plan, to={"web": ("127.0.0.1", int(sys.argv[1]))}, folder=Path(sys.argv[2])) as driver:
    print(driver.pids[0], flush=True)
    time.sleep(600)
"""
    with server() as target:
        command = [sys.executable, "-c", program, str(target.address[1]), str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            worker = int(parent.stdout.readline())
            until(lambda: target.received)
            parent.kill()
        until(lambda: not psutil.pid_exists(worker))
        assert sent(Journal.read(tmp_path)) >= arrived(target)
    assert "the process that started it" in Journal.read(tmp_path).errors[0]


def test_errors_of_sources_are_seen_while_the_load_goes_on(server: Any, tmp_path: Path) -> None:
    with server() as nobody:
        gone = nobody.address
    plan = plan_of(connections=2, seconds=1)
    with Driver(plan, to={"web": gone}, folder=tmp_path, give_up_after=0.3) as driver:
        until(lambda: driver.progress().errors)
        journal = driver.wait(timeout=PATIENCE_SECONDS)
    assert "gave up" in journal.errors[0]


def test_a_load_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no address for web"):
        Driver(plan_of(), to={"api": ("127.0.0.1", 1)}, folder=tmp_path)


def test_otlp_without_acknowledgements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="HTTP always answers"):
        Driver(plan_of(client="otlp", ack=False), to={"web": ("127.0.0.1", 1)}, folder=tmp_path)


def test_a_sender_that_cannot_begin_says_why(tmp_path: Path) -> None:
    plan = replace(plan_of(), run=1 << 40)
    with (
        pytest.raises(DriverError, match="does not fit into 8 letters"),
        Driver(plan, to={"web": ("127.0.0.1", 1)}, folder=tmp_path),
    ):
        pytest.fail("it began")
    assert Journal.read(tmp_path).sent == {}
