"""The emulator reaches nothing of the user's, is reached by nobody else, and leaves nothing behind."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.emulator import ACCOUNT, Emulator
from local.process import port_answers

REGION = "eu-central-1"
NODE_MODULES = Path(__file__).parents[2] / "node_modules"
HANDLER = """
import sys
def handler(event, context):
    if event == "fail":
        raise ValueError("told to fail")
    return {"executable": sys.executable, "event": event}
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(work=tmp_path_factory.mktemp("emulator"), node_modules=NODE_MODULES, region=REGION) as running:
        yield running


@pytest.fixture(scope="module")
def function(emulator: Emulator) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", HANDLER)
    emulator.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/r",
        Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    return "f"


def test_nothing_it_runs_listens_beyond_loopback(emulator: Emulator, function: str):
    emulator.client("lambda").invoke(FunctionName=function, Payload=b"1")
    main = psutil.Process(emulator.process.pid)
    listening = [
        connection.laddr.ip
        for process in (main, *main.children(recursive=True))
        for connection in process.net_connections(kind="all")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_stopping_leaves_no_process_and_no_port(tmp_path: Path):
    with Emulator(work=tmp_path, node_modules=NODE_MODULES, region=REGION) as running:
        pid, port = running.process.pid, int(running.url.rsplit(":", 1)[1])
        assert port_answers(port)
    assert not psutil.pid_exists(pid)
    assert not port_answers(port)


def test_it_writes_only_into_its_work_directory(emulator: Emulator, function: str):
    emulator.client("lambda").invoke(FunctionName=function, Payload=b"1")
    main = psutil.Process(emulator.process.pid)
    settings = main.environ()
    home = Path(settings["TMPDIR"]).parent
    assert {Path(settings[name]).parent for name in ("S3_DATA_DIR", "STATE_DIR", "TMPDIR")} == {home}
    assert home in Path(main.children()[0].cmdline()[1]).parents, "a function's code"


def test_the_users_aws_settings_are_not_read(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    profile = tmp_path / "config"
    profile.write_text("[profile mine]\nregion = us-west-2\nendpoint_url = http://127.0.0.1:9\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profile))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert emulator.client("s3").list_buckets()["Owner"]
    given = emulator.environment
    assert {name for name in given if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_CONFIG_FILE",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SHARED_CREDENTIALS_FILE",
    }
    assert given["AWS_REGION"] == REGION
    assert Path(given["AWS_CONFIG_FILE"]).read_text() == ""


def test_a_profile_that_does_not_exist_does_no_harm(emulator: Emulator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    assert emulator.client("s3").list_buckets()["Owner"]


def test_a_function_runs_on_this_interpreter(emulator: Emulator, function: str):
    answer = emulator.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"a": 1}).encode())
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer
    assert said["event"] == {"a": 1}
    assert Path(said["executable"]).samefile(psutil.Process(emulator.process.pid).exe())


def test_a_function_that_raises_answers_as_lambda_does(emulator: Emulator, function: str):
    answer = emulator.client("lambda").invoke(FunctionName=function, Payload=b'"fail"')
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"].read())["errorMessage"] == "told to fail"


def test_outside_its_with_block_it_says_so(tmp_path: Path):
    with pytest.raises(RuntimeError, match="`with`"):
        Emulator(work=tmp_path, node_modules=NODE_MODULES, region=REGION).process  # noqa: B018
