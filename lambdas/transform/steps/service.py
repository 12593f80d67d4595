"""Step `service`: service.name from the task's family, else the container's name, else the tag."""

from __future__ import annotations

from functools import lru_cache

from lambdas.transform.document import Document, Resource


def name_service(document: Document) -> None:
    """Name the service a document comes from, if it says anything of its origin."""
    document.resource = _with_service(document.resource, document.tag)


@lru_cache(maxsize=4096)
def _with_service(resource: Resource, tag: str | None) -> Resource:
    members = resource.members
    ecs = members.get("aws", {}).get("ecs", {})
    name = (
        ecs.get("task", {}).get("family")
        or ecs.get("container", {}).get("name")
        or members.get("container", {}).get("name")
        or tag
    )
    return Resource({"service": {"name": name}, **members}) if name else resource
