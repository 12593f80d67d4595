"""The result as one HTML page that needs nothing but itself."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loadtest.report import charts
from loadtest.tally.result import Account, Result


def page(result: Result) -> str:
    """The page: accounts, charts, events, and which messages to look for."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html").render(
        result=result,
        charts=charts.charts(result),
        width=charts.WIDTH,
        height=charts.HEIGHT,
        number=lambda number: "-" if number is None else f"{number:,}",
        seconds=lambda ms: "-" if ms is None else f"{ms / 1000:,.2f}",
        wrongs=lambda account: list(_wrongs(account)),
    )


def _wrongs(account: Account) -> Iterator[str]:
    """What must not happen, where it did, and what may."""
    told = {
        "copies under another event_id": account.duplicated_otherwise,
        "altered": account.altered,
        "in another route's place": account.misrouted,
        "never sent": account.unexpected,
    }
    yield from (f"{number:,} {name}" for name, number in told.items() if number)
    yield from (f"{number:,} failed: {reason}" for reason, number in account.failed_by_reason.items())
