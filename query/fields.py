"""The short names of a search, and where in a document what they mean lies.

A name that is not in the table is an attribute: `order_id:o-1` asks `attributes.order_id`. `attributes.x` and
`resource.x` say it in full.
"""

from typing import Final

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "service": ("resource.service.name",),
    "environment": ("resource.deployment.environment.name",),
    "container": ("resource.aws.ecs.container.name", "resource.container.name", "resource.container.id"),
    "task": ("resource.aws.ecs.task.id", "resource.aws.ecs.task.family", "resource.aws.ecs.task.arn"),
    "cluster": ("resource.aws.ecs.cluster.name", "resource.aws.ecs.cluster.arn"),
    "tag": ("tag",),
    "trace": ("traceId",),
    "traceId": ("traceId",),
    "span": ("spanId",),
    "spanId": ("spanId",),
    "id": ("event_id",),
    "event_id": ("event_id",),
    "status": ("attributes.http.response.status_code", "attributes.status"),
}
SEVERITY: Final = frozenset({"severity", "level", "severity.text"})
BODY: Final = "body"
ROOTS: Final = ("attributes", "resource")

# OpenTelemetry's numbers, by the words that a person writes for them.
LEVELS: Final[dict[str, int]] = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "notice": 10,
    "warn": 13,
    "warning": 13,
    "error": 17,
    "err": 17,
    "critical": 18,
    "crit": 18,
    "alert": 19,
    "fatal": 21,
    "panic": 21,
    "emergency": 21,
}
LEVEL_TEXTS: Final[dict[int, str]] = {
    1: "TRACE",
    5: "DEBUG",
    9: "INFO",
    10: "NOTICE",
    13: "WARN",
    17: "ERROR",
    18: "CRITICAL",
    19: "ALERT",
    21: "FATAL",
}
HIGHEST_LEVEL: Final = 24
# Words that alone mean a severity too. Not those below: nearly every document is at least INFO.
BARE_LEVELS: Final = frozenset({"warn", "warning", "error", "critical", "fatal"})


def paths_of(name: str) -> tuple[str, ...]:
    """The places in a document that a name means; one of them has to fit."""
    if name in FIELDS:
        return FIELDS[name]
    root, dot, rest = name.partition(".")
    return (name,) if root in ROOTS and dot and rest else (f"attributes.{name}",)


def is_comparable(name: str) -> bool:
    """Whether what a name means may be a number."""
    return name in SEVERITY or all(path.startswith("attributes.") for path in paths_of(name))


def level_number(text: str) -> int | None:
    """The number of a severity that is written as a word or as a number; None when it is none."""
    if text.isascii() and text.isdecimal() and len(text) <= len(str(HIGHEST_LEVEL)):
        return int(text) if 1 <= int(text) <= HIGHEST_LEVEL else None
    return LEVELS.get(text.lower())
