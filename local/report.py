"""The demo's report for people: a table in the terminal, and one HTML page that needs nothing but itself."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich import box
from rich.table import Table
from rich.text import Text

from loadtest.account import Account, RouteAccount
from loadtest.ledger import Sent
from loadtest.verify import Delivery, document_key
from local import charts
from local.charts import Chart
from sluice import globs

WIDTH: Final = 720
HEIGHT: Final = 220
_SAMPLE_LENGTH: Final = 400


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a run found: the report as JSON has it, the account it is made of, when lines were sent and readable
    (Unix seconds), and what OpenSearch answered.
    """

    report: dict[str, Any]
    account: Account
    sent_at: Sequence[float]
    readable_at: Sequence[float]
    charts: Sequence[Chart] = ()


def table(account: Account) -> Table:
    """The account, a row per route; what must not be is red."""
    caption = "p50, p99: seconds from sent to readable"
    grid = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, caption=caption, caption_justify="left")
    for name in ("route", "to", "sent", "delivered", "failed", "dropped", "lost", "twice", "wrong", "p50", "p99"):
        grid.add_column(name, justify="left" if name in {"route", "to"} else "right", no_wrap=True)
    for route in account.routes:
        wrong = sum(route.violations.values())
        grid.add_row(
            route.name,
            route.destination,
            f"{route.sent:,}",
            f"{route.delivered:,}",
            f"{route.failed:,}",
            f"{route.dropped:,}",
            _alarming(route.lost),
            f"{route.duplicated:,}",
            _alarming(wrong),
            _seconds(route.latency.p50).removesuffix(" s"),
            _seconds(route.latency.p99).removesuffix(" s"),
        )
    return grid


def _alarming(number: int) -> Text:
    return Text(f"{number:,}", style="bold red" if number else "green")


def _seconds(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def sample(sent: Iterable[Sent], deliveries: Iterable[Delivery], *, tag: str) -> dict[str, Any] | None:
    """One record before and after: of the JSON lines sent under a tag and delivered, the longest that reads well."""
    documents = {document_key(delivery.document): delivery.document for delivery in deliveries}
    found = [
        record
        for record in sent
        if globs.matches(tag, record.tag)
        and record.text.startswith("{")
        and len(record.text) <= _SAMPLE_LENGTH
        and record.key in documents
    ]
    if not found:
        return None
    longest = max(found, key=lambda record: len(record.text))
    return {"before": longest.text, "after": documents[longest.key]}


def page(findings: Findings) -> str:
    """The HTML page: the table, how sent and readable lines grew over time, and the sample."""
    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    start = min(findings.sent_at, default=0.0)
    end = max((*findings.sent_at, *findings.readable_at), default=start) + 1
    most = max(len(findings.sent_at), len(findings.readable_at), 1)

    def curve(times: Sequence[float]) -> str:
        return _curve(times, start=start, end=end, most=most)

    return environment.get_template("report.html").render(
        report=findings.report,
        routes=findings.account.routes,
        complete=findings.account.complete,
        wrong=_wrong,
        seconds=_seconds,
        width=WIDTH,
        height=HEIGHT,
        sent=curve(findings.sent_at),
        readable=curve(findings.readable_at),
        most=most,
        span=end - start,
        charts=findings.charts,
        chart_width=charts.WIDTH,
        chart_height=charts.HEIGHT,
        pretty=lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    )


def _wrong(route: RouteAccount) -> dict[str, int]:
    return {name.replace("_", " "): number for name, number in route.violations.items() if number}


def _curve(times: Sequence[float], *, start: float, end: float, most: int) -> str:
    """The points of an SVG line: how many of the times had passed, each quarter of a second."""
    steps = int((end - start) * 4) + 1
    counts = [0] * (steps + 1)
    for at in times:
        counts[int((at - start) * 4) + 1] += 1
    return " ".join(
        f"{WIDTH * at / steps:.1f},{HEIGHT * (1 - total / most):.1f}" for at, total in enumerate(accumulate(counts))
    )
