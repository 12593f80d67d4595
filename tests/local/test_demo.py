"""`sluice demo`, as a user types it: the one test that goes through everything."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
SLUICE = str(Path(sys.executable).with_name("sluice"))
REQUESTS = 120

pytestmark = pytest.mark.e2e


def project(folder: Path) -> Path:
    """The project in a folder of its own, so that a demo that runs beside the tests is not disturbed."""
    for name in ("app.py", "cdk.json", "sluice.yaml", "uv.lock"):
        shutil.copy(ROOT / name, folder)
    for name in ("sluice", "stacks", "lambdas", "fluentbit-image", "node_modules", ".cache", ".venv"):
        (ROOT / name).mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("demo"))


def started_by(folder: Path) -> list[str]:
    """Command lines of processes that work for a demo in that folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if str(folder) in " ".join(words) or str(folder) in process.cwd():
                found.append(" ".join(words))
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [SLUICE, "demo", "--json", "--requests", str(REQUESTS)]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="module")
def report(run: subprocess.CompletedProcess[str]) -> Any:
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)


def test_every_line_of_every_route_is_delivered(report: Any) -> None:
    routes = {route["name"]: route for route in report["routes"]}
    assert set(routes) == {"frontend", "backend", "catch-all"}
    for route in routes.values():
        assert route["destination"] == "s3"
        assert route["delivered"] == route["sent"] == route["acknowledged"] > 0
        assert route["failed"] == route["dropped"] == route["lost"] == 0
        assert not any(route["violations"].values()), route
        assert 0 < route["latency_ms"]["p50"] <= route["latency_ms"]["p99"]
    # One access-log line for each request, and what gunicorn says besides.
    assert routes["frontend"]["sent"] >= REQUESTS
    assert report["complete"] is True


def test_the_sample_shows_what_the_transformer_did(report: Any) -> None:
    before, after = json.loads(report["sample"]["before"]), report["sample"]["after"]
    assert after["body"] == before["event"]
    assert after["resource"]["aws"]["ecs"]["task"]["family"] == "shop-orders"
    assert after["tag"].startswith("backend-orders-firelens-")
    assert len(after["event_id"]) == 32


def test_the_reports_say_the_same(report: Any, folder: Path) -> None:
    written = folder / ".sluice" / "demo"
    assert json.loads((written / "report.json").read_text()) == report
    page = (written / "report.html").read_text()
    assert "Every line is accounted for" in page
    assert report["bucket"] in page
    assert page.count("<polyline") == 2


def test_what_rules_drop_and_redact_is_in_the_account_too(folder: Path, run: subprocess.CompletedProcess[str]) -> None:
    assert run.returncode == 0
    rules = """
    drop: [{name: pages, where: [{field: attributes.url.path, prefix: /products/}]}]
    redact: [{pattern: ipv4, action: hash}]"""
    told = (ROOT / "sluice.yaml").read_text().replace("    match: frontend*", f"    match: frontend*{rules}")
    (folder / "rules.yaml").write_text(told)
    command = [SLUICE, "demo", "--json", "--requests", str(REQUESTS), "--config", "rules.yaml"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=900)

    assert done.returncode == 0, done.stdout + done.stderr
    route = next(route for route in json.loads(done.stdout)["routes"] if route["name"] == "frontend")
    assert REQUESTS / 10 < route["dropped"] < REQUESTS
    assert route["delivered"] + route["dropped"] == route["sent"]


def test_nothing_is_left_running(report: Any, folder: Path) -> None:
    assert report["complete"]
    assert started_by(folder) == []


def test_ctrl_c_stops_everything(folder: Path, run: subprocess.CompletedProcess[str]) -> None:
    assert run.returncode == 0
    # A session of its own, and the signal to all of it, as a terminal does.
    demo = subprocess.Popen(
        [SLUICE, "demo"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Where these tests run in a shell's background, SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    )
    assert demo.stderr is not None
    for line in demo.stderr:
        if "Start the AWS emulator" in line:
            break
    deadline = time.monotonic() + 60
    while len(started_by(folder)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(demo.pid, signal.SIGINT)
    _, said = demo.communicate(timeout=60)
    assert demo.returncode == 130, said
    assert "everything that was started is stopped" in said
    assert started_by(folder) == []


def test_a_pipeline_that_loses_lines_is_told(tmp_path: Path) -> None:
    """The negative control: a filter that drops what it should carry, and a demo that must not call that complete."""
    folder = project(tmp_path)
    (folder / "fluentbit-image").unlink()
    shutil.copytree(ROOT / "fluentbit-image", folder / "fluentbit-image")
    script = folder / "fluentbit-image" / "carry.lua"
    carries = "    record._tag ="
    assert carries in script.read_text()
    loses = '    if tag == "in.frontend-web" and tostring(record.log):find("cup") then return -1, time, record end\n'
    script.write_text(script.read_text().replace(carries, loses + carries))

    command = [SLUICE, "demo", "--json", "--requests", "60"]
    run = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=900)

    assert run.returncode == 1, run.stderr
    report = json.loads(run.stdout)
    lost = {route["name"]: route["lost"] for route in report["routes"]}
    assert lost["frontend"] > 0
    assert lost["backend"] == lost["catch-all"] == 0
    assert report["complete"] is False
    assert "Not every line is accounted for" in (folder / ".sluice" / "demo" / "report.html").read_text()
