"""The command as a user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

BAD = "name: sluice\nenvironments: {dev: {}}\nroutes: [{name: a, match: 'x y'}]\n"


def sluice(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("sluice")), *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "AWS_REGION"}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=300
    )


def test_validate_shows_the_routes() -> None:
    told = sluice("validate", "--json")
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert answer["problems"] == []
    assert [route["name"] for route in answer["routes"]] == ["frontend", "backend", "catch-all"]
    assert "catch-all" in sluice("validate").stdout


@pytest.mark.parametrize("command", [["validate"], ["render"], ["client", "fluentd", "--tag", "t"], ["demo"]])
def test_a_bad_file_ends_every_command_before_it_begins(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "sluice.yaml").write_text(BAD)
    told = sluice(*command, folder=tmp_path)
    assert told.returncode == 2
    assert "sluice.yaml:3: routes[0].match = 'x y'" in told.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["sluice.yaml"]


def test_validate_tells_problems_to_a_machine(tmp_path: Path) -> None:
    (tmp_path / "sluice.yaml").write_text(BAD)
    told = sluice("validate", "--json", folder=tmp_path)
    assert told.returncode == 2
    (problem,) = json.loads(told.stdout)["problems"]
    assert (problem["line"], problem["key"], problem["value"]) == (3, "routes[0].match", "'x y'")


def test_an_unknown_environment_is_told_with_the_known_ones() -> None:
    told = sluice("client", "fluentd", "--tag", "t", "--env", "staging")
    assert told.returncode == 2
    assert "dev, prod" in told.stderr


def test_the_schema_takes_our_file_and_refuses_an_unknown_key() -> None:
    schema = json.loads(sluice("schema").stdout)
    tree = yaml.safe_load((ROOT / "sluice.yaml").read_text())
    jsonschema.validate(tree, schema)
    with pytest.raises(jsonschema.ValidationError, match="netwrok"):
        jsonschema.validate({**tree, "netwrok": {}}, schema)


def test_render_writes_once_and_checks(tmp_path: Path) -> None:
    (tmp_path / "sluice.yaml").write_text((ROOT / "sluice.yaml").read_text())
    (tmp_path / "fluentbit-image").mkdir()
    assert sluice("render", "--check", folder=tmp_path).returncode == 1
    assert sluice("render", folder=tmp_path).returncode == 0
    written = tmp_path / "fluentbit-image" / "fluent-bit.yaml"
    assert written.read_text() == (ROOT / "fluentbit-image" / "fluent-bit.yaml").read_text()
    assert json.loads(sluice("render", "--check", "--json", folder=tmp_path).stdout)["changed"] is False
    assert "[OUTPUT]" in sluice("render", "--classic", folder=tmp_path).stdout


def test_client_prints_a_task_definition() -> None:
    fragment = json.loads(
        sluice("client", "firelens", "--tag", "backend-x", "--env", "prod", "--region", "eu-west-1").stdout
    )
    options = fragment["containerDefinitions"][0]["logConfiguration"]["options"]
    assert options["Host"] == "logs.sluice-prod.internal"


def test_a_region_that_nobody_named_is_asked_for() -> None:
    told = sluice("client", "firelens", "--tag", "t", "--env", "prod")
    assert told.returncode == 2
    assert "environments.prod.region" in told.stderr


@pytest.mark.parametrize("command", ["validate", "render", "schema", "demo", "send", "client"])
def test_help_teaches(command: str) -> None:
    told = sluice(command, "--help")
    assert told.returncode == 0
    assert "Example" in told.stdout or "task definition" in told.stdout
