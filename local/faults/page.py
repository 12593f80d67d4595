"""docs/reliability.md, written from a matrix's report.json and from nothing else.

The page is sorted as the matrix is: by what things happen to. Numbers are messages, p99 is from the time at which a
message was due to the time at which it could be read. What the blog measured is told in
https://aws.amazon.com/blogs/compute/centralized-container-logging-fluent-bit/ and cited by number in the page.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from local.faults.clients import KINDS
from local.faults.rows import GATE, Matrix, Outcome, Row

_HERE: Final = Path(__file__).parent
_WINDOW_SECONDS: Final = 10
"""Of which the blog lost 1.5 % for each stopped task."""

_DEPLOYMENTS: Final = ("fifty-deployments", "rolling-deployment")
_STOPPED: Final = (
    ("scale-in-to-one", "stopped by scaling in"),
    ("crash", "killed, disk kept"),
    ("lose", "killed, disk gone"),
)
_DEPLOYED_GROUP: Final = "Deployments and scaling"
_WHY: Final = {
    "lose": "what the task had not yet passed on is gone with its disk",
    "lose-while-throttled": "all that the task has taken since Firehose takes nothing is gone with its disk",
    "stopped-too-late": "the task is killed, with its disk, while Firehose still takes nothing",
    "crash-and-leave": "a buffer that is not taken up before SIGTERM stays in the file",
    "firehose-empty-200": "Fluent Bit 5.1.1 reads a 200 without a body as success and has no setting for it; Firehose "
    "never answers so, and TLS keeps others from answering",
}

Line = dict[str, Any]


def write(matrix: Matrix) -> str:
    """The page of a matrix, as Markdown."""
    environment = Environment(  # noqa: S701 - Markdown, of our own words and numbers
        loader=FileSystemLoader(_HERE), undefined=StrictUndefined, trim_blocks=False, keep_trailing_newline=True
    )
    return environment.get_template("page.md").render(found=_found(matrix))


def _found(matrix: Matrix) -> dict[str, Any]:
    tried = [outcome for outcome in matrix.outcomes if outcome.skipped is None]
    events = [outcome for outcome in tried if not outcome.must_lose]
    present = {row.client for outcome in tried for row in outcome.rows}
    comparison = [*_comparison(events)]
    return {
        "verdict": _verdict(matrix, tried),
        "bars": [*_bars(events)],
        "comparison": comparison,
        "compared": _compared(events),
        "acking": [kind.name for kind in KINDS if kind.ack and kind.name in present],
        "groups": [
            {"name": group, "lines": [_line(each) for each in events if each.group == group]}
            for group in dict.fromkeys(outcome.group for outcome in events)
        ],
        "admitted": [*_admitted(events)],
        "broken": [{"event": each.event, "what": "; ".join(each.broken)} for each in tried if each.broken],
        "controls": [_control(each) for each in tried if each.must_lose],
        "rows": [_row(each, row) for each in events for row in each.rows],
        "skipped": [{"event": each.event, "why": each.skipped} for each in matrix.outcomes if each.skipped],
        "conditions": [*matrix.conditions.items()],
        "kinds": [kind for kind in KINDS if kind.name in present],
    }


def _verdict(matrix: Matrix, tried: Sequence[Outcome]) -> str:
    sent = sum(row.sent for outcome in tried for row in outcome.rows)
    times = sum(outcome.repeats for outcome in tried)
    minutes = f"{matrix.seconds / 60:.0f} minutes"
    said = f"{len(tried)} events, {times} times something was done to a running system, {sent:,} messages, {minutes}: "
    if matrix.passed:
        return said + "**everything that has to hold, held.**"
    broken = sum(bool(outcome.broken) for outcome in tried)
    return said + f"**in {broken} of them something did not hold**, see below."


def _bars(events: Sequence[Outcome]) -> Iterator[Line]:
    strict = [outcome for outcome in events if not outcome.may_lose_acknowledged]
    rows = [row for outcome in strict for row in outcome.rows]
    yield {
        "says": "nothing acknowledged is lost, but by the events under *What may be lost*",
        "found": f"{_sum(rows, 'lost_acknowledged')} of {_sum(rows, 'acknowledged')} lost, in {len(strict)} events",
    }
    gate = [row for outcome in events for row in outcome.rows if row.client == GATE]
    if gate:
        yield {
            "says": "nothing acknowledged is lost at a listener with `acknowledge: accepted`, not even by those",
            "found": f"{_sum(gate, 'lost_acknowledged')} of {_sum(gate, 'acknowledged')} lost",
        }
    deployed = [outcome for outcome in strict if outcome.group == _DEPLOYED_GROUP]
    acking = [row for outcome in deployed for row in outcome.rows if row.acks]
    if deployed:
        changes = sum(outcome.repeats for outcome in deployed)
        yield {
            "says": "clients that ask for acknowledgements lose nothing at all by deployments and scaling",
            "found": f"{_sum(acking, 'lost')} of {_sum(acking, 'sent')} lost, in {changes} changes",
        }
    every = [row for outcome in events for row in outcome.rows]
    yield {
        "says": "no copy has another event_id than the first",
        "found": f"{_sum(every, 'duplicated_otherwise')} beside {_sum(every, 'duplicated')} that have the same",
    }


def _comparison(events: Iterable[Outcome]) -> Iterator[Line]:
    by_name = {outcome.event: outcome for outcome in events}
    deployed = next((by_name[name] for name in _DEPLOYMENTS if name in by_name), None)
    if deployed is not None:
        for what, blog in (("lost", "2.67"), ("duplicated", "11.7")):
            says = f"tracers {what} for each rolling deployment"
            yield _beside(
                says, blog, acks=_per(deployed, "tracer", what), without=_per(deployed, "tracer-no-ack", what)
            )
    for name, how in _STOPPED:
        if (stopped := by_name.get(name)) is not None:
            says = f"of {_WINDOW_SECONDS} s of logs, lost with a task that is {how}"
            yield _beside(says, "1.5 %", acks=_share(stopped, "firelens"), without=_share(stopped, "no-ack"))


def _beside(says: str, blog: str, *, acks: str, without: str) -> Line:
    return {"says": says, "blog": blog, "acks": acks, "without": without}


def _sum(rows: Iterable[Row], what: str) -> str:
    return f"{sum(getattr(row, what) for row in rows):,}"


def _compared(events: Iterable[Outcome]) -> str:
    names = {outcome.event: outcome for outcome in events}
    deployed = next((names[name] for name in _DEPLOYMENTS if name in names), None)
    count = "" if deployed is None else f" The deployments are {deployed.repeats}, of two tasks each."
    return f"The blog does not say how its task was stopped: its figure stands beside each of our ways.{count}"


def _per(outcome: Outcome, client: str, what: str) -> str:
    found = [row for row in outcome.rows if row.client == client]
    return f"{sum(getattr(row, what) for row in found) / outcome.repeats:.2f}" if found else ""


def _share(outcome: Outcome, client: str) -> str:
    found = [row for row in outcome.rows if row.client == client]
    window = sum(row.per_second for row in found) * _WINDOW_SECONDS * outcome.repeats
    return f"{100 * sum(row.lost for row in found) / window:.1f} %" if window else ""


def _line(outcome: Outcome) -> Line:
    acking = [row for row in outcome.rows if row.acks]
    latencies = [row.latency_p99_ms for row in acking if row.latency_p99_ms is not None]
    return {
        "event": outcome.event,
        "says": outcome.says,
        "sent": _sum(acking, "sent"),
        "lost": _sum(acking, "lost"),
        "after": _sum(acking, "lost_acknowledged"),
        "duplicated": _sum(acking, "duplicated"),
        "otherwise": _sum(acking, "duplicated_otherwise"),
        "failed": _sum(acking, "failed"),
        "p99": _seconds(max(latencies, default=None)),
        "without": _sum((row for row in outcome.rows if not row.acks), "lost"),
    }


def _control(outcome: Outcome) -> Line:
    """Of all clients: those that ask for no acknowledgement have a control of their own."""
    return {
        "event": outcome.event,
        "says": outcome.says,
        "sent": _sum(outcome.rows, "sent"),
        "lost": _sum(outcome.rows, "lost"),
        "after": _sum(outcome.rows, "lost_acknowledged"),
    }


def _row(outcome: Outcome, row: Row) -> Line:
    return {
        "event": outcome.event,
        "client": row.client,
        "sent": f"{row.sent:,}",
        "acknowledged": f"{row.acknowledged:,}" if row.acks else "",
        "lost": f"{row.lost:,}",
        "after": f"{row.lost_acknowledged:,}" if row.acks else "",
        "duplicated": f"{row.duplicated:,}",
        "otherwise": f"{row.duplicated_otherwise:,}",
        "failed": f"{row.failed:,}",
        "p99": _seconds(row.latency_p99_ms),
    }


def _admitted(events: Iterable[Outcome]) -> Iterator[Line]:
    for outcome in events:
        if outcome.may_lose_acknowledged:
            gate = [row for row in outcome.rows if row.client == GATE]
            others = [row for row in outcome.rows if row.acks and row.client != GATE]
            yield {
                "event": outcome.event,
                "sent": _sum(others, "acknowledged"),
                "after": _sum(others, "lost_acknowledged"),
                "gate": f"{_sum(gate, 'lost_acknowledged')} of {_sum(gate, 'acknowledged')}" if gate else "",
                "why": _WHY.get(outcome.event, ""),
            }


def _seconds(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds / 1000:.1f} s"
