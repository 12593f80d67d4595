"""What is seen of an aggregator, from a process of our own and from answers as Fluent Bit gives them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from local.load import observe
from local.load.observe import Observer, buffered

# As Fluent Bit 5.1.1 and 1.8.15 answer.
METRICS = """# TYPE fluentbit_input_ingestion_paused gauge
fluentbit_input_ingestion_paused{name="forward"} %d
fluentbit_input_ingestion_paused{name="storage_backlog.1"} 0
"""
STORAGE = '{"input_chunks":{"forward":{"status":{"overlimit":%s,"mem_size":"2.1M"},"chunks":{"total":5}}}}'


@contextmanager
def answering(answers: dict[str, str]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = answers.get(self.path)
            self.send_response(404 if text is None else 200)
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "_ANSWER_SECONDS", 60)


def seen(folder: Path, port: int) -> Observer:
    observer = Observer(pid=os.getpid, buffer=folder, metrics_port=port)
    observer.look()
    sum(range(2_000_000))  # something for the processor to have done
    observer.look()
    return observer


@pytest.mark.parametrize(
    ("answers", "paused"),
    [
        ({"/api/v2/metrics/prometheus": METRICS % 1}, True),
        ({"/api/v2/metrics/prometheus": METRICS % 0}, False),
        ({"/api/v1/storage": STORAGE % "true"}, True),
        ({"/api/v1/storage": STORAGE % "false"}, False),
        ({"/api/v1/storage": "not JSON"}, False),
        ({"/api/v1/storage": "[]"}, False),
        ({}, False),
    ],
)
def test_paused_is_what_fluent_bit_says_old_or_new(tmp_path: Path, answers: dict[str, str], paused: bool):
    with answering(answers) as port:
        latest = seen(tmp_path, port).latest
    assert latest is not None
    assert latest.paused is paused


def test_a_silent_fluent_bit_stays_what_it_was(tmp_path: Path):
    answers = {"/api/v2/metrics/prometheus": METRICS % 1}
    with answering(answers) as port:
        observer = seen(tmp_path, port)
        answers.clear()
        observer.look()
    assert [each.paused for each in observer.observations] == [True, True]


def test_the_buffer_is_its_files(tmp_path: Path):
    (tmp_path / "forward.0").mkdir()
    (tmp_path / "forward.0" / "a.flb").write_bytes(bytes(1000))
    (tmp_path / "forward.0" / "b.flb").write_bytes(bytes(24))
    (tmp_path / "other.txt").write_bytes(bytes(5))
    assert buffered(tmp_path) == (2, 1024)
    latest = seen(tmp_path, 1).latest
    assert latest is not None
    assert (latest.chunks, latest.buffered) == (2, 1024)
    assert latest.cpu > 0
    assert latest.memory > 1_000_000


def test_a_process_that_is_gone_or_new_is_no_reading_of_its_own(tmp_path: Path):
    """Its successor's CPU begins at nothing: the difference to the first one's would be a negative load."""
    sleeping = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]) for _ in range(2)]
    try:
        pids = [sleeping[0].pid]
        observer = Observer(pid=lambda: pids[0], buffer=tmp_path, metrics_port=1)
        observer.look()
        observer.look()
        count = len(observer.observations)
        sleeping[0].kill()
        sleeping[0].wait()
        observer.look()
        assert len(observer.observations) == count == 1
        pids[0] = sleeping[1].pid
        observer.look()
        assert len(observer.observations) == count
        observer.look()
        assert len(observer.observations) == count + 1
        assert all(each.cpu >= 0 for each in observer.observations)
    finally:
        for each in sleeping:
            each.kill()
            each.wait()
