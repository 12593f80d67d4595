"""Which attributes are numbers, and what a resource consists of, wherever documents are searched.

The transformer has the same two lists (lambdas/transform/numbers.py and searchable.py), for what ships to Lambda
imports nothing of ours; a test holds them equal.
"""

from collections.abc import Iterable
from typing import Final

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
"""Attributes that are numbers wherever they occur: of our formats, of OpenTelemetry and ECS, and common ones."""

RESOURCE_FIELDS: Final = (
    *("aws.ecs.cluster.arn", "aws.ecs.cluster.name", "aws.ecs.container.name", "aws.ecs.ec2_instance_id"),
    *("aws.ecs.task.arn", "aws.ecs.task.family", "aws.ecs.task.id", "aws.ecs.task.revision"),
    *("aws.log.group.names", "aws.log.stream.names", "cloud.account.id", "cloud.availability_zone"),
    *("container.id", "container.image.name", "container.name", "deployment.environment.name"),
    *("host.image.id", "host.name", "host.type", "service.name"),
)
"""All members that `resource` can have."""


def number_fields(own: Iterable[str]) -> frozenset[str]:
    """The names of all fields of `numbers`: a route's own, and those of NUMBERS that get along with them.

    A field cannot hold both a number and other fields, so of `a` and `a.b` the shorter one is left, see `clashes`.
    """
    told = frozenset(own)
    left = told.difference(clashes(told))
    taken = left.union(*map(_heads, left))
    return left.union(name for name in NUMBERS if name not in taken and left.isdisjoint(_heads(name)))


def clashes(own: Iterable[str]) -> dict[str, str]:
    """A route's own names that get no field, by which other one of them is in their place."""
    told = frozenset(own)
    heads = {name: next((head for head in _heads(name) if head in told), "") for name in sorted(told)}
    return {name: head for name, head in heads.items() if head}


def _heads(name: str) -> list[str]:
    words = name.split(".")
    return [".".join(words[:count]) for count in range(1, len(words))]
