"""A route: which tags, through which steps and rules, to where."""

import json
from typing import Final, Literal

from pydantic import Field

from sluice import limits
from sluice.base import NAME_FORM, Frozen, Match, RouteName
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


class Buffering(Frozen):
    """How long and how much Firehose gathers, before the transformer and before the destination."""

    size_mib: int = Field(
        64,
        ge=limits.S3_BUFFER_MIB[0],
        le=limits.S3_BUFFER_MIB[1],
        description="an object is written after this many MiB; Firehose takes 1 to 128",
    )
    interval_seconds: int = Field(
        300,
        ge=limits.S3_BUFFER_SECONDS[0],
        le=limits.S3_BUFFER_SECONDS[1],
        description="or after this many seconds; Firehose takes 0 to 900",
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
        description="or after this many seconds; Firehose takes 0 to 900",
    )
    pack: bool = Field(
        True,
        description="pack many records into one Firehose record: Firehose bills every record as 5 KB at least",
    )


class S3Destination(Frozen):
    """Gzipped JSON lines in the environment's bucket, partitioned by route and arrival hour."""

    kind: Literal["s3"] = "s3"


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
    destination: S3Destination = S3Destination()
    buffering: Buffering = Buffering()


def hashes(route: Route) -> bool:
    """Whether one of its rules hashes, for which there has to be a key."""
    return any(rule.action == "hash" for rule in route.redact)


def rules_json(route: Route) -> str:
    """What the function is told of the route's rules, as compact JSON; empty when there is nothing to tell."""
    told = route.model_dump(
        mode="json", include={"formats", "drop", "sample", "redact", "oversize"}, exclude_defaults=True
    )
    for rule in (*told.get("drop", ()), *told.get("sample", ())):
        for condition in rule.get("where", ()):
            if "exists" in condition:
                condition["exists"] = "true" if condition["exists"] else "false"
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False) if told else ""
