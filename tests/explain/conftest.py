"""The commands as a user types them, and the files they are given."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from explain import commands

MIXED = """\
203.0.113.9 - - [21/Nov/2026:02:36:00 +0000] "GET /basket?id=17 HTTP/1.1" 200 5316 "-" "curl/8.9.1"
{"level":"error","time":"2026-11-21T02:36:00.123Z","msg":"refused","card":"4111 1111 1111 1111"}
level=info ts=2026-11-21T02:36:01Z msg="request done" method=GET path=/health
java.lang.IllegalStateException: no stock
\tat shop.Basket.reserve(Basket.java:17)
\tat shop.Basket.order(Basket.java:42)
Listening on port eight thousand
{"ts":"1970-01-01T00:00:00Z","level":"warn","msg":"clock was never set"}
"""
"""Eight lines; three of them are one stack trace."""

CONFIG = """\
name: shop
environments: {dev: {}, prod: {}}
routes:
  - name: web
    match: web.*
    drop: [{name: health, where: [{field: attributes.path, equals: /health}]}]
    redact: [{pattern: card}]
  - name: hashed
    match: hashed
    redact: [{pattern: card, action: hash}]
  - name: bare
    match: bare
    steps: []
    buffering: {pack: false, transform_size_mb: 0.2}
  - name: searched
    match: searched
    destination: {kind: opensearch, numbers: [queue.depth]}
  - name: folders
    match: folders
    destination:
      kind: s3
      partition_by:
        - {name: level, field: severity.text}
        - {name: method, field: attributes.http.request.method, values: [POST]}
search: {kind: domain}
"""

Run = Callable[..., Result]


@pytest.fixture
def sluice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a folder that has a sluice.yaml and app.log."""
    (tmp_path / "sluice.yaml").write_text(CONFIG)
    (tmp_path / "app.log").write_text(MIXED)
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(commands.explain)
    app.command()(commands.transform)

    def run(*arguments: str, data: bytes | None = None, width: int = 120) -> Result:
        return CliRunner(env={"COLUMNS": str(width)}).invoke(app, arguments, input=data)

    return run


@pytest.fixture(scope="session")
def mixed() -> str:
    """What is in app.log."""
    return MIXED
