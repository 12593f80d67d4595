"""The load against a real Fluent Bit: it takes every format from every kind of client, and all of it arrives."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.journal import Journal
from loadtest.marker import Marker, find
from loadtest.messages import text_of
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile

pytestmark = pytest.mark.fluent_bit
PATIENCE_SECONDS = 120
FORMATS = {"text": 1, "access": 1, "json": 1, "multiline": 1, "split": 1, "hostile": 2}
CARRY = Path(__file__).resolve().parents[3] / "fluentbit-image" / "carry.lua"
LINE = re.compile(r"^([^ ]+): \[(\d+)\.(\d{9}), (.*)\]$")


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.02)


class FluentBit:
    """Takes forward and OTLP, buffers on disk, spells what is not UTF-8, and writes a file."""

    def __init__(self, binary: str, folder: Path) -> None:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            self.forward, self.otlp = one.getsockname(), other.getsockname()
        self._out, self._log = folder / "out", folder / "log"
        config = folder / "fluent-bit.yaml"
        config.write_text(f"""
service: {{flush: 0.1, grace: 5, log_level: warn, json.escape_unicode: off, storage.path: {folder}/buffer}}
pipeline:
  inputs:
    - {{name: forward, listen: 127.0.0.1, port: {self.forward[1]}, storage.type: filesystem}}
    - {{name: opentelemetry, listen: 127.0.0.1, port: {self.otlp[1]}, storage.type: filesystem}}
  filters:
    - {{name: lua, match: '*', script: {CARRY}, call: carry, time_as_table: on}}
  outputs:
    - {{name: file, match: '*', path: {folder}, file: out}}
""")
        self._command = [binary, "-c", str(config)]
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(self._listens, "Fluent Bit to listen")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stored(self) -> list[tuple[str, int, dict[str, Any]]]:
        """(tag, Unix nanoseconds, record) of each whole line."""
        lines = self._out.read_bytes().rpartition(b"\n")[0].decode().splitlines() if self._out.exists() else []
        matches = [match for match in map(LINE.match, lines) if match]
        return [(m[1], int(m[2]) * 10**9 + int(m[3]), json.loads(m[4])) for m in matches]

    def markers(self) -> Counter[Marker]:
        return Counter(find(self._out.read_bytes() if self._out.exists() else b""))

    def _listens(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        with contextlib.suppress(OSError):
            for address in (self.forward, self.otlp):
                socket.create_connection(address).close()
            return True
        return False


@pytest.fixture
def fluent_bit(fluent_bit_5: str, tmp_path: Path) -> Iterator[FluentBit]:
    folder = tmp_path / "fluent-bit"
    folder.mkdir()
    running = FluentBit(fluent_bit_5, folder)
    yield running
    running.process.terminate()
    running.process.wait(PATIENCE_SECONDS)


def plan_of(*loads: dict[str, object], seconds: float = 1) -> Plan:
    said = [{"messages_per_second": 300, "size": {"median": 250, "sigma": 0.7}, "formats": FORMATS} | x for x in loads]
    return make_plan(Profile.model_validate({"name": "test", "seconds": seconds, "loads": said}), run=0x5A5A5A5A)


def sent(plan: Plan, journal: Journal) -> set[tuple[int, int]]:
    numbers = {(source, number) for source, count in journal.sent.items() for number in range(count)}
    assert numbers == {(source.number, number) for source in plan for number in range(plan.count(source))}
    return numbers


def acknowledged(journal: Journal) -> set[tuple[int, int]]:
    ranges = [(source, first, end) for source, each in journal.acknowledged.items() for first, end in each]
    return {(source, number) for source, first, end in ranges for number in range(first, end)}


def delivered(text: str) -> str:
    """As the aggregator spells it (fluentbit-image/carry.lua)."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def test_every_kind_of_client_and_format_arrives_as_it_was_sent(fluent_bit: FluentBit, sending: Any) -> None:
    plan = plan_of(
        {"name": "docker", "tag": "docker", "client": "docker", "connections": 2},
        {"name": "firelens", "tag": "firelens", "client": "firelens", "connections": 2},
        {"name": "gzip", "tag": "gzip", "client": "agent", "compress": True},
        {"name": "silent", "tag": "silent", "client": "firelens", "ack": False},
    )
    journal = sending(plan, {load.name: fluent_bit.forward for load in plan.profile.loads}).wait()
    expected = sent(plan, journal)
    assert acknowledged(journal) == {key for key in expected if plan.sources[key[0]].load.ack}
    until(lambda: len(fluent_bit.markers()) >= len(expected), "all of it")
    assert set(fluent_bit.markers().values()) == {1}
    for tag, at, record in fluent_bit.stored():
        (marker,) = find(record["log"].encode())
        source = plan.sources[marker.source]
        assert (tag, at) == (source.load.tag, marker.due_unix_nano)
        assert record["log"] == delivered(text_of(plan, source, marker.sequence, at))


@pytest.mark.parametrize("compress", [False, True])
def test_otlp_arrives_as_it_was_sent(fluent_bit: FluentBit, sending: Any, *, compress: bool) -> None:
    plan = plan_of({"name": "otlp", "tag": "otlp", "client": "otlp", "connections": 2, "compress": compress})
    journal = sending(plan, {"otlp": fluent_bit.otlp}).wait()
    expected = sent(plan, journal)
    assert acknowledged(journal) == expected
    until(lambda: len(fluent_bit.markers()) >= len(expected), "all of it")
    for _, at, record in fluent_bit.stored():
        (marker,) = find(record["log"].encode())
        assert at == marker.due_unix_nano
        assert record["log"] == text_of(plan, plan.sources[marker.source], marker.sequence, at)


def test_nothing_acknowledged_is_lost_when_it_is_killed(fluent_bit: FluentBit, sending: Any) -> None:
    plan = plan_of(
        {"name": "docker", "tag": "docker", "client": "docker", "connections": 2},
        {"name": "firelens", "tag": "firelens", "client": "firelens", "messages_per_second": 3000},
        seconds=2,
    )
    load = sending(plan, {each.name: fluent_bit.forward for each in plan.profile.loads})
    until(lambda: load.told and load.told[-1].acknowledged > 200, "some acknowledgements")
    fluent_bit.kill()
    time.sleep(0.3)
    fluent_bit.start()
    journal = load.wait()
    expected = sent(plan, journal)
    assert acknowledged(journal) == expected
    assert journal.errors == []

    def arrived() -> set[tuple[int, int]]:
        return {(marker.source, marker.sequence) for marker in fluent_bit.markers()}

    until(lambda: arrived() == expected, "all of it")
