"""A local stand-in for Amazon Data Firehose: records in, through a transformer, into S3 or OpenSearch.

    streams = deployed_streams(cloudformation, firehose_client, stacks=["sluice-dev-delivery"])
    with (
        Firehose(
            streams,
            invoke=lambda_invoker(lambda_client),
            put_object=s3_writer(s3_client),
            shards=shard_reader(kinesis_client),
            checkpoints=FileCheckpoints(directory),
        ) as firehose,
        serve(firehose, certificate=make_certificate(directory)) as server,
    ):
        ...  # clients use server.url (or server.host and server.port) and server.ca_file
        firehose.inject(Faults(throttle=True), seconds=10)
        firehose.drain()
        firehose.counts()["sluice-dev-web"].delivered

What happens to a record, and the module that says how:

1. `server`, `wire` - PutRecord or PutRecordBatch, AWS JSON 1.1 over TLS
2. `sources.direct_put` - limits, quotas, faults; `Stream.accept` queues it, and it is acknowledged; or
   `sources.kinesis`, `kpl` - read from a data stream and taken apart; `Stream.take` queues it
3. `lambda_stage`, `transformation` - in a batch to the function, with retries, and a verdict for each
4. `destinations.s3` - into an object under the prefix; `destinations.partitioned` - under the prefix that its
   partition keys give; `destinations.opensearch` - into an index
5. `destinations.errors`, `error_lines` - or as a line under the error prefix and the type of its error

The rest: `config`, `deployed`, `described`, `processors` and `values` (what a stream is, read from what was
deployed), `describing` (the way back), `assembly` (a stream out of its parts), `prefixes`, `limits`, `quotas`,
`faults`, `clock`, `worker`, `sources.checkpoints`, and `aws` (boto3 behind steps 2 to 5).

What it promises is what Firehose promises: an acknowledged record is delivered at least once, or is in
the error output, or was dropped by the function; `Counts` adds up at every moment. What it does not: its
memory ends with its process, so what is pending then is lost (`drain` first), unless it was read from a data
stream: that is read once more. Permissions, signatures, encryption and CloudWatch are not there, nor is the
conversion to Parquet. A size or an interval is kept exactly where AWS treats it as a hint.

To add a source, write `sources/<kind>.py` around `Stream.accept`, or as a `Feed`; to add a destination, write
`destinations/<kind>.py` with a `Destination`, its settings in `config`, and let `described` and `assembly`
tell the kinds apart.
"""

from local.firehose.aws import lambda_invoker, s3_writer, shard_reader
from local.firehose.clock import Clock, ManualClock, SystemClock
from local.firehose.config import (
    BufferHints,
    KinesisSource,
    LambdaProcessor,
    OpenSearchDestination,
    S3Destination,
    StreamConfig,
)
from local.firehose.deployed import deployed_streams
from local.firehose.destinations.opensearch import PostBulk, post_to
from local.firehose.destinations.s3 import PutObject
from local.firehose.engine import Firehose
from local.firehose.errors import ApiError, InvocationError, UnsupportedFeatureError
from local.firehose.faults import Faults
from local.firehose.lambda_stage import Invoke
from local.firehose.quotas import LARGE_REGION_QUOTAS, OTHER_REGION_QUOTAS, Quotas
from local.firehose.server import Certificate, Server, make_certificate, serve
from local.firehose.sources.checkpoints import Checkpoints, FileCheckpoints, MemoryCheckpoints
from local.firehose.sources.direct_put import Accepted, PutResult, Refused
from local.firehose.sources.kinesis import ShardReader
from local.firehose.stream import Counts

__all__ = [
    "LARGE_REGION_QUOTAS",
    "OTHER_REGION_QUOTAS",
    "Accepted",
    "ApiError",
    "BufferHints",
    "Certificate",
    "Checkpoints",
    "Clock",
    "Counts",
    "Faults",
    "FileCheckpoints",
    "Firehose",
    "InvocationError",
    "Invoke",
    "KinesisSource",
    "LambdaProcessor",
    "ManualClock",
    "MemoryCheckpoints",
    "OpenSearchDestination",
    "PostBulk",
    "PutObject",
    "PutResult",
    "Quotas",
    "Refused",
    "S3Destination",
    "Server",
    "ShardReader",
    "StreamConfig",
    "SystemClock",
    "UnsupportedFeatureError",
    "deployed_streams",
    "lambda_invoker",
    "make_certificate",
    "post_to",
    "s3_writer",
    "serve",
    "shard_reader",
]
