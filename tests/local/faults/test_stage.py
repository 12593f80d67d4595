"""Events for real: what acknowledged clients lose where they must not, and what is reported where they must."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from loadtest.account import Account
from loadtest.clients import Batch, Container, Source
from loadtest.forward import ForwardClient
from loadtest.ledger import Ledger
from loadtest.lines import Line
from loadtest.verify import Delivery, verify
from local.faults import clock, controls, deployments, disk, machine, needs, tasks
from local.faults.stage import NeverStruckError, Setting, Stage, with_gate
from local.firehose import Faults
from sluice import globs
from sluice.fluent_bit import Sections
from sluice.load import load
from sluice.model import deployment

pytestmark = pytest.mark.fluent_bit

TAGS = ("backend-orders", "backend-stock", "something.else")
EVERY_SECONDS = 0.05
PATIENCE_SECONDS = 120


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Clients:
    """Some clients that send ten records every 50 ms, each acknowledged in the end, until they are told to stop."""

    def __init__(self, stage: Stage) -> None:
        self.ledger = Ledger()
        self._stage, self._end = stage, threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(tag,)) for tag in TAGS]

    def _send(self, tag: str) -> None:
        source = Source(container=Container.new(tag), tag=tag, client="test", ledger=self.ledger)
        with ForwardClient(*self._stage.to, window=4, ack_timeout=3) as client:
            batch = Batch(client, source=source, ack=True, compress=False)
            while not self._end.wait(EVERY_SECONDS):
                for _ in range(10):
                    batch.add(Line("stdout", f'{{"message": "{tag} {source.stamped}"}}'))
                batch.send()

    @contextmanager
    def sending(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            until(lambda: {sent.tag for sent in self.ledger if sent.acknowledged_at is not None} == set(TAGS))
            yield
            time.sleep(0.5)
        finally:
            self._end.set()
            for thread in self._threads:
                thread.join()


def account(stage: Stage, happening: Callable[[Stage], None]) -> Account:
    """What became of what clients sent while something happened."""
    clients = Clients(stage)
    with clients.sending():
        happening(stage)
    assert stage.settle(timeout=2 * PATIENCE_SECONDS)
    deliveries, failures = [], []
    for reader in stage.readers():
        for found in reader.poll():
            for line in (line for block in found.lines for line in block.splitlines()):
                if found.failed is None:
                    deliveries.append(Delivery(json.loads(line), found.readable_at, found.route))
                else:
                    failures.append(json.loads(line))
    told = verify(
        clients.ledger,
        deliveries,
        failures,
        dropped={},
        route_of=lambda tag: next(r.name for r in stage.deployment.routes if globs.matches(r.match, tag)),
        destinations={},
    )
    assert sum(route.acknowledged for route in told.routes) == len(clients.ledger) > 0
    return told


def lost(told: Account) -> int:
    return sum(route.lost for route in told.routes)


def test_deployments_lose_nothing_and_in_a_broken_order_they_do(staged: Callable[..., Stage]) -> None:
    """Two in ECS's order; then the old tasks are killed at once, and their disks are gone: that has to be seen."""
    stage = staged()

    def twice(stage: Stage) -> None:
        for _ in range(2):
            deployments.rolling_deployment(stage)

    holds(account(stage, twice))
    assert len(stage.aggregators) == 2

    def broken(stage: Stage) -> None:
        for old in stage.aggregators:
            stage.lose(old)

    assert lost(account(stage, while_firehose_takes_nothing(broken))) > 0


def holds(told: Account) -> None:
    assert told.complete, told.to_json(seconds=0)


def test_a_crash_loses_nothing_and_a_lost_disk_does(staged: Callable[..., Stage]) -> None:
    stage = staged()
    holds(account(stage, while_firehose_takes_nothing(tasks.crash_all)))
    assert lost(account(stage, while_firehose_takes_nothing(tasks.lose))) > 0


def while_firehose_takes_nothing(happening: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """So that it is the buffers that are asked."""

    def act(stage: Stage) -> None:
        stage.firehose.inject(Faults(throttle=True))
        until(lambda: not any(aggregator.is_empty() for aggregator in stage.aggregators))
        time.sleep(1)
        happening(stage)
        stage.firehose.inject(Faults())

    return act


def test_memory_for_a_buffer_is_reported_as_loss(staged: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    """A negative control: the same fault as above, which the rendered configuration survives."""
    monkeypatch.setattr(controls, "GATHERING_SECONDS", 3.0)
    monkeypatch.setattr(controls, "RECOVERY_SECONDS", 1.0)
    stage = staged(count=1)

    def edit(sections: Sections) -> Sections:
        edited = controls.memory_storage(sections)
        return replace(edited, service={**edited.service, "scheduler.cap": 2})  # to wait for a retry for less time

    assert lost(account(stage, controls.under(edit, controls.killed))) > 0


def test_a_full_disk_stops_acknowledgements_and_loses_none(
    staged: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not disk.may_mount():
        pytest.skip("file systems cannot be mounted here")
    monkeypatch.setattr(machine, "FULL_SECONDS", 1.5)
    monkeypatch.setattr(machine, "_EACH_SECONDS", 0.5)
    stage = staged(count=1)
    holds(account(stage, machine.full_disk))
    assert not [mount for mount in Path("/proc/mounts").read_text().splitlines() if str(stage.folder) in mount]


def test_an_aggregators_clock_is_set_while_it_runs(staged: Callable[..., Stage], tmp_path: Path) -> None:
    missing = clock.lacking(log=tmp_path / "install.log")
    if missing:
        pytest.skip(missing)
    stage = staged(count=1)
    false = clock.FalseClock(tmp_path / "clock")
    stage.become(Setting(wrapper=false.wrapper))
    running = stage.aggregators[0]
    false.set(3 * machine.HOUR)
    time.sleep(clock.CACHE_SECONDS + 0.5)
    running.stop()
    told = re.findall(r"^\[(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)", running.process.log.read_text(), re.MULTILINE)
    first, last = (datetime.strptime(each, "%Y/%m/%d %H:%M:%S") for each in (told[0], told[-1]))
    assert last - first > timedelta(hours=3)


def test_what_a_machine_lacks_is_told(staged: Callable[..., Stage], tmp_path: Path) -> None:
    stage = staged(count=1)
    assert needs.lacking(None, stage, log=tmp_path / "log") is None
    assert "OpenSearch" in str(needs.lacking("opensearch", stage, log=tmp_path / "log"))
    assert "no listener" in str(needs.lacking("gate", stage, log=tmp_path / "log"))


def test_a_gate_is_added_where_there_is_none() -> None:
    here = deployment(load(Path(__file__).resolve().parents[3] / "sluice.yaml"), "dev")
    there = with_gate(here)
    assert [listener.port for listener in there.listening("accepted")] == [24225]
    assert there.listening("stored") == here.listening("stored")
    assert with_gate(there) == there


def test_a_throttle_that_nobody_met_is_no_fault(staged: Callable[..., Stage]) -> None:
    """Nothing was sent, so nothing was refused: what happened meanwhile proves nothing."""
    stage = staged(count=1)
    with pytest.raises(NeverStruckError, match="throttled nobody"), stage.throttled():
        pass
    assert not stage.firehose.faults.throttle
