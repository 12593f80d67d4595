"""A StreamConfig as DescribeDeliveryStream tells it, without its processors: the way back from `described`.

https://docs.aws.amazon.com/firehose/latest/APIReference/API_DeliveryStreamDescription.html
"""

from typing import assert_never

from local.firehose import limits
from local.firehose.config import BufferHints, KinesisSource, OpenSearchDestination, S3Destination, StreamConfig


def describe(config: StreamConfig) -> dict[str, object]:
    """Return the DeliveryStreamDescription of a stream."""
    return {
        "DeliveryStreamName": config.name,
        "DeliveryStreamARN": config.arn,
        "DeliveryStreamStatus": "ACTIVE",
        "VersionId": config.version,
        **_describe_source(config.source),
        "Destinations": [{"DestinationId": "destinationId-000000000001", **_describe_destination(config.destination)}],
        "HasMoreDestinations": False,
    }


def _describe_source(source: KinesisSource | None) -> dict[str, object]:
    if source is None:
        return {"DeliveryStreamType": "DirectPut"}
    described: dict[str, object] = {"KinesisStreamARN": source.stream_arn}
    if not isinstance(source.start, str):
        described["DeliveryStartTimestamp"] = source.start
    return {
        "DeliveryStreamType": "KinesisStreamAsSource",
        "Source": {"KinesisStreamSourceDescription": described},
    }


def _describe_destination(destination: S3Destination | OpenSearchDestination) -> dict[str, object]:
    match destination:
        case S3Destination() as s3:
            dynamic = {"DynamicPartitioningConfiguration": {"Enabled": True}} if s3.partitioned else {}
            return {
                "ExtendedS3DestinationDescription": {
                    **_describe_bucket(s3),
                    **dynamic,
                    "FileExtension": s3.file_extension,
                }
            }
        case OpenSearchDestination() as search:
            return {
                "AmazonopensearchserviceDestinationDescription": {
                    "ClusterEndpoint": search.endpoint,
                    "IndexName": search.index,
                    "IndexRotationPeriod": search.rotation,
                    "BufferingHints": _describe_hints(search.hints),
                    "RetryOptions": {"DurationInSeconds": int(search.retry_seconds)},
                    "S3BackupMode": "FailedDocumentsOnly",
                    "S3DestinationDescription": _describe_bucket(search.backup),
                }
            }
        case _:
            assert_never(destination)


def _describe_bucket(s3: S3Destination) -> dict[str, object]:
    return {
        "BucketARN": f"arn:aws:s3:::{s3.bucket}",
        "Prefix": s3.prefix,
        "ErrorOutputPrefix": s3.error_prefix,
        "BufferingHints": _describe_hints(s3.hints),
        "CompressionFormat": s3.compression,
    }


def _describe_hints(hints: BufferHints) -> dict[str, int]:
    return {"SizeInMBs": hints.size_bytes // limits.MIB, "IntervalInSeconds": int(hints.interval_seconds)}
