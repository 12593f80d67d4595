"""What a batch tells CloudWatch: counts as metrics in its embedded format, and each failure as a structured log line.

Both are lines on standard output: no call, no wait. No line holds anything of a log's content.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from functools import cache

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from lambdas.transform.batch import Tally

NAMESPACE = "Sluice"
SERVICE = "transform"


def report(tally: Tally, *, route: str, milliseconds: float) -> None:
    """Report a batch: how much came, went, failed and was dropped, in all and by reason, and every failure."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    if route:
        metrics.add_dimension(name="route", value=route)
    reasons = Counter(failure.reason for failure in tally.failures)
    counts = {
        "Records": tally.records,
        "Delivered": tally.delivered,
        "Failed": reasons.total(),
        "Dropped": tally.dropped.total(),
        "Documents": tally.documents,
        **{f"Failed.{reason}": count for reason, count in reasons.items()},
        **{f"Dropped.{rule}": count for rule, count in tally.dropped.items()},
    }
    for name, count in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    metrics.add_metric(name="BytesIn", unit=MetricUnit.Bytes, value=tally.bytes_in)
    metrics.add_metric(name="BytesOut", unit=MetricUnit.Bytes, value=tally.bytes_out)
    metrics.add_metric(name="Duration", unit=MetricUnit.Milliseconds, value=milliseconds)
    metrics.flush_metrics()
    for failure in tally.failures:
        _logger().error("record failed", extra={"route": route, **asdict(failure)})


@cache
def _logger() -> Logger:
    return Logger(service=SERVICE)
