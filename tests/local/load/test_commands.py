"""Wrong usage: one line that says what to do, exit status 2, and nothing started."""

import json
import socket
from pathlib import Path

import pytest

from local.load.endings import of_fluent_bit

from .conftest import Answer


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "smoke", "--to", "nope"), "--to nope is not HOST:PORT, for example 127.0.0.1:24224"),
        (("run", "smoke", "--to", "host:99999"), "is not HOST:PORT"),
        (("run", "smoke", "--env", "dev"), "give --to too"),
        (("run", "smoke", "--local"), "give --to too"),
        (("run", "smoke", "--to", "host:1", "--full"), "leave --to out"),
        (("run", "smoke", "--to", "host:1", "--set", "a=b"), "leave --to out"),
        (("run", "smoke", "--set", "nonsense"), "'nonsense' is not KEY=VALUE"),
        (("run", "smoke", "--fluent-bit", "/bin/true"), "--fluent-bit is /bin/true, which does not answer --version"),
        (("verify", "/nowhere"), "name a run's folder"),
        (("compare", "/nowhere", "/nowhere"), "name a run's folder, as .sluice/loadtest/1a2b3c4d, or its report.json"),
        (("matrix",), "which cases? Name a file, as loadtest/cases/settings.yaml"),
    ],
)
def test_wrong_usage_is_one_line(answer: Answer, arguments: tuple[str, ...], told: str):
    status, answered, said = answer(*arguments)
    assert (status, answered) == (2, None), said
    assert told in said
    assert said.startswith("sluice: ")
    assert len(said.splitlines()) == 1


def test_nobody_listens(answer: Answer):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        status, _, said = answer("run", "smoke", "--to", f"127.0.0.1:{port}", "--env", "dev")
    assert status == 2
    assert f"nothing listens at 127.0.0.1:{port}" in said
    assert "sluice demo --keep" in said


def test_an_unknown_profile_names_those_there_are(answer: Answer):
    status, told, _ = answer("run", "nonsense")
    assert status == 2
    assert "smoke" in told["problems"][0]["remedy"]


def test_otlp_has_no_listener_here(answer: Answer, tmp_path: Path):
    loads = [{"name": "o", "tag": "a", "client": "otlp", "messages_per_second": 1}]
    (tmp_path / "otlp.yaml").write_text(json.dumps({"name": "otlp", "seconds": 1, "loads": loads}))
    for command in ("run", "find-limit"):
        status, _, said = answer(command, tmp_path / "otlp.yaml")
        assert status == 2
        assert "load o speaks OTLP" in said


def test_a_run_does_not_overwrite_another(answer: Answer, tmp_path: Path):
    (tmp_path / "plan.json").write_text("{}")
    status, _, said = answer("run", "smoke", "--out", tmp_path)
    assert status == 2
    assert "holds another run: name a new folder with --out" in said
    for command in (("find-limit", "smoke"), ("matrix", "loadtest/cases/settings.yaml")):
        status, _, said = answer(*command, "--out", tmp_path)
        assert (status, "is there already" in said) == (2, True), said


def test_profiles_are_listed_with_their_schema(answer: Answer):
    status, told, _ = answer("profiles")
    smoke = next(each for each in told if each["name"] == "smoke")
    assert status == 0
    assert smoke["messages_per_second"] == 668
    assert smoke["connections"] == 9
    assert {"docker", "firelens"} <= set(smoke["clients"])
    assert "loads" in answer("profiles", "--schema")[1]["properties"]
    assert "settings" in answer("matrix", "--schema")[1]["properties"]


def test_what_fluent_bit_says_is_cut_to_its_first_error():
    said = """Fluent Bit 5.1.1 does not take /tmp/x.yaml:
Fluent Bit v5.1.1
[2026/11/21 12:05:33.693] [error] [config] kinesis_firehose: unknown configuration property 'x'.
[2026/11/21 12:05:33.693] [ help] try the command
[2026/11/21 12:05:33.693] [error] [reload] check properties for output plugins is failed"""
    found = "Fluent Bit 5.1.1 does not take these settings: kinesis_firehose: unknown configuration property 'x'."
    assert of_fluent_bit(said) == found
    assert of_fluent_bit("Fluent Bit was not listening") == "Fluent Bit was not listening"
