"""The report, on accounts that a real run should never give."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

from loadtest.account import Account, Latency, RouteAccount
from loadtest.ledger import Sent
from loadtest.verify import Delivery
from local import commands, demo
from local.report import Findings, page, sample, table

CLEAN = RouteAccount(
    name="frontend",
    destination="s3",
    sent=1200,
    acknowledged=1200,
    delivered=1200,
    failed=0,
    dropped=0,
    lost=0,
    duplicated=3,
    duplicated_otherwise=0,
    unexpected=0,
    altered=0,
    shared_event_id=0,
    misrouted=0,
    latency=Latency(p50=1500.0, p99=2500.0, max=3000.0),
)
LOSSY = replace(CLEAN, name="backend", delivered=1190, lost=10, altered=2)


def findings(*routes: RouteAccount, sample: dict[str, Any] | None = None) -> Findings:
    account = Account(routes=routes, unreadable=0)
    report = account.to_json(seconds=12.3) | {
        "bucket": "logs-bucket",
        "objects": {"logs/route=frontend": 2},
        "indices": {"sluice-local-frontend-2026-11-21": 1},
        "fluent_bit": "5.1.2",
        "sample": sample,
    }
    return Findings(report=report, account=account, sent_at=[10.0, 10.5, 12.0], readable_at=[11.0, 13.0])


def printed(account: Account, width: int = 80) -> str:
    out = Console(file=StringIO(), width=width)
    out.print(table(account))
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


def test_the_table_fits_a_terminal_of_80_columns() -> None:
    searched = replace(CLEAN, name="catch-all", destination="opensearch")
    text = printed(Account(routes=(CLEAN, LOSSY, searched), unreadable=0))
    for number in ("1,200", "1,190", "10", "1.5", "2.5", "catch-all", "opensearch"):
        assert number in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_page_says_first_whether_lines_are_missing() -> None:
    assert "Every line is accounted for" in page(findings(CLEAN))
    lossy = page(findings(CLEAN, LOSSY))
    assert "Not every line is accounted for" in lossy
    assert "lines missing" in lossy
    assert '<td class="bad">10</td>' in lossy
    assert "2 altered" in lossy


def test_what_was_logged_cannot_become_markup() -> None:
    text = page(findings(CLEAN, sample={"before": "<script>alert(1)</script>", "after": {"body": "</pre><b>"}}))
    assert "<script>" not in text
    assert "</pre><b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_run_that_delivered_nothing_has_a_page_too() -> None:
    nothing = replace(CLEAN, delivered=0, lost=1200, latency=Latency(p50=None, p99=None, max=None))
    empty = replace(findings(nothing), readable_at=[], sent_at=[])
    assert "Not every line is accounted for" in page(empty)


def test_the_curves_end_at_the_number_of_lines() -> None:
    sent, readable = [
        line.split('points="')[1].split('"')[0].split() for line in page(findings(CLEAN)).split("<polyline ")[1:]
    ]
    assert sent[0] == "0.0,220.0"
    assert sent[-1] == "720.0,0.0"
    assert readable[-1] == f"720.0,{220 * (1 - 2 / 3):.1f}"


def test_the_sample_is_a_json_line_that_was_delivered() -> None:
    def sent(text: str, at: int, tag: str = "backend-x") -> Sent:
        return Sent(source="c", time_unix_nano=at, tag=tag, text=text, client="docker", sent_at=1.0)

    def delivered(at: int) -> Delivery:
        time = f"1970-01-01T00:00:00.{at:09d}Z"
        return Delivery({"observedTimestamp": time, "resource": {"container": {"id": "c"}}, "body": str(at)}, 2.0)

    records = [sent("plain", 1), sent('{"a": 1}', 2), sent('{"lost": 12345}', 3), sent('{"b": "long"}', 4, "other")]
    found = sample(records, [delivered(at) for at in (1, 2, 4)], tag="backend*")
    assert found is not None
    assert (found["before"], found["after"]["body"]) == ('{"a": 1}', "2")
    assert sample(records[:1], [delivered(1)], tag="*") is None


@pytest.mark.parametrize(("complete", "status"), [(True, 0), (False, 1)])
def test_the_exit_status_says_whether_every_line_is_accounted_for(
    monkeypatch: pytest.MonkeyPatch, complete: bool, status: int
) -> None:
    monkeypatch.setattr(demo, "run", lambda *_, **__: demo.Outcome({"complete": complete}, complete))
    app = Typer()
    app.command()(commands.demo)
    told = CliRunner().invoke(app, ["--json"])
    assert told.exit_code == status
    assert json.loads(told.stdout) == {"complete": complete}


def test_the_demo_says_where_it_can_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sluice.yaml").write_text("name: sluice\nenvironments: {dev: {}}\n")
    monkeypatch.chdir(tmp_path)
    app = Typer()
    app.command()(commands.demo)
    told = CliRunner().invoke(app, [])
    assert told.exit_code == 2
    assert "app.py" in told.output
