"""Delivery streams as they were deployed: stacks in, StreamConfigs out.

What counts is what DescribeDeliveryStream says, with every reference resolved. The emulator's description
lacks properties that a template may have (FileExtension, CustomTimeZone, S3BackupConfiguration in
MiniStack 1.5.33); whatever of a template is missing from the description is read from the template, as
literals. A property that is not understood is an error: a stand-in that ignored one would pass what AWS
does otherwise.

Understood but without effect here: roles, encryption and CloudWatch logging, which change nothing about
the records. Source:
https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationDescription.html
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from local.firehose import limits
from local.firehose.config import BufferHints, Compression, LambdaProcessor, S3Destination, StreamConfig
from local.firehose.errors import UnsupportedFeatureError
from local.firehose.prefixes import PrefixError, complete_prefixes

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_firehose import FirehoseClient

_STREAM_TYPE: Final = "AWS::KinesisFirehose::DeliveryStream"
_DESCRIBED: Final = "ExtendedS3DestinationDescription"
_CONFIGURED: Final = "ExtendedS3DestinationConfiguration"
_READ: Final = frozenset(
    {
        "BucketARN",
        "BufferingHints",
        "CompressionFormat",
        "CustomTimeZone",
        "DataFormatConversionConfiguration",
        "DynamicPartitioningConfiguration",
        "ErrorOutputPrefix",
        "FileExtension",
        "Prefix",
        "ProcessingConfiguration",
        "S3BackupMode",
    }
)
_WITHOUT_EFFECT: Final = frozenset({"RoleARN", "EncryptionConfiguration", "CloudWatchLoggingOptions"})
_COMPRESSIONS: Final[Mapping[str, Compression]] = {"UNCOMPRESSED": "UNCOMPRESSED", "GZIP": "GZIP"}
_NEWLINES: Final = ("\n", "\\n")

# What AWS calls a description is JSON of any depth; it is checked key by key below.
Description = Mapping[str, Any]


def deployed_streams(
    cloudformation: "CloudFormationClient", firehose: "FirehoseClient", *, stacks: Iterable[str]
) -> tuple[StreamConfig, ...]:
    """Return the delivery streams of `stacks`, in the stacks' order.

    Raises UnsupportedFeatureError for what the local Firehose does not do, and botocore's errors.
    """
    return tuple(
        read_description(
            firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"],
            configured=configured,
        )
        for stack in stacks
        for name, configured in _find_streams(cloudformation, stack)
    )


def read_description(description: Description, *, configured: Description | None = None) -> StreamConfig:
    """Return a DeliveryStreamDescription as a StreamConfig.

    `configured` is the destination as the template has it, for what the description lacks. Raises
    UnsupportedFeatureError.
    """
    name = description["DeliveryStreamName"]
    kind = description["DeliveryStreamType"]
    if kind != "DirectPut":
        raise UnsupportedFeatureError(name, f"the source {kind}", "use DirectPut")
    destinations = description["Destinations"]
    described = destinations[0].get(_DESCRIBED) if len(destinations) == 1 else None
    if described is None:
        found = sorted(key for each in destinations for key in each if key != "DestinationId")
        raise UnsupportedFeatureError(name, f"the destinations {found}", f"use one {_DESCRIBED}")
    s3 = {**(configured or {}), **described}
    _refuse_unsupported(name, s3)
    processor, delimiter = _read_processors(name, s3.get("ProcessingConfiguration", {}))
    return StreamConfig(
        name=name,
        arn=description["DeliveryStreamARN"],
        version=description["VersionId"],
        processor=processor,
        destination=_read_destination(name, s3, delimiter=delimiter),
    )


def _find_streams(cloudformation: "CloudFormationClient", stack: str) -> Iterator[tuple[str, Description]]:
    template = cloudformation.get_template(StackName=stack)["TemplateBody"]
    resources = (json.loads(template) if isinstance(template, str) else template)["Resources"]
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == _STREAM_TYPE:
                properties = resources[resource["LogicalResourceId"]]["Properties"]
                yield resource["PhysicalResourceId"], properties.get(_CONFIGURED, {})


def _refuse_unsupported(stream: str, s3: Description) -> None:
    for unknown in sorted(set(s3) - _READ - _WITHOUT_EFFECT):
        raise UnsupportedFeatureError(stream, unknown, "remove it")
    for feature in ("DynamicPartitioningConfiguration", "DataFormatConversionConfiguration"):
        if feature in s3 and _is_enabled(s3[feature]):
            raise UnsupportedFeatureError(stream, feature, "leave it disabled")
    if s3.get("S3BackupMode", "Disabled") != "Disabled":
        raise UnsupportedFeatureError(stream, f"S3BackupMode {s3['S3BackupMode']}", "use Disabled")
    if s3.get("CustomTimeZone") not in (None, "", "UTC"):
        raise UnsupportedFeatureError(stream, f"CustomTimeZone {s3['CustomTimeZone']}", "use UTC")
    if s3.get("CompressionFormat", "UNCOMPRESSED") not in _COMPRESSIONS:
        raise UnsupportedFeatureError(stream, f"CompressionFormat {s3['CompressionFormat']}", "use GZIP")
    if not isinstance(s3.get("FileExtension", ""), str):
        raise UnsupportedFeatureError(stream, f"FileExtension {s3['FileExtension']}", "make it a literal")


def _read_destination(stream: str, s3: Description, *, delimiter: bytes) -> S3Destination:
    prefix, error_prefix = s3.get("Prefix", ""), s3.get("ErrorOutputPrefix", "")
    try:
        complete_prefixes(prefix, error_prefix)
    except PrefixError as error:
        raise UnsupportedFeatureError(stream, f"its prefixes: {error}", "correct them") from error
    hints = s3.get("BufferingHints", {})
    size = hints.get("SizeInMBs", limits.DEFAULT_BUFFER_MIB)
    interval = hints.get("IntervalInSeconds", limits.DEFAULT_BUFFER_SECONDS)
    return S3Destination(
        bucket=s3["BucketARN"].rpartition(":")[2],
        prefix=prefix,
        error_prefix=error_prefix,
        hints=BufferHints(
            size_bytes=int(_in_range(stream, "SizeInMBs", size, limits.BUFFER_MIB_RANGE)) * limits.MIB,
            interval_seconds=_in_range(stream, "IntervalInSeconds", interval, limits.BUFFER_SECONDS_RANGE),
        ),
        compression=_COMPRESSIONS[s3.get("CompressionFormat", "UNCOMPRESSED")],
        delimiter=delimiter,
        file_extension=s3.get("FileExtension", ""),
    )


def _read_processors(stream: str, processing: Description) -> tuple[LambdaProcessor | None, bytes]:
    processor: LambdaProcessor | None = None
    delimiter = b""
    for each in processing.get("Processors", []) if _is_enabled(processing) else []:
        parameters = {pair["ParameterName"]: pair["ParameterValue"] for pair in each.get("Parameters", [])}
        match each["Type"]:
            case "Lambda" if processor is None:
                processor = _read_lambda(stream, parameters)
            case "AppendDelimiterToRecord" if parameters.get("Delimiter", "\n") in _NEWLINES:
                delimiter = b"\n"
            case kind:
                raise UnsupportedFeatureError(stream, f"the processor {kind} with {parameters}", "remove it")
    return processor, delimiter


def _read_lambda(stream: str, parameters: Mapping[str, str]) -> LambdaProcessor:
    known = {"LambdaArn", "RoleArn", "NumberOfRetries", "BufferSizeInMBs", "BufferIntervalInSeconds"}
    for unknown in sorted(set(parameters) - known):
        raise UnsupportedFeatureError(stream, f"the Lambda processor's {unknown}", "remove it")
    size = parameters.get("BufferSizeInMBs", limits.DEFAULT_LAMBDA_BUFFER_MB)
    interval = parameters.get("BufferIntervalInSeconds", limits.DEFAULT_LAMBDA_BUFFER_SECONDS)
    interval_seconds = _in_range(stream, "BufferIntervalInSeconds", interval, limits.LAMBDA_BUFFER_SECONDS_RANGE)
    size_mb = _in_range(stream, "BufferSizeInMBs", size, limits.LAMBDA_BUFFER_MB_RANGE)
    return LambdaProcessor(
        arn=parameters["LambdaArn"],
        hints=BufferHints(size_bytes=int(size_mb * limits.MIB), interval_seconds=interval_seconds),
        retries=int(parameters.get("NumberOfRetries", limits.DEFAULT_LAMBDA_RETRIES)),
    )


def _in_range(stream: str, name: str, value: float | str, allowed: tuple[float, float]) -> float:
    least, most = allowed
    number = float(value)
    if not least <= number <= most:
        raise UnsupportedFeatureError(stream, f"{name} {value}", f"use {least} to {most}")
    return number


def _is_enabled(configuration: Description) -> bool:
    return configuration.get("Enabled", True) in (True, "true")
