"""What people ask of their logs first, each question once: the dashboard's panels and the demo's charts are made of it.

A question is neutral: `aggregation` turns it into a search, `saved_objects` into a visualization of OpenSearch
Dashboards. Both ask the same fields in the same way, so a chart that the tests have seen answered is a panel that opens
on data.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

DELAY_FIELD: Final = "numbers.log.record.delay"
"""Seconds from the moment a line was read to the moment it was transformed; what is left is the last buffer's."""
PERCENTILES: Final = (50, 95, 99)


@dataclass(frozen=True, kw_only=True)
class Split:
    """One series or row for each of the most frequent values of a field."""

    field: str
    size: int = 10


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, of which documents, and how the answer is drawn.

    `over_time` counts by intervals of time, `split` by values; `percentiles_of` names a field whose percentiles are
    wanted instead of counts. `query` is in Lucene's syntax, which both searches and Dashboards take.
    """

    name: str
    title: str
    chart: Literal["area", "bars", "line", "table"]
    query: str = "*"
    over_time: bool = False
    split: Split | None = None
    percentiles_of: str | None = None
    failed: bool = False
    """Whether it is asked of what failed, which has an index of its own."""


SERVICE: Final = Split(field="resource.service.name")
QUESTIONS: Final = (
    Question(name="volume", title="Lines by service", chart="area", over_time=True, split=SERVICE),
    Question(
        name="severities",
        title="Lines by severity",
        chart="bars",
        over_time=True,
        split=Split(field="severity.text", size=8),
    ),
    Question(
        name="errors",
        title="Errors by service",
        chart="bars",
        query="severity.number:>=17",
        over_time=True,
        split=SERVICE,
    ),
    Question(
        name="messages", title="Most frequent messages", chart="table", split=Split(field="body.keyword", size=20)
    ),
    Question(
        name="delay",
        title="Delivery: seconds from read to transformed",
        chart="line",
        over_time=True,
        percentiles_of=DELAY_FIELD,
    ),
    Question(
        name="slowest",
        title="Slowest deliveries by service, in seconds",
        chart="table",
        split=SERVICE,
        percentiles_of=DELAY_FIELD,
    ),
    Question(
        name="failed",
        title="Failed records by reason",
        chart="bars",
        over_time=True,
        split=Split(field="reason"),
        failed=True,
    ),
)


def aggregation(question: Question, *, since: str, until: str, interval: str) -> dict[str, Any]:
    """The search that answers a question.

    Args:
        question: what is asked.
        since: from when, RFC 3339 or as `now-15m`.
        until: until when.
        interval: of time, as `30s` or `1h`; only for questions over time.
    """
    inner: dict[str, Any] = {}
    if question.percentiles_of is not None:
        inner = {"percentiles": {"percentiles": {"field": question.percentiles_of, "percents": list(PERCENTILES)}}}
    if question.split is not None:
        terms = {"field": question.split.field, "size": question.split.size}
        inner = {"split": {"terms": terms, **({"aggs": inner} if inner else {})}}
    if question.over_time:
        histogram = {"field": "@timestamp", "fixed_interval": interval, "min_doc_count": 0}
        inner = {"time": {"date_histogram": histogram, **({"aggs": inner} if inner else {})}}
    return {
        "size": 0,
        "track_total_hits": True,
        "query": {
            "bool": {
                "must": [{"query_string": {"query": question.query}}],
                "filter": [{"range": {"@timestamp": {"gte": since, "lte": until}}}],
            }
        },
        "aggs": inner,
    }
