"""app.py: what the context chooses, and that a configuration that cannot be used costs nothing."""

import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.model import deployment
from sluice.problems import ConfigError

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.synth


@pytest.fixture
def run(tmp_path):
    def run(**context):
        environment = {
            **os.environ,
            "CDK_OUTDIR": str(tmp_path / "out"),
            "CDK_CONTEXT_JSON": json.dumps({**json.loads((ROOT / "cdk.json").read_text())["context"], **context}),
        }
        return subprocess.run(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def written(tmp_path):
    return list((tmp_path / "out").rglob("*.template.json")) if (tmp_path / "out").exists() else []


def test_bad_configuration_is_told_in_full_and_nothing_is_made(run, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "name: shop\nenvironments: {dev: {}}\naggregator: {cpu: 1000}\nroutes:\n- {name: UPPER, match: a*}\n"
    )
    done = run(config=str(bad))
    assert done.returncode == 2
    assert f"{bad}:3: aggregator.cpu" in done.stderr
    assert f"{bad}:5: routes[0].name" in done.stderr
    assert "Traceback" not in done.stderr
    assert written(tmp_path) == []


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("app", ROOT / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_first_environment_is_the_one_when_none_is_named(app, config):
    assert app.choose(config, None, file=Path("sluice.yaml"), search=None) == deployment(config, "dev")
    assert app.choose(config, "prod", file=Path("sluice.yaml"), search=None) == deployment(config, "prod")


def test_local_is_the_local_run_on_this_machine(app, config, monkeypatch):
    for machine, architecture in (("aarch64", "arm64"), ("arm64", "arm64"), ("x86_64", "x86_64")):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        local = app.choose(config, "local", file=Path("sluice.yaml"), search="http://127.0.0.1:9200")
        assert local.environment == "local"
        assert local.search is not None
        assert local.search.kind == "existing"
        assert local.transformer.architecture == architecture
        assert local.transformer.python == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_unknown_environment_names_the_known_ones(app, config):
    with pytest.raises(ConfigError, match="no such environment") as told:
        app.choose(config, "staging", file=Path("sluice.yaml"), search=None)
    assert "staging" in str(told.value)
    assert "dev, prod" in str(told.value)
