"""Attributes that are numbers, of which the search shape has a copy that can be compared and averaged.

Everything in a flat_object is text. So what is known by its name to be a number is copied to a field of that type,
where it is one: a finite number, or the text of one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lambdas.transform.rules.fields import MISSING, read

NUMBERS: Final = (
    *("aws.elb.connection_ms", "aws.elb.request_processing_s", "aws.elb.response_processing_s"),
    *("aws.elb.target_processing_s", "aws.elb.tls_handshake_ms", "envoy.duration_ms", "envoy.upstream_service_ms"),
    *("faas.billed_duration_ms", "faas.duration_ms", "faas.init_duration_ms", "faas.max_memory_used_mb"),
    *("faas.memory_size_mb", "haproxy.connect_ms", "haproxy.queue_ms", "haproxy.request_ms", "haproxy.response_ms"),
    *("haproxy.total_ms", "http.request.body.size", "http.request.size", "http.response.body.size"),
    *("http.response.size", "http.response.status_code", "upstream.status_code"),
    *("network.received_bytes", "network.sent_bytes", "log.record.lines", "log.record.parts"),
    *("log.record.original_bytes", "log.record.delay"),
    # OpenTelemetry's and ECS's names, which applications send as JSON.
    *("db.response.returned_rows", "event.duration", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
    *("http.client.request.duration", "http.request.bytes", "http.request.resend_count", "http.response.bytes"),
    *("http.server.request.duration", "messaging.batch.message_count", "rpc.grpc.status_code"),
    # What loggers and frameworks call the same.
    *("attempt", "body_bytes_sent", "bytes", "count", "duration", "duration_ms", "duration_s", "elapsed", "elapsed_ms"),
    *("exit_code", "latency", "latency_ms", "request_time", "responseTime", "response_code", "response_time"),
    *("response_time_ms", "retries", "size", "status", "statusCode", "status_code", "took", "upstream_response_time"),
)
"""Attributes that are numbers wherever they occur; sluice/search/fields.py has the same."""

_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,3})?", re.ASCII)


def number_fields(own: Iterable[str]) -> frozenset[str]:
    """The names of all numbers: a route's own, and those of NUMBERS that get along with them.

    A field cannot hold both a number and other fields, so of `a` and `a.b` the shorter one is left.
    """
    told = frozenset(own)
    left = frozenset(name for name in told if told.isdisjoint(_heads(name)))
    taken = left.union(*map(_heads, left))
    return left.union(name for name in NUMBERS if name not in taken and left.isdisjoint(_heads(name)))


def _heads(name: str) -> list[str]:
    words = name.split(".")
    return [".".join(words[:count]) for count in range(1, len(words))]


def names_by_key(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Names of numbers by the keys they can be under: themselves (`a.b.c`) and their beginnings (`a`, `a.b`)."""
    by_key: dict[str, tuple[str, ...]] = {}
    for name in sorted(names):
        for key in (name, *_heads(name)):
            by_key[key] = (*by_key.get(key, ()), name)
    return by_key


def numbers_of(attributes: Mapping[str, Any], by_key: Mapping[str, tuple[str, ...]]) -> dict[str, float]:
    """The attributes that are numbers, flat or nested. One that is written as text is one too."""
    copies: dict[str, float] = {}
    for key, value in attributes.items():
        if key not in by_key:
            continue
        for name in by_key[key]:
            if name == key:
                _copy(value, name, copies)
            elif type(value) is dict and name not in attributes and (inner := read(attributes, name)) is not MISSING:
                _copy(inner, name, copies)
    return copies


def _copy(value: object, name: str, copies: dict[str, float]) -> None:
    if type(value) is str and _NUMBER.fullmatch(value):
        value = float(value)
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        copies[name] = value
