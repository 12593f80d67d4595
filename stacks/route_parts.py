"""What every kind of route is made of: the log of its deliveries, the role that delivers, the call of its transformer.

The ids of the constructs are those of the route's own scope, whatever its destination is: a route that changes its
destination keeps its log. What a role may do stands in the role itself and not in a policy beside it, so that no stream
is ever made before its role may do its work.

Sources: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html for the prefixes and
https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3 for the role's actions.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice import names
from sluice.model import Deployment
from sluice.routes import Buffering, Route
from stacks.findings import accept, spelled
from stacks.service_log import service_log

if TYPE_CHECKING:
    from stacks.transformer import Transformer

HOUR: Final = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
REASON: Final = "reason=!{firehose:error-output-type}/"
TRANSFORM_RETRIES: Final = 3
_LOG_STREAM: Final = "delivery"

Logging = firehose.CfnDeliveryStream.CloudWatchLoggingOptionsProperty
Processing = firehose.CfnDeliveryStream.ProcessingConfigurationProperty
Processor = firehose.CfnDeliveryStream.ProcessorProperty
Parameter = firehose.CfnDeliveryStream.ProcessorParameterProperty


def failures(route: Route) -> str:
    """Where Firehose puts what it could not process or deliver: by reason and hour."""
    return names.failed_prefix(route) + REASON + HOUR


def delivery_log(scope: Construct, *, deployment: Deployment, route: Route) -> Logging:
    """The log of what Firehose could not deliver; `log_writing` allows it to write there."""
    group = service_log(scope, "Log", name=_log_group(deployment, route), deployment=deployment)
    stream = logs.LogStream(
        scope, "LogStream", log_group=group, log_stream_name=_LOG_STREAM, removal_policy=RemovalPolicy.DESTROY
    )
    return Logging(enabled=True, log_group_name=group.log_group_name, log_stream_name=stream.log_stream_name)


def log_writing(scope: Construct, *, deployment: Deployment, route: Route) -> iam.PolicyStatement:
    """What a role needs to write to the route's `delivery_log` and to no other."""
    arn = Stack.of(scope).format_arn(
        service="logs",
        resource="log-group",
        resource_name=f"{_log_group(deployment, route)}:log-stream:{_LOG_STREAM}",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    return iam.PolicyStatement(actions=["logs:PutLogEvents"], resources=[arn])


def delivery_role(
    scope: Construct,
    *,
    deployment: Deployment,
    route: Route,
    bucket: s3.IBucket,
    prefixes: Sequence[str],
    statements: Sequence[iam.PolicyStatement],
) -> iam.Role:
    """The role that Firehose delivers the route with.

    Args:
        scope: the route.
        deployment: names the role and the log.
        route: whose role it is.
        bucket: where it writes objects.
        prefixes: below which of the bucket's prefixes, and no others.
        statements: what else it may do.
    """
    writing = _writing(bucket, prefixes=prefixes)
    allowed = [*writing, *statements, log_writing(scope, deployment=deployment, route=route)]
    role = iam.Role(
        scope,
        "Role",
        role_name=names.role(deployment, route),
        assumed_by=iam.ServicePrincipal("firehose.amazonaws.com"),
        inline_policies={"deliver": iam.PolicyDocument(statements=allowed)},
    )
    for prefix in prefixes:
        accept(
            role,
            f"IAM5[Resource::{spelled(scope, bucket.bucket_arn)}/{prefix}*]",
            because=f"Firehose chooses the names of the objects it writes below {prefix}",
        )
    return role


def transformation(buffering: Buffering, *, transformer: "Transformer", role: iam.IRole) -> Processor:
    """The call of the route's transformer, as a processor of its stream."""
    parameters = {
        "LambdaArn": transformer.arn,
        "RoleArn": role.role_arn,
        "NumberOfRetries": str(TRANSFORM_RETRIES),
        "BufferSizeInMBs": f"{buffering.transform_size_mb:g}",
        "BufferIntervalInSeconds": str(buffering.transform_interval_seconds),
    }
    return Processor(
        type="Lambda",
        parameters=[Parameter(parameter_name=name, parameter_value=value) for name, value in parameters.items()],
    )


def _log_group(deployment: Deployment, route: Route) -> str:
    return f"/aws/kinesisfirehose/{names.stream(deployment, route)}"


def _writing(bucket: s3.IBucket, *, prefixes: Sequence[str]) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            actions=["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
            resources=[bucket.bucket_arn],
        ),
        iam.PolicyStatement(
            actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            resources=[bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes],
        ),
    ]
