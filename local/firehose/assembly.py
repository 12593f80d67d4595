"""A stream put together from its configuration: the one place that knows every kind of source and destination."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from local.firehose.clock import Clock
from local.firehose.config import OpenSearchDestination, S3Destination, StreamConfig
from local.firehose.destinations import Destination
from local.firehose.destinations.errors import ErrorOutput
from local.firehose.destinations.opensearch import OPENSEARCH_FAILED, OpenSearchOutput, PostBulk
from local.firehose.destinations.partitioned import PartitionedOutput
from local.firehose.destinations.s3 import ObjectFormat, PutObject, S3Output
from local.firehose.lambda_stage import Invoke, LambdaStage
from local.firehose.prefixes import complete_prefixes
from local.firehose.sources.checkpoints import Checkpoints
from local.firehose.sources.kinesis import KinesisFeed, ShardReader
from local.firehose.stream import Stream

PostTo: TypeAlias = Callable[[str], PostBulk]
"""An OpenSearch's URL → what posts bulk requests to it."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What streams call and are bounded by, the same for all of a Firehose."""

    invoke: Invoke
    put_object: PutObject
    post_to: PostTo
    shards: ShardReader | None
    checkpoints: Checkpoints
    clock: Clock
    max_pending_bytes: int


def build_stream(config: StreamConfig, around: Surroundings) -> Stream:
    """Return the stream that `config` describes, ready to work.

    Raises ValueError for a source that reads a data stream where there is nothing to read one with.
    """
    errors = _build_errors(config, around)
    return Stream(
        config,
        stage=_build_stage(config, around),
        destination=_build_destination(config, around, errors),
        errors=errors,
        clock=around.clock,
        max_pending_bytes=around.max_pending_bytes,
        feed=_build_feed(config, around),
    )


def _build_stage(config: StreamConfig, around: Surroundings) -> LambdaStage | None:
    if config.processor is None:
        return None
    return LambdaStage(
        config.processor,
        stream_arn=config.arn,
        region=config.region,
        invoke=around.invoke,
        clock=around.clock,
        source_arn=None if config.source is None else config.source.stream_arn,
    )


def _build_feed(config: StreamConfig, around: Surroundings) -> KinesisFeed | None:
    if config.source is None:
        return None
    if around.shards is None:
        raise ValueError(f"{config.name} reads {config.source.stream_arn}: give the Firehose `shards` to read it with")
    return KinesisFeed(
        config.source,
        name=config.name,
        reader=around.shards,
        checkpoints=around.checkpoints,
        clock=around.clock,
    )


def _build_errors(config: StreamConfig, around: Surroundings) -> ErrorOutput:
    s3 = _s3_of(config)
    _, error_prefix = complete_prefixes(s3.prefix, s3.error_prefix, partitioned=s3.partitioned)
    failed = ObjectFormat(bucket=s3.bucket, prefix=error_prefix, stream=config.name, version=config.version)

    def of_type(error_type: str) -> S3Output:
        objects = replace(failed, error_type=error_type)
        return S3Output(objects, hints=s3.hints, put_object=around.put_object, clock=around.clock)

    return ErrorOutput(of_type)


def _build_destination(config: StreamConfig, around: Surroundings, errors: ErrorOutput) -> Destination:
    match config.destination:
        case S3Destination() as s3:
            return _build_s3(config, s3, around, errors)
        case OpenSearchDestination() as search:
            return OpenSearchOutput(
                search,
                post=around.post_to(search.endpoint),
                errors=errors.of_type(OPENSEARCH_FAILED),
                clock=around.clock,
            )
        case _:
            assert_never(config.destination)


def _build_s3(config: StreamConfig, s3: S3Destination, around: Surroundings, errors: ErrorOutput) -> Destination:
    prefix, _ = complete_prefixes(s3.prefix, s3.error_prefix, partitioned=s3.partitioned)
    delivered = ObjectFormat(
        bucket=s3.bucket,
        prefix=prefix,
        stream=config.name,
        version=config.version,
        compression=s3.compression,
        delimiter=s3.delimiter,
        file_extension=s3.file_extension,
    )

    def of_keys(keys: Mapping[str, str]) -> S3Output:
        objects = replace(delivered, keys=keys)
        return S3Output(objects, hints=s3.hints, put_object=around.put_object, clock=around.clock)

    return PartitionedOutput(prefix, make=of_keys, errors=errors, clock=around.clock) if s3.partitioned else of_keys({})


def _s3_of(config: StreamConfig) -> S3Destination:
    """Where a stream's failed records go."""
    return config.destination if isinstance(config.destination, S3Destination) else config.destination.backup
