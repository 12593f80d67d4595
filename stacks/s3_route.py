"""A route to S3: a Firehose stream that transforms, partitions by fields and arrival hour, and compresses or converts.

Partitioned by fields, each folder is filled by itself, and the transformer says for every record which folder it is:
Firehose reads no document for it. Records beyond the limit of folders that are filled at one time go below failed/, and
two alarms tell of it, one before it happens.

Parquet is made from the finished documents by the columns of the route's Glue table, which has to exist before the
stream does. A document that does not fit goes below failed/, with an alarm. The keys are read as they are written: in
lower case, two keys that differ in case only would be one.

Sources: https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html,
https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html,
https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-glue and, for the metrics' names,
https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
"""

from collections.abc import Sequence
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice import limits, names
from sluice.athena.tables import KEYS
from sluice.destinations import PartitionKey, S3Destination
from sluice.model import Deployment
from sluice.routes import Buffering, Route
from stacks.alarms import FIREHOSE, alarm
from stacks.kinesis_source import kinesis_source
from stacks.redaction_key import RedactionKey
from stacks.route_parts import HOUR, Processing, delivery_log, delivery_role, failures, transformation
from stacks.transformer import Transformer

# Firehose's default. A folder that cannot be written counts as one that is being filled: trying for longer would bring
# the limit nearer for all others.
PARTITION_RETRY_SECONDS: Final = 300
# At this share of the limit of folders it is time to raise it, or to name fewer values.
PARTITIONS_SHARE: Final = 0.8

_Stream = firehose.CfnDeliveryStream
_Hints = _Stream.BufferingHintsProperty
_Destination = _Stream.ExtendedS3DestinationConfigurationProperty
_Partitioning = _Stream.DynamicPartitioningConfigurationProperty
_Conversion = _Stream.DataFormatConversionConfigurationProperty


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
        self._deployment = deployment
        self._route = route
        destination = route.destination
        assert isinstance(destination, S3Destination)  # noqa: S101 - narrows the type: its caller has looked
        transformer = Transformer(
            self, "Transformer", deployment=deployment, route=route, bucket=bucket, code=code, key=key
        )
        log = delivery_log(self, deployment=deployment, route=route)
        source = kinesis_source(self, deployment=deployment, route=route)
        converts = destination.format == "parquet"
        role = delivery_role(
            self,
            deployment=deployment,
            route=route,
            bucket=bucket,
            prefixes=(names.delivered_prefix(route), names.failed_prefix(route)),
            statements=[transformer.invocation(), *source.statements, *([self._schema_reading()] if converts else [])],
        )
        source.accept(role)
        processor = transformation(route.buffering, transformer=transformer, role=role)
        stream = firehose.CfnDeliveryStream(
            self,
            "Stream",
            delivery_stream_name=names.stream(deployment, route),
            delivery_stream_type=source.type,
            kinesis_stream_source_configuration=source.configuration(role),
            delivery_stream_encryption_configuration_input=source.encryption,
            extended_s3_destination_configuration=_Destination(
                bucket_arn=bucket.bucket_arn,
                role_arn=role.role_arn,
                prefix=names.delivered_prefix(route) + _folders(destination.partition_by) + HOUR,
                error_output_prefix=failures(route),
                compression_format="UNCOMPRESSED" if converts else "GZIP",
                buffering_hints=_hints(route.buffering),
                dynamic_partitioning_configuration=_partitioning() if destination.partition_by else None,
                data_format_conversion_configuration=self._conversion(role) if converts else None,
                processing_configuration=Processing(enabled=True, processors=[processor]),
                cloud_watch_logging_options=log,
            ),
        )
        source.accept_unencrypted(stream)
        if destination.partition_by:
            self._watch_partitions()
        if converts:
            self._watch_conversion()

    def _schema_reading(self) -> iam.PolicyStatement:
        """What the role needs to read the route's table and no other."""
        database = names.database(self._deployment)
        return iam.PolicyStatement(
            actions=["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
            resources=[
                Stack.of(self).format_arn(service="glue", resource="catalog"),
                Stack.of(self).format_arn(service="glue", resource="database", resource_name=database),
                Stack.of(self).format_arn(
                    service="glue", resource="table", resource_name=f"{database}/{names.table(self._route)}"
                ),
            ],
        )

    def _conversion(self, role: iam.IRole) -> _Conversion:
        reader = _Stream.OpenXJsonSerDeProperty(
            case_insensitive=False,
            column_to_json_key_mappings=dict(KEYS),
            convert_dots_in_json_keys_to_underscores=False,
        )
        return _Conversion(
            enabled=True,
            schema_configuration=_Stream.SchemaConfigurationProperty(
                catalog_id=Stack.of(self).account,
                region=Stack.of(self).region,
                database_name=names.database(self._deployment),
                table_name=names.table(self._route),
                version_id="LATEST",
                role_arn=role.role_arn,
            ),
            input_format_configuration=_Stream.InputFormatConfigurationProperty(
                deserializer=_Stream.DeserializerProperty(open_x_json_ser_de=reader)
            ),
            output_format_configuration=_Stream.OutputFormatConfigurationProperty(
                serializer=_Stream.SerializerProperty(parquet_ser_de=_Stream.ParquetSerDeProperty(compression="SNAPPY"))
            ),
        )

    def _watch_partitions(self) -> None:
        stream = names.stream(self._deployment, self._route)
        alarm(
            self,
            "ManyPartitions",
            name=f"{stream}-many-partitions",
            says=f"{stream} fills nearly as many folders at a time as Firehose allows ({limits.ACTIVE_PARTITIONS}, a "
            "quota). Give partition_by `values`, or have it raised.",
            namespace=FIREHOSE,
            metric="PartitionCount",
            stream=stream,
            statistic="Maximum",
            least=PARTITIONS_SHARE * limits.ACTIVE_PARTITIONS,
        )
        alarm(
            self,
            "TooManyPartitions",
            name=f"{stream}-too-many-partitions",
            says=f"{stream} has more folders to fill than Firehose allows: records go below "
            f"{names.failed_prefix(self._route)} instead. Nothing is lost; they have to be replayed.",
            namespace=FIREHOSE,
            metric="PartitionCountExceeded",
            stream=stream,
            statistic="Maximum",
            least=1,
        )

    def _watch_conversion(self) -> None:
        stream = names.stream(self._deployment, self._route)
        alarm(
            self,
            "Unconverted",
            name=f"{stream}-unconverted",
            says=f"{stream} has documents that could not be made Parquet: they are below "
            f"{names.failed_prefix(self._route)}, as JSON, and say why.",
            namespace=FIREHOSE,
            metric="FailedConversion.Records",
            stream=stream,
            statistic="Sum",
            least=1,
        )


def _folders(keys: Sequence[PartitionKey]) -> str:
    return "".join(f"{key.name}=!{{partitionKeyFromLambda:{key.name}}}/" for key in keys)


def _partitioning() -> _Partitioning:
    retry = _Stream.RetryOptionsProperty(duration_in_seconds=PARTITION_RETRY_SECONDS)
    return _Partitioning(enabled=True, retry_options=retry)


def _hints(buffering: Buffering) -> _Hints:
    return _Hints(size_in_m_bs=buffering.size_mib, interval_in_seconds=buffering.interval_seconds)
