"""A delivery stream's configuration as one frozen value, and the checks that make it valid.

Sizes are in bytes and times in seconds, whatever unit AWS uses where it came from. A new kind of source
or destination is a new dataclass here, a module in `sources` or `destinations`, and a branch where
`deployed` reads and `stream` builds it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from local.firehose import limits

Compression: TypeAlias = Literal["UNCOMPRESSED", "GZIP"]
Rotation: TypeAlias = Literal["NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth"]


@dataclass(frozen=True)
class BufferHints:
    """When a buffer is full: at `size_bytes`, or `interval_seconds` after its first record came in."""

    size_bytes: int
    interval_seconds: float


@dataclass(frozen=True)
class LambdaProcessor:
    """The function that transforms the stream's records; `hints` bounds a batch by its raw bytes."""

    arn: str
    hints: BufferHints = BufferHints(
        size_bytes=int(limits.DEFAULT_LAMBDA_BUFFER_MB * limits.MIB),
        interval_seconds=limits.DEFAULT_LAMBDA_BUFFER_SECONDS,
    )
    retries: int = limits.DEFAULT_LAMBDA_RETRIES


@dataclass(frozen=True)
class S3Destination:
    """Where and how objects are written; the prefixes may hold expressions, see `prefixes`.

    `delimiter` goes between two records of an object (AppendDelimiterToRecord); `file_extension`, when
    there is one, takes the place of the compression's. `partitioned` says that dynamic partitioning is on: the prefix
    may then name keys that the function answers in `metadata.partitionKeys`.
    """

    bucket: str
    prefix: str = ""
    error_prefix: str = ""
    hints: BufferHints = BufferHints(
        size_bytes=limits.DEFAULT_BUFFER_MIB * limits.MIB, interval_seconds=limits.DEFAULT_BUFFER_SECONDS
    )
    compression: Compression = "UNCOMPRESSED"
    delimiter: bytes = b""
    file_extension: str = ""
    partitioned: bool = False


@dataclass(frozen=True)
class OpenSearchDestination:
    """Which index documents go to, and where those lie that OpenSearch does not take.

    `index` is what Firehose appends the date of arrival to, as `rotation` says. A document is tried again for
    `retry_seconds` and then goes to `backup` (S3BackupMode FailedDocumentsOnly), under its error prefix.
    """

    endpoint: str
    index: str
    backup: S3Destination
    rotation: Rotation = "OneDay"
    retry_seconds: float = 300.0
    hints: BufferHints = BufferHints(
        size_bytes=limits.DEFAULT_BUFFER_MIB * limits.MIB, interval_seconds=limits.DEFAULT_BUFFER_SECONDS
    )


@dataclass(frozen=True)
class KinesisSource:
    """The data stream that is read; no record can be put to such a delivery stream.

    `start` says where to begin when there is no checkpoint: with the records that arrive after the Firehose was made,
    with those since a time (seconds since 1970: DeliveryStartTimestamp), or with the oldest there are.
    """

    stream_arn: str
    start: Literal["LATEST", "TRIM_HORIZON"] | float = "LATEST"


@dataclass(frozen=True)
class StreamConfig:
    """One delivery stream, Direct PUT without a `source`; `version` counts its configurations and is part of object
    names.
    """

    name: str
    arn: str
    destination: S3Destination | OpenSearchDestination
    processor: LambdaProcessor | None = None
    source: KinesisSource | None = None
    version: str = "1"

    @property
    def region(self) -> str:
        """The region in the ARN, which transformers are told."""
        return self.arn.split(":")[3]
