"""A route to S3: a Firehose stream that transforms, compresses and partitions by arrival hour.

Sources: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html for the prefixes and
https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3 for the role's actions.
"""

from typing import Final

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice import names
from sluice.model import Deployment
from sluice.routes import Buffering, Route
from stacks.findings import accept, spelled
from stacks.redaction_key import RedactionKey
from stacks.service_log import service_log
from stacks.transformer import Transformer

PARTITIONS: Final = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
REASON: Final = "reason=!{firehose:error-output-type}/"
TRANSFORM_RETRIES: Final = 3
_LOG_STREAM: Final = "delivery"

_Encryption = firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty
_Hints = firehose.CfnDeliveryStream.BufferingHintsProperty
_Logging = firehose.CfnDeliveryStream.CloudWatchLoggingOptionsProperty
_Destination = firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty
_Processing = firehose.CfnDeliveryStream.ProcessingConfigurationProperty
_Processor = firehose.CfnDeliveryStream.ProcessorProperty
_Parameter = firehose.CfnDeliveryStream.ProcessorParameterProperty


class S3Route(Construct):
    """The stream, its transformer, its log, and a role that can do this and nothing else."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        route: Route,
        bucket: s3.IBucket,
        code: lambda_.Code,
        key: RedactionKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._bucket = bucket
        name = names.stream(deployment, route)
        transformer = Transformer(
            self, "Transformer", deployment=deployment, route=route, bucket=bucket, code=code, key=key
        )
        log = service_log(self, "Log", name=f"/aws/kinesisfirehose/{name}", deployment=deployment)
        log_stream = logs.LogStream(
            self, "LogStream", log_group=log, log_stream_name=_LOG_STREAM, removal_policy=RemovalPolicy.DESTROY
        )
        role = self._role(route, name=names.role(deployment, route), stream=name, transformer=transformer)
        firehose.CfnDeliveryStream(
            self,
            "Stream",
            delivery_stream_name=name,
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input=_Encryption(key_type="AWS_OWNED_CMK"),
            extended_s3_destination_configuration=_Destination(
                bucket_arn=bucket.bucket_arn,
                role_arn=role.role_arn,
                prefix=names.delivered_prefix(route) + PARTITIONS,
                error_output_prefix=names.failed_prefix(route) + REASON + PARTITIONS,
                compression_format="GZIP",
                buffering_hints=_hints(route.buffering),
                processing_configuration=_processing(route.buffering, transformer=transformer, role=role),
                cloud_watch_logging_options=_Logging(
                    enabled=True, log_group_name=log.log_group_name, log_stream_name=log_stream.log_stream_name
                ),
            ),
        )

    def _role(self, route: Route, *, name: str, stream: str, transformer: Transformer) -> iam.Role:
        """Its own policy is part of it, so that the stream is never made before the policy is."""
        prefixes = (names.delivered_prefix(route), names.failed_prefix(route))
        statements = [*_writing(self._bucket, prefixes=prefixes), transformer.invocation(), self._logging(stream)]
        role = iam.Role(
            self,
            "Role",
            role_name=name,
            assumed_by=iam.ServicePrincipal("firehose.amazonaws.com"),
            inline_policies={"deliver": iam.PolicyDocument(statements=statements)},
        )
        for prefix in prefixes:
            accept(
                role,
                f"IAM5[Resource::{spelled(self, self._bucket.bucket_arn)}/{prefix}*]",
                because=f"Firehose chooses the names of the objects it writes below {prefix}",
            )
        return role

    def _logging(self, stream: str) -> iam.PolicyStatement:
        arn = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"/aws/kinesisfirehose/{stream}:log-stream:{_LOG_STREAM}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return iam.PolicyStatement(actions=["logs:PutLogEvents"], resources=[arn])


def _writing(bucket: s3.IBucket, *, prefixes: tuple[str, ...]) -> list[iam.PolicyStatement]:
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


def _hints(buffering: Buffering) -> _Hints:
    return _Hints(size_in_m_bs=buffering.size_mib, interval_in_seconds=buffering.interval_seconds)


def _processing(buffering: Buffering, *, transformer: Transformer, role: iam.IRole) -> _Processing:
    parameters = {
        "LambdaArn": transformer.arn,
        "RoleArn": role.role_arn,
        "NumberOfRetries": str(TRANSFORM_RETRIES),
        "BufferSizeInMBs": f"{buffering.transform_size_mb:g}",
        "BufferIntervalInSeconds": str(buffering.transform_interval_seconds),
    }
    return _Processing(
        enabled=True,
        processors=[
            _Processor(
                type="Lambda",
                parameters=[
                    _Parameter(parameter_name=name, parameter_value=value) for name, value in parameters.items()
                ],
            )
        ],
    )
