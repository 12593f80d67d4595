"""The demo's charts: the dashboard's own questions, put to the OpenSearch of this run and drawn into the report.

They are what `sluice.search.questions` asks, so a chart that shows something here is a panel that does in OpenSearch
Dashboards, which does not run on this machine.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from loadtest.report.charts import Bar
from sluice import names
from sluice.model import Deployment
from sluice.search.questions import PERCENTILES, QUESTIONS, Question, aggregation

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

WIDTH: Final = 720
HEIGHT: Final = 180
_BARS: Final = 40
_INTERVALS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_GAP: Final = 1.5

Values = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """An answered question: bars or lines over time by series, or a table. `most` is what the full height is."""

    name: str
    title: str
    total: int
    series: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()
    lines: tuple[str, ...] = ()
    most: float = 0
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Span:
    """The time that is drawn, in Unix seconds, and its intervals."""

    since: float
    until: float

    @property
    def seconds(self) -> int:
        """The length of an interval."""
        return next((each for each in _INTERVALS if (self.until - self.since) / each <= _BARS), _INTERVALS[-1])

    @property
    def width(self) -> float:
        """The width of an interval in the drawing."""
        return WIDTH * self.seconds / max(self.until - self.since, self.seconds)

    def x(self, at: float) -> float:
        """Where a moment is in the drawing."""
        return WIDTH * (at - self.since) / max(self.until - self.since, self.seconds)


def charts(search: "OpenSearch", deployment: Deployment, *, span: Span) -> tuple[Chart, ...]:
    """Every question that has an answer, asked of what was logged in that time."""
    found = []
    for question in QUESTIONS:
        since, until = (datetime.fromtimestamp(at, UTC).isoformat() for at in (span.since, span.until))
        body = aggregation(question, since=since, until=until, interval=f"{span.seconds}s")
        index = f"{names.failed_index(deployment)}*" if question.failed else f"{deployment.prefix}-*"
        answer = search.search(index=index, body=body, params={"ignore_unavailable": "true"})
        if answer["hits"]["total"]["value"]:
            found.append(draw(question, answer, span=span))
    return tuple(found)


def draw(question: Question, answer: Mapping[str, Any], *, span: Span) -> Chart:
    """OpenSearch's answer to a question as a chart."""
    total, found = answer["hits"]["total"]["value"], answer["aggregations"]
    if not question.over_time:
        columns = tuple(f"p{percent}" for percent in PERCENTILES) if question.percentiles_of else ("lines",)
        rows = tuple((bucket["key"], *_cells(bucket)) for bucket in found["split"]["buckets"])
        return Chart(name=question.name, title=question.title, total=total, columns=("", *columns), rows=rows)
    moments = [(bucket["key"] / 1000, _values(bucket)) for bucket in found["time"]["buckets"]]
    if question.percentiles_of:
        series = tuple(f"p{percent}" for percent in PERCENTILES)
        most = max((value for _, values in moments for value in values.values()), default=0.0)
        lines = tuple(_line(moments, name, most=most, span=span) for name in series)
        return Chart(name=question.name, title=question.title, total=total, series=series, lines=lines, most=most)
    counted: Counter[str] = Counter()
    for _, values in moments:
        counted.update({name: round(value) for name, value in values.items()})
    series = tuple(name for name, _ in counted.most_common())
    most = max((sum(values.values()) for _, values in moments), default=0.0)
    bars = tuple(_bars(moments, series, most=most, span=span))
    return Chart(name=question.name, title=question.title, total=total, series=series, bars=bars, most=most)


def _values(bucket: Mapping[str, Any]) -> Values:
    """What is drawn of an interval: its percentiles, or its counts by value."""
    if "percentiles" in bucket:
        found = bucket["percentiles"]["values"]
        return {f"p{percent}": value for percent in PERCENTILES if (value := found[f"{percent:.1f}"]) is not None}
    return {inner["key"]: inner["doc_count"] for inner in bucket["split"]["buckets"]}


def _cells(bucket: Mapping[str, Any]) -> tuple[str, ...]:
    if "percentiles" not in bucket:
        return (f"{bucket['doc_count']:,}",)
    values = (bucket["percentiles"]["values"][f"{percent:.1f}"] for percent in PERCENTILES)
    return tuple("-" if value is None else f"{value:.2f}" for value in values)


def _bars(moments: Sequence[tuple[float, Values]], series: Sequence[str], *, most: float, span: Span) -> Iterator[Bar]:
    for at, values in moments:
        base = float(HEIGHT)
        for number, name in enumerate(series):
            if value := values.get(name, 0):
                height = HEIGHT * value / most
                base -= height
                width = max(span.width - _GAP, 1.0)
                yield Bar(span.x(at), base, width, height, number, f"{name}: {value:,.0f}")


def _line(moments: Sequence[tuple[float, Values]], name: str, *, most: float, span: Span) -> str:
    points = [(span.x(at) + span.width / 2, values[name]) for at, values in moments if name in values]
    return " ".join(f"{x:.1f},{HEIGHT * (1 - value / most):.1f}" for x, value in points) if most else ""
