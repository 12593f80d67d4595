"""The transformer Lambda of a route: a batch from Firehose in, one document per line out.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html

It costs time in proportion to the bytes, and the memory of one batch and its response. It makes a call only for what
cannot be answered: the original of an oversize document and the reasons of failures, which it puts to S3, and
documents that an answer has no place for, which it puts to its own stream once more.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from lambdas.transform.answers import Response
from lambdas.transform.batch import transform_batch
from lambdas.transform.pipeline import Pipeline, make_pipeline
from lambdas.transform.resend import make_resender
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.settings import Settings, read_settings
from lambdas.transform.store import Store, open_store
from lambdas.transform.streams import find_stream
from lambdas.transform.telemetry import report
from lambdas.transform.times import format_time

GARBAGE_OBJECTS = 200_000
"""Containers that are made before Python looks for cycles among them: more than a batch's, a few ms each time."""


def handler(event: Mapping[str, Any], context: object) -> Response:  # noqa: ARG001 - Lambda passes a context
    """Answer a Firehose transformation event. Raises for what is no such event and for wrong settings, nothing else."""
    started = time.perf_counter()
    route = _route()
    now = format_time(time.time_ns())
    resender = make_resender(route.settings, key=route.key, stream=find_stream(event))
    response, tally = transform_batch(event, pipeline=route.pipeline, now=now, resender=resender)
    stored = route.store.put_reasons(tally.failures, event.get("invocationId"), now)
    milliseconds = (time.perf_counter() - started) * 1000
    report(tally, route=route.settings.route, milliseconds=milliseconds, reasons_stored=stored)
    return response


class _Route(NamedTuple):
    settings: Settings
    pipeline: Pipeline
    store: Store
    key: RedactionKey


@cache
def _route() -> _Route:
    settings = read_settings(os.environ)
    # Documents hold no cycles, so looking for them after every 700 objects would take a tenth of the time for nothing.
    gc.set_threshold(GARBAGE_OBJECTS)
    store = open_store(bucket=settings.bucket, route=settings.route)
    key = RedactionKey(settings.redaction_key)
    return _Route(settings, make_pipeline(settings, store=store, key=key), store, key)
