"""Where a route's documents go, and what may carry its records there."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from sluice import limits
from sluice.base import Frozen
from sluice.rules import FIELD_FORM, FieldName

PARTITION_FORM: Final = "lower-case letters, digits and _, a letter first"
PartitionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=32)]
PartitionValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
AttributeName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20.]+(\.[^\x00-\x20.]+)*$", max_length=200)]


class PartitionKey(Frozen):
    """A field whose values become folders in the bucket."""

    name: PartitionName = Field(description=f"the folder is `NAME=value`: {PARTITION_FORM}")
    field: FieldName = Field(description=FIELD_FORM)
    values: tuple[PartitionValue, ...] | None = Field(
        None,
        min_length=1,
        description="the values (letters, digits, . _ -) that get a folder of their own; all others share `other`, and "
        f"a missing one is `none`. Without them every value gets one, up to Firehose's {limits.ACTIVE_PARTITIONS}",
    )


class S3Destination(Frozen):
    """Objects in the environment's bucket, partitioned by route, by fields if wanted, and by arrival hour."""

    kind: Literal["s3"] = "s3"
    format: Literal["json", "parquet"] = Field(
        "json", description="json: gzipped lines; parquet: columns, which queries read less of"
    )
    partition_by: tuple[PartitionKey, ...] = Field(
        (), max_length=3, description="fields that objects are divided by; fixed when the stream is made"
    )


class OpenSearchDestination(Frozen):
    """Documents in the indices of `search`, one Firehose record each."""

    kind: Literal["opensearch"]
    rotation: Literal["none", "hour", "day", "week", "month"] = Field(
        "day",
        description="how often a new index begins, by arrival in UTC; none: the index rolls over by `search.rollover`",
    )
    retry_seconds: int = Field(
        3600,
        ge=limits.SEARCH_RETRY_SECONDS[0],
        le=limits.SEARCH_RETRY_SECONDS[1],
        description="how long Firehose tries a document before it goes to failed/, 0 to 7200",
    )
    numbers: tuple[AttributeName, ...] = Field(
        (),
        max_length=100,
        description="attributes that are numbers: kept a second time under `numbers`, to be compared and averaged",
    )


Destination = Annotated[S3Destination | OpenSearchDestination, Field(discriminator="kind")]


class KinesisBuffer(Frozen):
    """A Kinesis data stream between the aggregator and Firehose, which keeps records on its own."""

    mode: Literal["on-demand", "provisioned"] = Field("on-demand", description="who decides how many shards there are")
    shards: int | None = Field(
        None, ge=1, le=10_000, description="shards of a provisioned stream: each takes 1 MiB/s and 1,000 records/s"
    )
    retention_hours: int = Field(
        24,
        ge=limits.KINESIS_RETENTION_HOURS[0],
        le=limits.KINESIS_RETENTION_HOURS[1],
        description="how long the stream keeps a record, 24 to 8760; more than 24 is billed",
    )
    key_arn: str | None = Field(
        None,
        pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/\S+$",
        description="ARN of the KMS key it is encrypted with; AWS's own key for Kinesis when left out",
    )
    aggregation: bool = Field(
        True,
        description="pack lines into KPL aggregates, which Firehose takes apart again; needs the image's Go plugin",
    )
    partition_key: str = Field(
        "container_id",
        pattern=r"^[^\s>]+(->[^\s>]+)*$",
        max_length=200,
        description="the key of the record whose value chooses the shard, `a->b` for nested ones; records without it "
        "are spread at random. Only with aggregation: the core plugin always spreads at random",
    )
