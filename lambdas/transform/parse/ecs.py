"""Where a record comes from, in OpenTelemetry's names, out of what Docker, ECS and agents call things.

- Docker: `container_id` and `container_name` (with a leading slash); journald's and GELF's spellings of the same.
  The ECS agent names containers `ecs-<family>-<revision>-<container>-<random hex>`, where family and container may hold
  hyphens and digits too: the revision is taken to be the last number that leaves room for a container, as family names
  hold numbers more often.
- Logspout's form `ecs-<environment>-<service>-<revision>-<container>`, without the random digits: an environment is one
  word, a service may be several. At least eight hex digits at the end tell the two forms apart.
- FireLens with `enable-ecs-log-metadata`: `ecs_cluster` (a name or an ARN), `ecs_task_arn`, `ecs_task_definition`
  (`family:revision`) and on EC2 `ec2_instance_id`; these are certain and win over the container's name.
- FireLens's tag: `<container>-firelens-<task id>`.
- CloudWatch Logs: `aws.log.group.names` and `aws.log.stream.names`, lists; the streams of the awslogs driver are called
  `<prefix>/<container>/<task id>`.
- Fluent Bit's aws filter, beside `ec2_instance_id`: az, account_id, ami_id, ec2_instance_type and hostname.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/firelens-taskdef.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
https://docs.fluentbit.io/manual/data-pipeline/filters/aws-metadata
https://opentelemetry.io/docs/specs/semconv/resource/cloud-provider/aws/ecs/

All lines of a container share one answer, which is remembered: a look-up for each line, and some 2 KB for each of
4,096 containers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from lambdas.transform.document import Resource

_FIRELENS = "-firelens-"
_HASH = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_TASK_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_REMEMBERED = 4096
_LONGEST_REMEMBERED = 4096
_STREAM_PARTS = 3
_MOST_NAMES = 16

_GROUPS, _STREAMS = "aws.log.group.names", "aws.log.stream.names"
_FILTER_KEYS = ("az", "account_id", "ami_id", "ec2_instance_type", "hostname")
"""Names so common that they mean the filter's only beside `ec2_instance_id`."""
_ID_KEYS = ("container_id", "CONTAINER_ID_FULL", "CONTAINER_ID", "_container_id")
_NAME_KEYS = ("container_name", "CONTAINER_NAME", "_container_name")
_IMAGE_KEYS = ("IMAGE_NAME", "_image_name")
ORIGIN_KEYS = (
    "_tag",
    *_ID_KEYS,
    *_NAME_KEYS,
    *_IMAGE_KEYS,
    "_HOSTNAME",
    "ecs_cluster",
    "ecs_task_arn",
    "ecs_task_definition",
    "ec2_instance_id",
    *_FILTER_KEYS,
    _GROUPS,
    _STREAMS,
)
"""The members that say where a record comes from, and the order their values have below."""

_Said = tuple[tuple[str, str | tuple[str, ...]], ...]


class Origin(NamedTuple):
    """Where a record comes from, and which of its members said so."""

    resource: Resource
    tag: str | None
    keys: tuple[str, ...]


class _Named(NamedTuple):
    """What a container's name tells."""

    family: str = ""
    revision: str = ""
    container: str = ""
    environment: str = ""
    service: str = ""


def take_origin(members: dict[str, Any]) -> Origin:
    """Take the members that say where a record comes from out of it. A value that is not text (of the two aws.log
    members: not a list of texts) stays where it is."""
    said = tuple((key, _settle(key, members[key])) for key in ORIGIN_KEYS if key in members)
    is_short = sum(len(value) for _, value in said if isinstance(value, str)) <= _LONGEST_REMEMBERED
    origin = _describe(said) if is_short else _describe.__wrapped__(said)
    for key in origin.keys:
        del members[key]
    return origin


def _settle(key: str, value: object) -> str | tuple[str, ...]:
    """A value that can be remembered: empty for one that is not what we expect."""
    if isinstance(value, str):
        return "" if key in (_GROUPS, _STREAMS) else value
    if isinstance(value, list) and key in (_GROUPS, _STREAMS) and len(value) <= _MOST_NAMES:
        return tuple(value) if all(isinstance(name, str) for name in value) else ""
    return ""


