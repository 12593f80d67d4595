"""A small load, and the command as it is called."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.load.commands import app

ROOT = Path(__file__).resolve().parents[3]

Answer = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two clients, 300 messages/s for two seconds, to two routes."""
    file = tmp_path / "small.yaml"
    loads = [
        {"name": "sidecar", "tag": "backend-load", "client": "firelens", "messages_per_second": 200, "connections": 2},
        {"name": "docker", "tag": "frontend-load", "client": "docker", "messages_per_second": 100, "connections": 2},
    ]
    file.write_text(json.dumps({"name": "small", "seconds": 2, "settle_seconds": 20, "loads": loads}))
    return file


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Runs `sluice loadtest` with --json: exit status, standard output as JSON, standard error."""
    monkeypatch.chdir(ROOT)

    def run(*arguments: str | Path) -> tuple[int, Any, str]:
        told = CliRunner().invoke(app, [*map(str, arguments), "--json"])
        return told.exit_code, json.loads(told.stdout) if told.stdout else None, told.stderr

    return run
