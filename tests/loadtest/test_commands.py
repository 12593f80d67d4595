import gzip
import json
import socket
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from loadtest import commands

LINES = b"one\ntwo\nthree\n"


@pytest.fixture
def send():
    app = typer.Typer()
    app.command()(commands.send)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(LINES)
    return path


def logs(server):
    return [record["log"] for _, _, record in server.entries()]


def test_every_line_is_sent_under_the_tag_and_the_files_name(send, file, aggregator):
    server = aggregator()

    result = send(file, "--tag", "shop.web", "--to", f"127.0.0.1:{server.port}")

    assert result.exit_code == 0, result.output
    assert "3 lines sent" in result.output
    assert "3 acknowledged" in result.output
    assert logs(server) == ["one", "two", "three"]
    tag, _, record = server.entries()[0]
    assert (tag, record["container_name"]) == ("shop.web", "/app.log")


def test_json_is_one_object(send, file, aggregator):
    to = f"127.0.0.1:{aggregator().port}"

    result = send(file, "--tag", "t", "--to", to, "--json")

    report = json.loads(result.stdout)
    assert report.pop("seconds") >= 0
    assert report == {
        "file": str(file), "tag": "t", "to": to, "lines": 3, "records": 3, "acknowledged": 3, "error": None,
    }  # fmt: skip


@pytest.mark.parametrize("data", [LINES, gzip.compress(LINES)], ids=["plain", "gzip"])
def test_stdin_is_sent_gzipped_or_not(aggregator, data):
    server = aggregator()
    program = "import typer; from loadtest.commands import send; typer.run(send)"
    options = ["-", "--tag", "t", "--to", f"127.0.0.1:{server.port}", "--container-name", "ls"]

    result = subprocess.run([sys.executable, "-c", program, *options], input=data, capture_output=True, check=False)

    assert result.returncode == 0, result.stderr
    assert logs(server) == ["one", "two", "three"]
    assert server.entries()[0][2]["container_name"] == "/ls"


def test_a_gzipped_file_is_sent_whatever_its_name(send, tmp_path, aggregator):
    server, path = aggregator(), tmp_path / "rotated"
    path.write_bytes(gzip.compress(LINES))

    assert send(path, "--tag", "t", "--to", f"127.0.0.1:{server.port}").exit_code == 0
    assert logs(server) == ["one", "two", "three"]


def test_without_acknowledgements_none_is_claimed(send, file, aggregator):
    server = aggregator()

    result = send(file, "--tag", "t", "--to", f"127.0.0.1:{server.port}", "--no-ack", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["acknowledged"] is None
    server.wait_for(1)
    assert logs(server) == ["one", "two", "three"]


def test_where_nothing_listens_the_error_says_what_to_do(send, file):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = send(file, "--tag", "t", "--to", f"127.0.0.1:{unused.getsockname()[1]}")

    assert result.exit_code == 1
    assert "sluice demo --keep" in result.output
    assert "--to HOST:PORT" in result.output


def test_what_is_not_acknowledged_is_counted_and_fails(send, file, aggregator, monkeypatch):
    monkeypatch.setattr(commands, "GIVE_UP_SECONDS", 0.2)
    server = aggregator(lambda _: b"")

    result = send(file, "--tag", "t", "--to", f"127.0.0.1:{server.port}", "--json")

    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["records"], report["acknowledged"]) == (3, 0)
    assert "3 records (1 chunks) are unacknowledged" in report["error"]


def test_a_gzip_file_that_ends_early_is_an_error(send, tmp_path, aggregator):
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(LINES)[:-9])

    result = send(path, "--tag", "t", "--to", f"127.0.0.1:{aggregator().port}")

    assert result.exit_code == 1
    assert "could not be read to its end" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tag", "t", "--to", "nowhere"],
        ["--tag", "t", "--to", "h:70000"],
        ["--tag", " "],
        [],
        ["--tag", "t", "missing"],
    ],
    ids=str,
)
def test_wrong_usage_is_status_2(send, file, arguments):
    given = arguments if "missing" in arguments else [file, *arguments]

    assert send(*given).exit_code == 2


def test_help_teaches_by_example(send):
    result = send("--help")

    assert "sluice send /var/log/dpkg.log --tag shop.web" in result.output
    assert "Exit status" in result.output
