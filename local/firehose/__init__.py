"""A local stand-in for Amazon Data Firehose: records in over its API, through a transformer, into S3.

    streams = deployed_streams(cloudformation, firehose_client, stacks=["sluice-dev-delivery"])
    with (
        Firehose(streams, invoke=lambda_invoker(lambda_client), put_object=s3_writer(s3_client)) as firehose,
        serve(firehose, certificate=make_certificate(directory)) as server,
    ):
        ...  # clients use server.url (or server.host and server.port) and server.ca_file
        firehose.inject(Faults(throttle=True), seconds=10)
        firehose.drain()
        firehose.counts()["sluice-dev-web"].delivered

What happens to a record, and the module that says how:

1. `server`, `wire` - PutRecord or PutRecordBatch, AWS JSON 1.1 over TLS
2. `sources.direct_put` - limits, quotas, faults; `Stream.accept` queues it, and it is acknowledged
3. `lambda_stage`, `transformation` - in a batch to the function, with retries, and a verdict for each
4. `destinations.s3` - into an object under the prefix, or as an error line under the error prefix

The rest: `config` and `deployed` (what a stream is, read from what was deployed), `prefixes`, `limits`,
`quotas`, `faults`, `clock`, `worker`, and `aws` (boto3 behind steps 3 and 4).

What it promises is what Firehose promises: an acknowledged record is delivered at least once, or is in
the error output, or was dropped by the function; `Counts` adds up at every moment. What it does not: its
memory ends with its process, so what is pending then is lost; `drain` first. Permissions, signatures,
encryption and CloudWatch are not there. A size or an interval is kept exactly where AWS treats it as a
hint.

To add a source, write `sources/<kind>.py` around `Stream.accept`; to add a destination, write
`destinations/<kind>.py` with a `Destination`, its settings in `config`, and let `deployed` and `engine`
tell the kinds apart.
"""

from local.firehose.aws import lambda_invoker, s3_writer
from local.firehose.clock import Clock, ManualClock, SystemClock
from local.firehose.config import BufferHints, LambdaProcessor, S3Destination, StreamConfig
from local.firehose.deployed import deployed_streams
from local.firehose.destinations.s3 import PutObject
from local.firehose.engine import Firehose
from local.firehose.errors import ApiError, InvocationError, UnsupportedFeatureError
from local.firehose.faults import Faults
from local.firehose.lambda_stage import Invoke
from local.firehose.quotas import LARGE_REGION_QUOTAS, OTHER_REGION_QUOTAS, Quotas
from local.firehose.server import Certificate, Server, make_certificate, serve
from local.firehose.sources.direct_put import Accepted, PutResult, Refused
from local.firehose.stream import Counts

__all__ = [
    "LARGE_REGION_QUOTAS",
    "OTHER_REGION_QUOTAS",
    "Accepted",
    "ApiError",
    "BufferHints",
    "Certificate",
    "Clock",
    "Counts",
    "Faults",
    "Firehose",
    "InvocationError",
    "Invoke",
    "LambdaProcessor",
    "ManualClock",
    "PutObject",
    "PutResult",
    "Quotas",
    "Refused",
    "S3Destination",
    "Server",
    "StreamConfig",
    "SystemClock",
    "UnsupportedFeatureError",
    "deployed_streams",
    "lambda_invoker",
    "make_certificate",
    "s3_writer",
    "serve",
]
