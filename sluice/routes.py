"""A route: which tags, through which steps and rules, to where."""

import json
from typing import Any, Final, Literal, assert_never

from pydantic import Field, model_validator

from sluice import limits
from sluice.base import NAME_FORM, Frozen, Match, RouteName
from sluice.destinations import Destination, KinesisBuffer, OpenSearchDestination, S3Destination
from sluice.rules import Drop, Redaction, Sample

Steps = Literal["multiline", "json", "text", "trace", "severity", "service"]
DEFAULT_STEPS: Final[tuple[Steps, ...]] = ("multiline", "json", "text", "trace", "severity", "service")
Format = Literal[
    "lambda",
    "access",
    "load_balancer",
    "envoy",
    "haproxy",
    "apache_error",
    "nginx_error",
    "postgresql",
    "mysql",
    "redis",
    "syslog",
    "klog",
    "logfmt",
    "stamped",
    "bracketed",
    "levelled",
]


# What a route to OpenSearch has where the file says nothing: people wait for its documents, and a request that carries
# more than 5 MiB is no faster. https://docs.aws.amazon.com/firehose/latest/dev/create-configure.html
SEARCH_BUFFERING: Final = {"size_mib": 5, "interval_seconds": 60, "transform_interval_seconds": 10, "pack": False}


class Buffering(Frozen):
    """How long and how much Firehose gathers, before the transformer and before the destination."""

    size_mib: int = Field(
        64,
        ge=limits.S3_BUFFER_MIB[0],
        le=limits.S3_BUFFER_MIB[1],
        description="an object is written after this many MiB; Firehose takes 1 to 128, for OpenSearch 1 to 100 "
        "(there 5 when left out)",
    )
    interval_seconds: int = Field(
        300,
        ge=limits.S3_BUFFER_SECONDS[0],
        le=limits.S3_BUFFER_SECONDS[1],
        description="or after this many seconds; Firehose takes 0 to 900 (for OpenSearch 60 when left out)",
    )
    transform_size_mb: float = Field(
        0.5,
        ge=limits.TRANSFORM_BUFFER_MB[0],
        le=limits.TRANSFORM_BUFFER_MB[1],
        description="the transformer is called after this many MB, 0.2 to 1.5: Firehose takes more, but what the "
        "transformer answers must stay under 6 MB",
    )
    transform_interval_seconds: int = Field(
        60,
        ge=limits.TRANSFORM_BUFFER_SECONDS[0],
        le=limits.TRANSFORM_BUFFER_SECONDS[1],
        description="or after this many seconds; Firehose takes 0 to 900 (for OpenSearch 10 when left out)",
    )
    pack: bool = Field(
        True,
        description="pack many records into one Firehose record: Firehose bills every record as 5 KB at least (for "
        "OpenSearch false when left out, for it takes one document per record)",
    )


class Route(Frozen):
    """Which tags, through which steps, to where."""

    name: RouteName = Field(description=NAME_FORM)
    match: Match = Field(description="tags it takes, `*` standing for anything; the first route that matches wins")
    steps: tuple[Steps, ...] = Field(
        DEFAULT_STEPS, description="the transformer's optional steps, in order; all of them when left out"
    )
    formats: tuple[Format, ...] | None = Field(
        None, min_length=1, description="formats of text that are tried on a line; all of them when left out"
    )
    drop: tuple[Drop, ...] = Field((), description="records that are not stored")
    sample: tuple[Sample, ...] = Field(
        (), description="records of which a share is stored; the first that fits decides"
    )
    redact: tuple[Redaction, ...] = Field((), description="what is masked, removed or hashed before it is stored")
    oversize: Literal["truncate", "split"] = Field(
        "truncate", description="what becomes of a record that is too large: cut, its original kept, or in parts"
    )
    destination: Destination = S3Destination()
    via: Literal["direct", "kinesis"] = Field(
        "direct", description="direct: Fluent Bit puts to Firehose; kinesis: to a data stream that Firehose reads"
    )
    kinesis: KinesisBuffer = Field(KinesisBuffer(), description="the data stream of a route via kinesis")
    buffering: Buffering = Buffering()

    @model_validator(mode="before")
    @classmethod
    def _buffer_for_search(cls, data: Any) -> Any:  # noqa: ANN401 - what the file holds, before it is looked at
        """What is left out of `buffering` depends on where the route goes."""
        to = data.get("destination") if isinstance(data, dict) else None
        buffering = data.get("buffering", {}) if isinstance(data, dict) else None
        if isinstance(to, dict) and to.get("kind") == "opensearch" and isinstance(buffering, dict):
            return {**data, "buffering": {**SEARCH_BUFFERING, **buffering}}
        return data

    @property
    def is_aggregated(self) -> bool:
        """Whether its records come as KPL aggregates, which Firehose takes apart before the transformer."""
        return self.via == "kinesis" and self.kinesis.aggregation

    @property
    def has_one_document_per_record(self) -> bool:
        """Whether the destination takes one document per Firehose record and no more."""
        return isinstance(self.destination, OpenSearchDestination)

    @property
    def is_partitioned(self) -> bool:
        """Whether its objects are divided by fields, so that all documents of a record have to go to one folder."""
        return isinstance(self.destination, S3Destination) and bool(self.destination.partition_by)

    @property
    def resends(self) -> bool:
        """Whether the transformer puts documents into the route's stream once more, when a record holds several."""
        return self.has_one_document_per_record or self.is_partitioned


def hashes(route: Route) -> bool:
    """Whether one of its rules hashes, for which there has to be a key."""
    return any(rule.action == "hash" for rule in route.redact)


def needs_key(route: Route) -> bool:
    """Whether its function needs the environment's secret: to hash with, or to know what it has sent once more."""
    return hashes(route) or route.resends


def rules_json(route: Route) -> str:
    """What the function is told of the route's rules, as compact JSON; empty when there is nothing to tell."""
    told = route.model_dump(
        mode="json", include={"formats", "drop", "sample", "redact", "oversize"}, exclude_defaults=True
    )
    for rule in (*told.get("drop", ()), *told.get("sample", ())):
        for condition in rule.get("where", ()):
            if "exists" in condition:
                condition["exists"] = "true" if condition["exists"] else "false"
    match route.destination:
        case OpenSearchDestination(numbers=numbers):
            told |= {"shape": "search", **({"numbers": list(numbers)} if numbers else {})}
        case S3Destination(partition_by=keys):
            if keys:
                told["partition_by"] = [key.model_dump(mode="json", exclude_none=True) for key in keys]
        case other:
            assert_never(other)
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False) if told else ""
