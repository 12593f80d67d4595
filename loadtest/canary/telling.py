"""What is told, as CloudWatch's embedded metric format: lines on standard output that Lambda carries to CloudWatch.

| Metric | By | Is there |
|---|---|---|
| Delivered, Lost, Duplicated, Judged (Delivered, Lost, Failed and Late) | System and Route | each five minutes |
| Latency, in seconds: every tracer, so p99 and maximum are statistics of it | System and Route | for what was found |
| Failed, Late, Unchecked | System and Route | only if there are any |
| NotSent | System | each five minutes |
| SkippedBytes | System | only if there are any |

Which tracers, and why, stand in the same lines, where they cost nothing: `lost` has the beginnings of their markers.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Cost: a metric is $0.30 a month for each route while it is there.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from loadtest.canary.judging import Verdict
from loadtest.canary.looking import Looked
from loadtest.canary.settings import Settings

NAMESPACE: Final = "Sluice/Canary"
MOST_VALUES: Final = 100
_MARKER_HEAD: Final = 3 + 8 + 4 + 8


def lines(settings: Settings, looked: Looked) -> Iterator[str]:
    """Everything that is told, a line of JSON each."""
    for verdict in looked.verdicts:
        counts = _counts(verdict)
        if verdict.route.name in looked.troubles:
            counts = {name: value for name, value in counts.items() if value}
        told = _which(settings, verdict)
        dimensions = {"System": settings.system, "Route": verdict.route.name}
        seconds = [round(value, 3) for value in verdict.latencies]
        yield _line(dimensions, counts, {"Latency": seconds[:MOST_VALUES]}, told)
        for at in range(MOST_VALUES, len(seconds), MOST_VALUES):
            yield _line(dimensions, {}, {"Latency": seconds[at : at + MOST_VALUES]}, {})
    unsent = sum(len(verdict.unsent) for verdict in looked.verdicts)
    skipped = {"SkippedBytes": looked.skipped} if looked.skipped else {}
    system = {"readBytes": looked.read, **({"troubles": looked.troubles} if looked.troubles else {})}
    yield _line({"System": settings.system}, {"NotSent": unsent, **skipped}, {}, system)


def _counts(verdict: Verdict) -> dict[str, int]:
    judged = verdict.delivered + len(verdict.lost) + len(verdict.failed) + verdict.late
    always = {
        "Delivered": verdict.delivered,
        "Lost": len(verdict.lost),
        "Judged": judged,
        "Duplicated": verdict.duplicated,
    }
    seldom = {"Failed": len(verdict.failed), "Late": verdict.late, "Unchecked": len(verdict.unchecked)}
    return always | {name: value for name, value in seldom.items() if value}


def _which(settings: Settings, verdict: Verdict) -> dict[str, Any]:
    def marked(numbers: Sequence[int]) -> list[str]:
        return [settings.marker(verdict.route, number, 0)[:_MARKER_HEAD].decode() for number in numbers]

    told: dict[str, Any] = {
        "lost": marked(verdict.lost),
        "notSent": marked(verdict.unsent),
        "failed": dict(zip(marked(list(verdict.failed)), verdict.failed.values(), strict=True)),
        "duplicatedOtherwise": verdict.otherwise,
    }
    return {name: value for name, value in told.items() if value} | {"tag": verdict.route.tag}


def _line(
    dimensions: Mapping[str, str],
    counts: Mapping[str, int],
    seconds: Mapping[str, Sequence[float]],
    properties: Mapping[str, Any],
) -> str:
    values = {name: found for name, found in seconds.items() if found}
    units = dict.fromkeys(counts, "Count") | dict.fromkeys(values, "Seconds")
    if "SkippedBytes" in units:
        units["SkippedBytes"] = "Bytes"
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
    }
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive] if units else []}
    return json.dumps({"_aws": metadata, **dimensions, **counts, **values, **properties}, separators=(",", ":"))
