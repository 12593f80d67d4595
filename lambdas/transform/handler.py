"""The transformer Lambda of a route: a batch from Firehose in, one document per line out.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html

It makes no call of any kind. It costs time in proportion to the bytes, and the memory of one batch and its response.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Any

from lambdas.transform.answers import Response
from lambdas.transform.batch import RecordError, transform_batch
from lambdas.transform.decode import decode
from lambdas.transform.document import encode
from lambdas.transform.event_id import Arrival
from lambdas.transform.parse.record import parse
from lambdas.transform.settings import Settings, read_settings
from lambdas.transform.steps import STEPS, Step
from lambdas.transform.telemetry import report
from lambdas.transform.times import format_time


def handler(event: Mapping[str, Any], context: object) -> Response:  # noqa: ARG001 - Lambda passes a context
    """Answer a Firehose transformation event. Raises for what is no such event and for wrong settings, nothing else."""
    started = time.perf_counter()
    settings = _settings()
    transform = partial(transform_data, steps=[STEPS[name] for name in settings.steps])
    response, tally = transform_batch(event, transform=transform, now=format_time(time.time_ns()))
    report(tally, route=settings.route, milliseconds=(time.perf_counter() - started) * 1000)
    return response


def transform_data(data: bytes, arrival: Arrival, room: int, *, steps: Iterable[Step]) -> list[bytes]:
    """Turn a Firehose record into its documents: decode, parse, normalise, encode.

    RecordError as soon as they need more bytes than there is room for, so that a record of tiny lines, which grow
    most, costs no more than any other.
    """
    documents = []
    for record in decode(data):
        document = parse(record, arrival=arrival)
        for step in steps:
            step(document)
        line = encode(document)
        room -= len(line)
        if room < 0:
            raise RecordError("response_too_large")
        documents.append(line)
    return documents


@cache
def _settings() -> Settings:
    return read_settings(os.environ)
