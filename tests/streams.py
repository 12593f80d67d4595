"""A route's stream with the real transformer, in the local Firehose, and seconds for minutes."""

import json

from lambdas.transform.handler import handler
from local.firehose import BufferHints, LambdaProcessor, S3Destination, StreamConfig
from sluice import names
from sluice.model import Deployment
from sluice.routes import Route


def stream(here: Deployment, route: Route, *, seconds: float = 1) -> StreamConfig:
    """To the bucket named `bucket`, whatever the route's destination."""
    hints = BufferHints(size_bytes=1024 * 1024, interval_seconds=seconds)
    name = names.stream(here, route)
    return StreamConfig(
        name=name,
        arn=f"arn:aws:firehose:us-east-1:000000000000:deliverystream/{name}",
        destination=S3Destination(
            bucket="bucket",
            prefix=names.delivered_prefix(route),
            error_prefix=names.failed_prefix(route) + "reason=!{firehose:error-output-type}/",
            hints=hints,
            compression="GZIP",
        ),
        processor=LambdaProcessor(arn=f"arn:aws:lambda:us-east-1:000000000000:function:{name}", hints=hints, retries=0),
    )


def transformer(_arn: str, event: bytes) -> bytes:
    return json.dumps(handler(json.loads(event), None)).encode()
