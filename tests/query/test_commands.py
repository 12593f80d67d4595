import json
import re
import select
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from query import commands, places
from query.times import timestamp
from tests.query.stage import BUCKET, CONFIG, at_ns, document, put_object

NOW = at_ns("2026-11-21T12:30:00Z")  # midnight nowhere on earth
RECENT = NOW - 300 * 10**9
PATIENCE_SECONDS = 120


@pytest.fixture
def sluice(tmp_path, monkeypatch):
    """Run a command at that time, in a folder that has a sluice.yaml, at 80 columns."""
    (tmp_path / "sluice.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "time", SimpleNamespace(time_ns=lambda: NOW, sleep=time.sleep))
    app = typer.Typer()
    app.command()(commands.search)
    app.command()(commands.tail)

    def run(*arguments: str) -> Result:
        return CliRunner(env={"COLUMNS": "80"}).invoke(app, arguments)

    return run


@pytest.fixture
def delivered(s3, indices, monkeypatch):
    """A document in each place, and one in both."""
    monkeypatch.setattr(places, "indices", lambda *_: [f"{indices.prefix}-2*"])
    both = document("refused twice", time=timestamp(RECENT), level="error", event_id="b" * 32)
    stored = document("refused in s3", time=timestamp(RECENT + 10**9), level="warn", service="checkout")
    keys = [put_object(s3, both, stored, hour="2026/11/21/12")]
    indices.put(both, document("refused in search", time=timestamp(RECENT + 2 * 10**9), order_id="o-1"))
    yield indices.url
    for key in keys:
        s3.delete_object(Bucket=BUCKET, Key=key)


def test_all_routes_are_searched_and_merged_by_time(sluice, delivered):
    result = sluice("search", "refused", "last", "15m", "--endpoint", delivered)
    assert result.exit_code == 0, result.output
    assert [line[30:].split(None, 1)[1] for line in result.stdout.splitlines()] == [
        "-                refused in search",
        "checkout         refused in s3",
        "-                refused twice",
    ]


def test_json_is_a_document_a_line(sluice, delivered):
    result = sluice("search", "error last 15m", "--endpoint", delivered, "--json", "--oldest")
    assert [json.loads(line)["event_id"] for line in result.stdout.splitlines()] == ["b" * 32]
    result = sluice("search", "last 15m", "--endpoint", delivered, "--json", "--fields", "order_id,level", "-n", "1")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [{"order_id": "o-1", "level": None}]


def test_a_route_is_searched_alone(sluice, delivered):
    result = sluice("search", "--route", "shop", "--json", "--fields", "body")
    assert [json.loads(line)["body"] for line in result.stdout.splitlines()] == ["refused in s3", "refused twice"]
    result = sluice("search", "--route", "web", "--json", "--fields", "body", "--endpoint", delivered)
    assert [json.loads(line)["body"] for line in result.stdout.splitlines()] == ["refused in search", "refused twice"]


def test_nothing_found_says_where_it_looked_and_what_there_is(sluice, delivered):
    result = sluice("search", "nowhere last 15m", "--endpoint", delivered, "--utc")
    assert result.exit_code == 1
    assert result.stdout == ""
    told = " ".join(result.stderr.split())
    assert "nothing found in environment dev, routes web, web-2nd, shop, catch-all, from 20" in told
    assert "UTC" in told
    assert f"OpenSearch at {delivered.removeprefix('http://')} has 2 documents of that time" in told
    assert f"s3://{BUCKET} has 2 documents of that time" in told
    result = sluice("search", "from 2026-01-01 to 2026-01-02", "--endpoint", delivered)
    assert "has 0 documents of that time; the newest there is: 20" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["level>=loud"], "sluice: 'loud' is no severity\n  level>=loud\n         ^^^^\nwrite level>=warn"),
        (["--env", "live"], "there is no environment 'live'; there are dev, prod"),
        (["--route", "cart"], "there is no route 'cart'"),
        (["--local"], "no demo is running here"),
        (["--config", "none.yaml"], "there is no such file"),
        (["--route", "web", "--endpoint", "http://127.0.0.1:9"], "http://127.0.0.1:9 does not answer"),
        (["--route", "web", "--endpoint", "http://example.com"], "is no https:// address"),
        (["from 11:00 to 10:00"], "before it begins"),
    ],
)
@pytest.mark.parametrize("command", ["search", "tail"])
def test_what_is_wrong_is_status_2(sluice, command, arguments, told):
    if command == "tail" and arguments == ["from 11:00 to 10:00"]:
        told = "tail has no end"
    result = sluice(command, *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert told in result.stderr


def test_a_mark_stands_below_what_is_wrong_in_any_script_and_far_into_a_query(sluice):
    result = sluice("search", "支払い\x1b[2J " + "a " * 40 + "level>=loud")
    *_, shown, marked, _ = result.stderr.splitlines()
    assert shown[marked.index("^") :].startswith("loud")
    assert "\x1b" not in result.stderr


def command(*arguments):
    code = "import typer, sys; from query import commands; app = typer.Typer(); "
    code += "app.command()(commands.search); app.command()(commands.tail); app()"
    return [sys.executable, "-c", code, *arguments]


def test_who_stops_reading_ends_it_quietly(indices, tmp_path):
    name = indices.prefix
    (tmp_path / "sluice.yaml").write_text(CONFIG.replace("name: shop", f"name: {name}").replace("dev:", "e:"))
    recent = time.time_ns() - 300 * 10**9
    lines = [document(f"line {n} " + "x" * 200, time=timestamp(recent + n)) for n in range(1000)]
    # Route `web` has the indices <name>-<environment>-web-…, and the template of this test is for <name>-….
    indices.put(*lines, index="e-web-2026")
    for extra in ([], ["--json"]):
        line = command("search", "--route", "web", "--limit", "0", "--endpoint", indices.url, *extra)
        process = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        told = process.stderr.read().decode()
        assert (process.wait(PATIENCE_SECONDS), told) == (0, "")


def test_tail_shows_what_comes_and_ends_with_ctrl_c(indices, tmp_path):
    name = indices.prefix
    (tmp_path / "sluice.yaml").write_text(CONFIG.replace("name: shop", f"name: {name}").replace("dev:", "e:"))
    indices.put(document("first", time=timestamp(time.time_ns())), index="e-web-2026")
    line = command("tail", "--route", "web", "--every", "0.2", "--endpoint", indices.url, "--json", "--fields", "body")
    with subprocess.Popen(
        line,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Where these tests run in a shell's background, SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["body"] == "first"
        indices.put(document("second", time=timestamp(time.time_ns())), index="e-web-2026")
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE_SECONDS)
        assert ready
        assert json.loads(process.stdout.readline())["body"] == "second"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_help_teaches_and_loads_no_client():
    code = (
        "import sys; from query import commands; "
        "print(sorted({'boto3', 'botocore', 'duckdb', 'opensearchpy'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
    app = typer.Typer(rich_markup_mode="markdown")
    app.command()(commands.search)
    text = re.sub(r"\s+", " ", CliRunner(env={"COLUMNS": "100"}).invoke(app, ["--help"]).output)
    for part in ("error service:checkout last 15m", "level>=warn", "Exit status: 0 when something was found"):
        assert part in text
