"""What DescribeDeliveryStream says of one stream, read into a StreamConfig.

A property that is not understood is an error: a stand-in that ignored one would pass what AWS does otherwise.
Understood but without effect here: roles, encryption, CloudWatch logging and the VPC that a destination is reached
through, which change nothing about the records; the ids of documents, which are OpenSearch's here; and how long S3 is
tried for a partition, which is for ever here.

Sources: https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationDescription.html,
API_AmazonopensearchserviceDestinationDescription.html and API_AmazonOpenSearchServerlessDestinationDescription.html.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, get_args

from local.firehose import limits
from local.firehose.config import (
    BufferHints,
    Compression,
    KinesisSource,
    OpenSearchDestination,
    Rotation,
    S3Destination,
    StreamConfig,
)
from local.firehose.errors import UnsupportedFeatureError
from local.firehose.prefixes import PrefixError, complete_prefixes
from local.firehose.processors import Processors, read_processors
from local.firehose.values import Description, in_range, is_enabled, refuse_unknown

SEARCH: Final = "AmazonopensearchserviceDestination"
SERVERLESS: Final = "AmazonOpenSearchServerlessDestination"
KINDS: Final = ("ExtendedS3Destination", SEARCH, SERVERLESS)
"""The destinations, without the `Description` or `Configuration` that AWS puts behind them."""

_OF_ALL: Final = frozenset(
    {"RoleARN", "EncryptionConfiguration", "CloudWatchLoggingOptions", "ProcessingConfiguration"}
)
_OF_S3: Final = _OF_ALL | {
    "BucketARN",
    "BufferingHints",
    "CompressionFormat",
    "CustomTimeZone",
    "DataFormatConversionConfiguration",
    "DynamicPartitioningConfiguration",
    "ErrorOutputPrefix",
    "FileExtension",
    "Prefix",
    "S3BackupMode",
}
_OF_SEARCH: Final = _OF_ALL | {
    "BufferingHints",
    "ClusterEndpoint",
    "CollectionEndpoint",
    "DocumentIdOptions",
    "DomainARN",
    "IndexName",
    "IndexRotationPeriod",
    "RetryOptions",
    "S3BackupMode",
    # Its two names, in a description and in a template.
    "S3DestinationDescription",
    "S3Configuration",
    "VpcConfiguration",
    "VpcConfigurationDescription",
}
_COMPRESSIONS: Final[Mapping[str, Compression]] = {"UNCOMPRESSED": "UNCOMPRESSED", "GZIP": "GZIP"}
_ROTATIONS: Final[Mapping[str, Rotation]] = {rotation: rotation for rotation in get_args(Rotation)}


def read_description(
    description: Description,
    *,
    configured: Description | None = None,
    endpoints: Mapping[str, str] | None = None,
) -> StreamConfig:
    """Return a DeliveryStreamDescription as a StreamConfig.

    `configured` is the destination as the template has it, for what the description lacks. `endpoints` are URLs of
    OpenSearch by the domain's ARN, or in place of the endpoint that the description has. Raises
    UnsupportedFeatureError.
    """
    name = description["DeliveryStreamName"]
    kind, described = _find_destination(name, description["Destinations"])
    settings = {**(configured or {}), **described}
    processors = read_processors(name, settings.get("ProcessingConfiguration", {}))
    return StreamConfig(
        name=name,
        arn=description["DeliveryStreamARN"],
        version=description["VersionId"],
        processor=processors.function,
        source=_read_source(name, description),
        destination=(
            _read_search(name, settings, endpoints=endpoints or {})
            if kind in (SEARCH, SERVERLESS)
            else _read_s3(name, settings, processors=processors)
        ),
    )


def _find_destination(stream: str, destinations: list[dict[str, Any]]) -> tuple[str, Description]:
    for kind in KINDS if len(destinations) == 1 else ():
        described = destinations[0].get(f"{kind}Description")
        if described is not None:
            return kind, described
    found = sorted(key for each in destinations for key in each if key != "DestinationId")
    raise UnsupportedFeatureError(stream, f"the destinations {found}", f"use one of {', '.join(KINDS)}")


def _read_source(stream: str, description: Description) -> KinesisSource | None:
    match description["DeliveryStreamType"]:
        case "DirectPut":
            return None
        case "KinesisStreamAsSource":
            source = description["Source"]["KinesisStreamSourceDescription"]
            started_at = source.get("DeliveryStartTimestamp")
            if isinstance(started_at, datetime):
                started_at = started_at.timestamp()
            return KinesisSource(source["KinesisStreamARN"], start="LATEST" if started_at is None else started_at)
        case kind:
            raise UnsupportedFeatureError(stream, f"the source {kind}", "use DirectPut or KinesisStreamAsSource")


def _read_s3(stream: str, s3: Description, *, processors: Processors) -> S3Destination:
    refuse_unknown(stream, s3, known=_OF_S3)
    if "DataFormatConversionConfiguration" in s3 and is_enabled(s3["DataFormatConversionConfiguration"]):
        raise UnsupportedFeatureError(
            stream, "DataFormatConversionConfiguration (Parquet, ORC)", "leave it disabled: the route's format is json"
        )
    if s3.get("S3BackupMode", "Disabled") != "Disabled":
        raise UnsupportedFeatureError(stream, f"S3BackupMode {s3['S3BackupMode']}", "use Disabled")
    partitioned = "DynamicPartitioningConfiguration" in s3 and is_enabled(s3["DynamicPartitioningConfiguration"])
    return _read_bucket(stream, s3, delimiter=processors.delimiter, partitioned=partitioned)


def _read_bucket(stream: str, s3: Description, *, delimiter: bytes = b"", partitioned: bool = False) -> S3Destination:
    if s3.get("CustomTimeZone") not in (None, "", "UTC"):
        raise UnsupportedFeatureError(stream, f"CustomTimeZone {s3['CustomTimeZone']}", "use UTC")
    if s3.get("CompressionFormat", "UNCOMPRESSED") not in _COMPRESSIONS:
        raise UnsupportedFeatureError(stream, f"CompressionFormat {s3['CompressionFormat']}", "use GZIP")
    if not isinstance(s3.get("FileExtension", ""), str):
        raise UnsupportedFeatureError(stream, f"FileExtension {s3['FileExtension']}", "make it a literal")
    prefix, error_prefix = s3.get("Prefix", ""), s3.get("ErrorOutputPrefix", "")
    try:
        complete_prefixes(prefix, error_prefix, partitioned=partitioned)
    except PrefixError as error:
        raise UnsupportedFeatureError(stream, f"its prefixes: {error}", "correct them") from error
    return S3Destination(
        bucket=s3["BucketARN"].rpartition(":")[2],
        prefix=prefix,
        error_prefix=error_prefix,
        hints=_read_hints(
            stream,
            s3,
            sizes=limits.PARTITIONED_BUFFER_MIB_RANGE if partitioned else limits.BUFFER_MIB_RANGE,
            seconds=limits.PARTITIONED_BUFFER_SECONDS_RANGE if partitioned else limits.BUFFER_SECONDS_RANGE,
        ),
        compression=_COMPRESSIONS[s3.get("CompressionFormat", "UNCOMPRESSED")],
        delimiter=delimiter,
        file_extension=s3.get("FileExtension", ""),
        partitioned=partitioned,
    )


def _read_search(stream: str, search: Description, *, endpoints: Mapping[str, str]) -> OpenSearchDestination:
    refuse_unknown(stream, search, known=_OF_SEARCH)
    if search.get("S3BackupMode", "FailedDocumentsOnly") != "FailedDocumentsOnly":
        raise UnsupportedFeatureError(stream, f"S3BackupMode {search['S3BackupMode']}", "use FailedDocumentsOnly")
    rotation = search.get("IndexRotationPeriod", "NoRotation" if "CollectionEndpoint" in search else "OneDay")
    if rotation not in _ROTATIONS:
        raise UnsupportedFeatureError(stream, f"IndexRotationPeriod {rotation}", f"use {', '.join(_ROTATIONS)}")
    retry = search.get("RetryOptions", {}).get("DurationInSeconds", limits.DEFAULT_SEARCH_RETRY_SECONDS)
    backup = search.get("S3DestinationDescription") or search.get("S3Configuration", {})
    refuse_unknown(stream, backup, known=_OF_S3)
    return OpenSearchDestination(
        endpoint=_find_endpoint(stream, search, endpoints),
        index=search["IndexName"],
        rotation=_ROTATIONS[rotation],
        retry_seconds=in_range(stream, "DurationInSeconds", retry, limits.SEARCH_RETRY_SECONDS_RANGE),
        hints=_read_hints(
            stream, search, sizes=limits.SEARCH_BUFFER_MIB_RANGE, seconds=limits.SEARCH_BUFFER_SECONDS_RANGE
        ),
        backup=_read_bucket(stream, backup),
    )


def _find_endpoint(stream: str, search: Description, endpoints: Mapping[str, str]) -> str:
    named = [search.get(key) for key in ("DomainARN", "ClusterEndpoint", "CollectionEndpoint")]
    for name in filter(None, named):
        if name in endpoints:
            return endpoints[name]
    domain, *urls = named
    if not any(urls):
        raise UnsupportedFeatureError(stream, f"finding the endpoint of {domain}", "hand it in among the endpoints")
    return str(next(filter(None, urls)))


def _read_hints(
    stream: str, destination: Description, *, sizes: tuple[float, float], seconds: tuple[float, float]
) -> BufferHints:
    hints = destination.get("BufferingHints", {})
    size = hints.get("SizeInMBs", limits.DEFAULT_BUFFER_MIB)
    interval = hints.get("IntervalInSeconds", limits.DEFAULT_BUFFER_SECONDS)
    return BufferHints(
        size_bytes=int(in_range(stream, "SizeInMBs", size, sizes)) * limits.MIB,
        interval_seconds=in_range(stream, "IntervalInSeconds", interval, seconds),
    )
