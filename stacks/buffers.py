"""Kinesis data streams: the buffers of routes via kinesis, between the aggregator and Firehose.

A stream holds what Firehose has not read yet, for as long as the route says; so it is a stack of its own, that is
deployed before those who write and read it, and stays where stored logs stay. Nothing is exported: both sides spell the
stream's name (`sluice.names.kinesis_stream`).

Two alarms per stream tell of a loss before it happens: Firehose is half of the retention behind, or nobody reads; and
writes are refused, upon which files pile up in the aggregator.

Cost: decision 0015. Changing between on-demand and provisioned is possible twice in 24 hours
(https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateStreamMode.html).
"""

from typing import Final

from aws_cdk import Environment, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

from sluice import names
from sluice.model import Deployment, Removal
from sluice.routes import Route
from stacks.alarms import KINESIS, alarm
from stacks.findings import accept

AWS_KEY: Final = "alias/aws/kinesis"
_HOUR_MS: Final = 3_600_000
# Firehose polls all the time, so a quarter of an hour without a value is a stream that nobody reads.
AGE_PERIODS: Final = 3
# The aggregator tries again at once and for ever: what is refused for a few minutes is what on-demand takes to grow.
REFUSED_PERIODS: Final = 3

_Encryption = kinesis.CfnStream.StreamEncryptionProperty
_Mode = kinesis.CfnStream.StreamModeDetailsProperty


class Buffers(Stack):
    """The data stream of every route via kinesis."""

    def __init__(self, scope: Construct, stack_id: str, *, deployment: Deployment, env: Environment) -> None:
        super().__init__(scope, stack_id, env=env, description="Sluice: the data streams that Firehose reads")
        for route in deployment.routes:
            if route.via == "kinesis":
                _Buffer(self, route.name, deployment=deployment, route=route)


class _Buffer(Construct):
    """A route's stream and its alarms."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: Deployment, route: Route) -> None:
        super().__init__(scope, construct_id)
        name = names.kinesis_stream(deployment, route)
        settings = route.kinesis
        provisioned = settings.mode == "provisioned"
        stream = kinesis.CfnStream(
            self,
            "Stream",
            name=name,
            stream_mode_details=_Mode(stream_mode="PROVISIONED" if provisioned else "ON_DEMAND"),
            shard_count=(settings.shards or 1) if provisioned else None,
            retention_period_hours=settings.retention_hours,
            stream_encryption=_Encryption(encryption_type="KMS", key_id=settings.key_arn or AWS_KEY),
        )
        if settings.key_arn is not None:
            accept(stream, "KDS3", because="The configuration names the key that this environment's data is under")
        goes = deployment.removal is Removal.DESTROY
        stream.apply_removal_policy(RemovalPolicy.DESTROY if goes else RemovalPolicy.RETAIN)
        alarm(
            self,
            "Behind",
            name=f"{name}-kinesis-behind",
            says=f"Firehose is half of the {settings.retention_hours} hours behind that {name} keeps records, or does "
            "not read at all: what it has not read by then is lost. See the delivery stream's log and alarms.",
            namespace=KINESIS,
            metric="GetRecords.IteratorAgeMilliseconds",
            stream=name,
            statistic="Maximum",
            least=settings.retention_hours * _HOUR_MS / 2,
            periods=AGE_PERIODS,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        alarm(
            self,
            "Refused",
            name=f"{name}-kinesis-refused",
            says=f"{name} takes less than is written: the aggregator tries again and its files pile up. "
            + ("Give the route more shards." if provisioned else "It grows to twice its peak of the last 30 days."),
            namespace=KINESIS,
            metric="WriteProvisionedThroughputExceeded",
            stream=name,
            statistic="Sum",
            least=1,
            periods=REFUSED_PERIODS,
        )
