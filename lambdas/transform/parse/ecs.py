"""Where a record comes from, in OpenTelemetry's names, out of what Docker and ECS call things.

- Docker: `container_id` and `container_name` (with a leading slash). The ECS agent names containers
  `ecs-<family>-<revision>-<container>-<random hex>`, where family and container may hold hyphens and digits too: the
  revision is taken to be the last number that leaves room for a container, as family names hold numbers more often.
- FireLens with `enable-ecs-log-metadata`: `ecs_cluster` (a name or an ARN), `ecs_task_arn`, `ecs_task_definition`
  (`family:revision`) and on EC2 `ec2_instance_id`; these are certain and win over the container's name.
- FireLens's tag: `<container>-firelens-<task id>`.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/firelens-taskdef.html
https://opentelemetry.io/docs/specs/semconv/resource/cloud-provider/aws/ecs/

All lines of a container share one answer, which is remembered: a look-up for each line, and some 2 KB for each of
4,096 containers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from lambdas.transform.document import Resource

_AGENT_NAME = re.compile(r"ecs-(?P<family>.+)-(?P<revision>\d+)-(?P<container>.+)-[0-9a-f]{8,}")
_FIRELENS = "-firelens-"
_REMEMBERED = 4096

ORIGIN_KEYS = (
    "_tag",
    "container_id",
    "container_name",
    "ecs_cluster",
    "ecs_task_arn",
    "ecs_task_definition",
    "ec2_instance_id",
)
"""The members that say where a record comes from, and the order their values have below."""


class Origin(NamedTuple):
    """Where a record comes from, and which of its members said so."""

    resource: Resource
    tag: str | None
    keys: tuple[str, ...]


def take_origin(members: dict[str, Any]) -> Origin:
    """Take the members that say where a record comes from out of it. A value that is not text stays where it is."""
    values = tuple(map(members.get, ORIGIN_KEYS))
    try:
        origin = _describe(values)
    except TypeError:  # an object or an array, which cannot be remembered
        origin = _describe(tuple(value if isinstance(value, str) else None for value in values))
    for key in origin.keys:
        del members[key]
    return origin


@lru_cache(maxsize=_REMEMBERED)
def _describe(values: tuple[object, ...]) -> Origin:
    known = {key: value for key, value in zip(ORIGIN_KEYS, values, strict=True) if isinstance(value, str) and value}
    name = known.get("container_name", "").removeprefix("/")
    members = {
        "container": _present({"id": known.get("container_id"), "name": name}),
        "aws": _present({"ecs": _describe_task(known, container_name=name)}),
    }
    return Origin(resource=Resource(_present(members)), tag=known.get("_tag"), keys=tuple(known))


def _describe_task(known: dict[str, str], *, container_name: str) -> dict[str, Any]:
    named = _AGENT_NAME.fullmatch(container_name)
    container, family, revision = named.group("container", "family", "revision") if named else ("", "", "")
    sidecar, is_firelens, task_id = known.get("_tag", "").rpartition(_FIRELENS)
    if "ecs_task_definition" in known:
        family, _, revision = known["ecs_task_definition"].partition(":")
    arn = known.get("ecs_task_arn", "")
    cluster = known.get("ecs_cluster", "")
    task = {
        "arn": arn,
        "id": arn.rpartition("/")[2] or (task_id if is_firelens else ""),
        "family": family,
        "revision": revision,
    }
    return _present(
        {
            "cluster": _present({"arn" if cluster.startswith("arn:") else "name": cluster}),
            "container": _present({"name": sidecar or container}),
            "task": _present(task),
            "ec2_instance_id": known.get("ec2_instance_id"),
        }
    )


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}
