"""`sluice demo`, as a user types it: the one test that goes through everything."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from opensearchpy import OpenSearch

from local.process import free_port
from sluice.search.questions import QUESTIONS

ROOT = Path(__file__).resolve().parents[2]
SLUICE = str(Path(sys.executable).with_name("sluice"))
REQUESTS = 120
PATIENCE_SECONDS = 240
DESTINATIONS = {"frontend": "opensearch", "backend": "s3", "catch-all": "s3"}

# What is looked at in the page, once it is drawn.
LOOK = """
const box = (element) => element.getBoundingClientRect();
const charts = [...document.querySelectorAll("section.chart")].map((chart) => {
  const svg = chart.querySelector("svg"), bars = [...chart.querySelectorAll("rect")];
  const stacks = {};
  for (const bar of bars) stacks[bar.getAttribute("x")] = (stacks[bar.getAttribute("x")] || 0) + box(bar).height;
  const axis = svg && box(svg.querySelector("line")), scale = svg && box(svg).width / svg.viewBox.baseVal.width;
  return {
    name: chart.dataset.name,
    bars: bars.filter((bar) => box(bar).height > 0 && box(bar).width > 0).length,
    outside: bars.filter((bar) => box(bar).bottom > axis.top + 2 || box(bar).right > axis.right + 8).length,
    tallest: Math.max(0, ...Object.values(stacks)),
    height: svg ? 180 * scale : 0,
    lines: chart.querySelectorAll("polyline").length,
    rows: chart.querySelectorAll("tr").length,
    legend: [...chart.querySelectorAll(".key")].map((key) => key.textContent),
  };
});
return {charts, overflow: document.documentElement.scrollWidth - window.innerWidth};
"""

pytestmark = pytest.mark.e2e


def project(folder: Path) -> Path:
    """The project in a folder of its own, so that a demo that runs beside the tests is not disturbed."""
    for name in ("app.py", "cdk.json", "uv.lock"):
        shutil.copy(ROOT / name, folder)
    # Two that begin at once would both take the usual port.
    config = (ROOT / "sluice.yaml").read_text()
    assert "port: 24224" in config
    (folder / "sluice.yaml").write_text(config.replace("port: 24224", f"port: {free_port()}"))
    for name in ("sluice", "stacks", "lambdas", "fluentbit-image", "node_modules", ".cache", ".venv"):
        (ROOT / name).mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("demo"))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
    assert {name: route["destination"] for name, route in routes.items()} == DESTINATIONS
    for route in routes.values():
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
    assert page.count("<polyline") == 2 + 3, "lines over time, and three percentiles of the delivery"


def test_what_opensearch_answers_is_in_the_report(report: Any) -> None:
    """The dashboard's questions, each asked of this run's documents; nothing failed, so that one has no answer."""
    assert report["indices"]
    assert all(index.startswith("sluice-local-frontend-20") for index in report["indices"])
    documents = sum(report["indices"].values())  # of two days, if midnight came in between
    assert report["charts"].keys() == {question.name for question in QUESTIONS} - {"failed"}
    assert report["charts"]["volume"] == report["charts"]["messages"] == documents
    assert 0 < report["charts"]["errors"] < documents
    lines = next(route["delivered"] for route in report["routes"] if route["name"] == "frontend")
    assert documents < lines - 10, "the lines of a trace come as records, and are one document"


def test_the_report_is_drawn_in_a_browser(report: Any, folder: Path, browser: Callable[[Path, str], Any]) -> None:
    assert report["complete"]
    seen = browser(folder / ".sluice" / "demo" / "report.html", LOOK)
    assert seen["overflow"] <= 0, "the page is wider than the window"
    charts = {chart["name"]: chart for chart in seen["charts"]}
    assert charts.keys() == report["charts"].keys()
    for name in ("volume", "severities", "errors"):
        drawn = charts[name]
        assert drawn["bars"] > 0
        assert drawn["outside"] == 0
        assert drawn["tallest"] == pytest.approx(drawn["height"], rel=0.02), "the most is the full height"
        assert drawn["legend"]
    assert charts["delay"]["lines"] == 3
    assert charts["messages"]["rows"] > 1
    assert charts["slowest"]["rows"] > 1


def test_what_rules_drop_and_redact_is_in_the_account_too(folder: Path, run: subprocess.CompletedProcess[str]) -> None:
    assert run.returncode == 0
    rules = """
    drop: [{name: pages, where: [{field: attributes.url.path, prefix: /products/}]}]
    redact: [{pattern: ipv4, action: hash}]"""
    config = (folder / "sluice.yaml").read_text().replace("    match: frontend*", f"    match: frontend*{rules}")
    (folder / "rules.yaml").write_text(config)
    command = [SLUICE, "demo", "--json", "--no-search", "--requests", str(REQUESTS), "--config", "rules.yaml"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=900)

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["indices"] == told["charts"] == {}
    assert "OpenSearch" not in done.stderr
    route = next(route for route in told["routes"] if route["name"] == "frontend")
    assert route["destination"] == "s3", "without an OpenSearch it goes to S3"
    assert REQUESTS / 10 < route["dropped"] < REQUESTS
    assert route["delivered"] + route["dropped"] == route["sent"]


KINESIS = """
name: sluice
environments: {dev: {}}
search: {kind: domain}
routes:
  - {name: frontend, match: "frontend*", via: kinesis, destination: {kind: opensearch}}
  - {name: backend, match: "backend*", via: kinesis}
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A demo through data streams that is left running, and what it says about itself."""
    folder = project(tmp_path_factory.mktemp("kept"))
    (folder / "kinesis.yaml").write_text(f"{KINESIS}listeners: [{{name: forward, port: {free_port()}}}]\n")
    command = [SLUICE, "demo", "--keep", "--requests", "60", "--config", "kinesis.yaml"]
    log = (folder / "log").open("w")
    demo = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    told = folder / ".sluice" / "demo" / "running.json"
    deadline = time.monotonic() + 600
    while not told.exists():
        assert demo.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    try:
        yield folder, json.loads(told.read_text())
    finally:
        demo.terminate()
        demo.wait(timeout=PATIENCE_SECONDS)


def found(folder: Path, *words: str) -> list[dict[str, Any]]:
    command = [SLUICE, "search", "--json", "--limit", "0", *words]
    told = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert told.returncode in {0, 1}, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_lines_come_through_data_streams(kept: tuple[Path, dict[str, Any]]) -> None:
    report = json.loads((kept[0] / ".sluice" / "demo" / "report.json").read_text())
    assert report["complete"] is True
    routes = {route["name"]: route for route in report["routes"]}
    assert {name: route["destination"] for name, route in routes.items()} == DESTINATIONS
    assert all(route["delivered"] == route["sent"] > 0 for route in routes.values())


def test_search_finds_a_line_wherever_it_went(kept: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = kept
    in_search = found(folder, "service:shop-web", "GET", "status:200", "last 30m")
    assert {document["resource"]["service"]["name"] for document in in_search} == {"shop-web"}
    in_s3 = found(folder, '"order taken"', "last 30m")
    assert {document["resource"]["service"]["name"] for document in in_s3} == {"shop-orders"}
    assert found(folder, "nobody-logs-this", "last 30m") == []


def test_tail_shows_what_is_sent_meanwhile(kept: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = kept
    tail = subprocess.Popen(
        [SLUICE, "tail", "--json", "--route", "frontend", "--every", "0.5"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert tail.stdout is not None
    (folder / "mine.log").write_text("a line of my own\n")
    port = next(line for line in (folder / "log").read_text().splitlines() if "sluice send" in line).rpartition(":")[2]
    subprocess.run(
        [SLUICE, "send", "mine.log", "--tag", "frontend-mine", "--to", f"127.0.0.1:{port}"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    try:
        shown = next(line for line in map(json.loads, tail.stdout) if line["body"] == "a line of my own")
    finally:
        tail.terminate()
        tail.wait(timeout=PATIENCE_SECONDS)
    assert shown["tag"] == "frontend-mine"


def test_what_failed_is_visible_where_people_search(kept: tuple[Path, dict[str, Any]]) -> None:
    """An object below failed/ reaches the failed index through the deployed rule and function."""
    _, running = kept
    s3 = boto3.client(
        "s3",
        endpoint_url=running["endpoint_url"],
        region_name=running["region"],
        aws_access_key_id=running["account"],
        aws_secret_access_key="none",
    )
    refused = {"errorCode": "400", "errorMessage": "no", "esIndexName": "i", "arrivalTimestamp": 1795255200000}
    key = "failed/route=frontend/reason=AmazonOpenSearchService-failed/year=2026/one"
    s3.put_object(Bucket=running["bucket"], Key=key, Body=json.dumps(refused | {"rawData": "e30="}).encode())
    search = OpenSearch(running["search"])
    deadline = time.monotonic() + PATIENCE_SECONDS
    hits: list[Any] = []
    while not hits and time.monotonic() < deadline:
        time.sleep(0.5)
        query = {"query": {"term": {"route": "frontend"}}}
        hits = search.search(index="sluice-local_failed*", body=query)["hits"]["hits"]
    [row] = [hit["_source"] for hit in hits]
    assert (row["reason"], row["code"], row["object"]) == (
        "AmazonOpenSearchService-failed",
        "400",
        f"s3://{running['bucket']}/{key}",
    )


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
    until(lambda: len(started_by(folder)) >= 4)
    os.killpg(demo.pid, signal.SIGINT)
    _, said = demo.communicate(timeout=PATIENCE_SECONDS)
    assert demo.returncode == 130, said
    assert "everything that was started is stopped" in said
    until(lambda: started_by(folder) == [])  # what was sent SIGKILL needs a moment


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
