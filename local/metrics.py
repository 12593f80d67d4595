"""The functions' metrics, read where CloudWatch would read them: in their logs, in the embedded format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


def total(logs: "CloudWatchLogsClient", *, group: str, metric: str) -> int:
    """The sum of a metric over all that a log group holds; 0 when there is no such group yet."""
    try:
        pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=group))
    except logs.exceptions.ResourceNotFoundException:
        return 0
    return round(sum(_values(event.get("message", ""), metric) for page in pages for event in page["events"]))


def _values(message: str, metric: str) -> float:
    """What one line adds; one that is no metrics adds nothing."""
    if not message.startswith("{"):
        return 0
    try:
        told = orjson.loads(message)
    except orjson.JSONDecodeError:
        return 0
    values = told.get(metric, []) if "_aws" in told else []
    return float(sum(values) if isinstance(values, list) else values)
