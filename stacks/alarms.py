"""Alarms on what AWS itself measures of a stream. They tell nobody until an action is added: they are there to see."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

FIREHOSE: Final = "AWS/Firehose"
KINESIS: Final = "AWS/Kinesis"
PERIOD_MINUTES: Final = 5


def alarm(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    says: str,
    namespace: str,
    metric: str,
    stream: str,
    statistic: str,
    least: float,
    periods: int = 1,
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
) -> cloudwatch.Alarm:
    """An alarm on a stream's metric.

    Args:
        scope: whose alarm it is.
        construct_id: its id there.
        name: the alarm's physical name.
        says: what it means and what to do, for who is woken by it.
        namespace: FIREHOSE or KINESIS, which also says how the stream is named in the metric's dimension.
        metric: the metric's name.
        stream: the stream's name.
        statistic: as CloudWatch spells it: "Maximum", "Sum".
        least: from this value on it alarms.
        periods: so many periods of PERIOD_MINUTES in a row.
        missing: what it means that there is no value.
    """
    dimension = "DeliveryStreamName" if namespace == FIREHOSE else "StreamName"
    return cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_name=name,
        alarm_description=says,
        metric=cloudwatch.Metric(
            namespace=namespace,
            metric_name=metric,
            dimensions_map={dimension: stream},
            statistic=statistic,
            period=Duration.minutes(PERIOD_MINUTES),
        ),
        threshold=least,
        evaluation_periods=periods,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=missing,
    )
