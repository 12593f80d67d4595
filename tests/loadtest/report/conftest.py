"""A result with something in every place of a report."""

from dataclasses import replace
from typing import Any

import pytest

from loadtest.tally import (
    Account,
    Breach,
    Example,
    LoadAccount,
    MarkAccount,
    Percentiles,
    Result,
    RouteAccount,
    Series,
)

BEGAN = 1_800_000_000.0
LATENCY = Percentiles(p50=1200, p90=2000, p99=61_000, max=64_000)


def load(name: str, **changes: Any) -> LoadAccount:
    fields: dict[str, Any] = {
        "name": name,
        "client": "firelens",
        "ack": True,
        "tracer": False,
        "tag": name,
        "route": name,
        "connections": 2,
        "due": 1000,
        "sent": 1000,
        "acknowledged": 1000,
        "delivered": 990,
        "latency": LATENCY,
    }
    return LoadAccount(**{**fields, **changes})


@pytest.fixture
def result() -> Result:
    """Forty seconds, two events, one message lost, nothing known of the processor in one slot."""
    web = load("web", delivered=984, failed=6, failed_by_reason={"processing-failed": 6}, lost=10, lost_acknowledged=1)
    tracers = load("tracers", delivered=1000, duplicated=7, tracer=True, ack=False, altered=2, misrouted=3)
    mark = {"sent": 500, "acknowledged": 500}
    return Result(
        run="0000abcd",
        profile="small",
        says="<b>to & fro</b>",
        seed=1,
        seconds=40,
        began=BEGAN,
        ended=BEGAN + 40,
        bytes=2_000_000,
        behind=0.0,
        loads=(web, tracers),
        routes=(RouteAccount(name="web", sent=1000), RouteAccount(name="tracers", sent=1000)),
        total=Account(
            sent=2000,
            acknowledged=2000,
            delivered=1984,
            failed=6,
            lost=10,
            lost_acknowledged=1,
            duplicated=7,
            altered=2,
            misrouted=3,
            latency=LATENCY,
        ),
        marks=(
            MarkAccount(
                name="kill", at=BEGAN + 10, until=BEGAN + 30, lost=10, lost_acknowledged=1, duplicated=5, **mark
            ),
            MarkAccount(
                name="scale in", at=BEGAN + 30, until=BEGAN + 40, lost=0, lost_acknowledged=0, duplicated=2, **mark
            ),
        ),
        series=Series(
            start=BEGAN,
            step=1,
            sent=(50,) * 40,
            acknowledged=(40,) * 40,
            delivered=(*(0,) * 20, *(80,) * 20),
            p50=(1000.0,) * 40,
            p99=(*(2000.0,) * 10, None, 4000.0, None, *(2000.0,) * 27),
            cpu=(0.5, None, *(0.2,) * 38),
            memory=(60_000_000,) * 40,
            buffered=(0,) * 40,
        ),
        breaches=(Breach("lost", 0, 10, "lost: 10, at most 0 allowed"),),
        examples=(Example("lost", "web", 0, 7, 10),),
        target={"Fluent Bit": "5.0.2"},
    )


@pytest.fixture
def passed(result: Result) -> Result:
    """The same run, and nothing wrong with it."""
    clean = Account(sent=2000, acknowledged=2000, delivered=2000, latency=LATENCY)
    return replace(
        result,
        run="0000beef",
        total=clean,
        loads=(load("web", delivered=1000), load("other")),
        marks=(),
        breaches=(),
        examples=(),
        series=replace(result.series, cpu=(None,) * 40, memory=(None,) * 40, buffered=(None,) * 40),
    )
