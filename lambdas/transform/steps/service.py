"""Step `service`: service.name as the line says it, else as its shipper does, else the task's family, the container's
name, or the tag.

An application that names its service (ECS logging, Datadog, OpenTelemetry, powertools) knows better than the task it
runs in, which may hold several. What the line said stays among its attributes as well. A name is text of 255
characters at most, as OpenTelemetry's attribute limits suggest; anything else is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from lambdas.transform.document import Document, Resource

_KEYS = frozenset({"service.name", "service", "dd.service", "dd"})
_INNER = {"service": "name", "dd": "service"}
_ORDER = ("service.name", "service", "dd.service", "dd")
_LONGEST_NAME = 255


def name_services(documents: Iterable[Document]) -> None:
    """Name the service that each document comes from, if it says anything of its origin."""
    has_none = _KEYS.isdisjoint
    for document in documents:
        attributes = document.attributes
        said = None if has_none(attributes) else _read_name(attributes)
        document.resource = _with_service(document.resource, document.source.tag, said)


def _read_name(attributes: Mapping[str, Any]) -> str | None:
    for key in _ORDER:
        value = attributes.get(key)
        if type(value) is dict:
            value = value.get(_INNER.get(key))
        if type(value) is str and value and len(value) <= _LONGEST_NAME:
            return value
    return None


@lru_cache(maxsize=4096)
def _with_service(resource: Resource, tag: str | None, said: str | None) -> Resource:
    members = resource.members
    service = members.get("service", {})
    ecs = members.get("aws", {}).get("ecs", {})
    name = (
        said
        or service.get("name")
        or ecs.get("task", {}).get("family")
        or ecs.get("container", {}).get("name")
        or members.get("container", {}).get("name")
        or tag
    )
    if not name or name == service.get("name"):
        return resource
    return Resource({**members, "service": {**service, "name": name}})