@lru_cache(maxsize=_REMEMBERED)
def _describe(said: _Said) -> Origin:
    known: dict[str, Any] = {key: value for key, value in said if value}
    if "ec2_instance_id" not in known:
        known = {key: value for key, value in known.items() if key not in _FILTER_KEYS}
    for names in (_ID_KEYS, _NAME_KEYS, _IMAGE_KEYS):
        # Of two that disagree the second is an attribute; a short id agrees with the long one.
        known = {
            key: value for key, value in known.items() if key not in names or _first(known, names).startswith(value)
        }
    container_name = _first(known, _NAME_KEYS).removeprefix("/")
    named = _read_name(container_name)
    log = {"group": _names(known, _GROUPS), "stream": _names(known, _STREAMS)}
    members = {
        "service": {"name": named.service},
        "deployment": {"environment": {"name": named.environment}},
        "container": {
            "id": _first(known, _ID_KEYS),
            "name": container_name,
            "image": {"name": _first(known, _IMAGE_KEYS)},
        },
        "host": {
            "name": known.get("_HOSTNAME") or known.get("hostname"),
            "type": known.get("ec2_instance_type"),
            "image": {"id": known.get("ami_id")},
        },
        "cloud": {"account": {"id": known.get("account_id")}, "availability_zone": known.get("az")},
        "aws": {"ecs": _describe_task(known, named), "log": log},
    }
    return Origin(resource=Resource(_present(members)), tag=known.get("_tag"), keys=tuple(known))


def _describe_task(known: dict[str, Any], named: _Named) -> dict[str, Any]:
    container, task_id = _read_tag(known.get("_tag", "")) or _read_stream(known.get(_STREAMS, ())) or ("", "")
    family, revision = named.family, named.revision
    if "ecs_task_definition" in known:
        family, _, revision = known["ecs_task_definition"].partition(":")
    arn, cluster = known.get("ecs_task_arn", ""), known.get("ecs_cluster", "")
    return {
        "cluster": {"arn" if cluster.startswith("arn:") else "name": cluster},
        "container": {"name": container or named.container},
        "task": {"arn": arn, "id": arn.rpartition("/")[2] or task_id, "family": family, "revision": revision},
        "ec2_instance_id": known.get("ec2_instance_id"),
    }


def _read_name(name: str) -> _Named:
    """Take apart what the ECS agent or Logspout calls a container."""
    first, *words = name.split("-")
    if first != "ecs":
        return _Named()
    # From the last word but one on, since something must follow the number.
    numbers = [place for place, word in enumerate(words[:-1]) if word.isascii() and word.isdecimal()]
    if _HASH.fullmatch(words[-1] if words else ""):
        place = next((place for place in reversed(numbers) if 1 <= place < len(words) - 2), None)
        if place is None:
            return _Named()
        return _Named("-".join(words[:place]), words[place], "-".join(words[place + 1 : -1]))
    place = next((place for place in reversed(numbers) if place > 1), None)
    if place is None or not all(words):
        return _Named()
    family, service = "-".join(words[:place]), "-".join(words[1:place])
    return _Named(family, words[place], "-".join(words[place + 1 :]), environment=words[0], service=service)


def _read_tag(tag: str) -> tuple[str, str] | None:
    container, found, task_id = tag.rpartition(_FIRELENS)
    return (container, task_id) if found else None


def _read_stream(names: tuple[str, ...]) -> tuple[str, str] | None:
    """Container and task id from an awslogs stream's name. A prefix may hold slashes of its own."""
    parts = names[0].rsplit("/", 2) if len(names) == 1 else []
    if len(parts) != _STREAM_PARTS or not all(parts) or not _TASK_ID.fullmatch(parts[2]):
        return None
    return parts[1], parts[2]


def _first(known: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((known[key] for key in keys if key in known), "")


def _names(known: dict[str, Any], key: str) -> dict[str, Any]:
    return {"names": list(known[key])} if key in known else {}


def _present(members: dict[str, Any]) -> dict[str, Any]:
    """Members without those that are empty, at any of the few levels there are here."""
    full = {name: _present(value) if isinstance(value, dict) else value for name, value in members.items()}
    return {name: value for name, value in full.items() if value}
