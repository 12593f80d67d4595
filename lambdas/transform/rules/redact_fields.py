"""Rules for whole fields: a named attribute, a member of the resource, the tag, the body.

What lines share, where they come from, is replaced and never changed; what becomes of it is remembered, so that a
thousand lines of one container cost one replacement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

from lambdas.transform.document import Document, Resource, Source
from lambdas.transform.rules.fields import MISSING, change
from lambdas.transform.rules.replace import Counts, Marker

FieldRule = Callable[[Document, Counts], None]


def field_rule(field: str, marker: Marker) -> FieldRule:
    """Make the function that redacts a field of a document and counts it."""
    root, _, name = field.partition(".")
    match root:
        case "attributes":
            return partial(_change_attributes, name=name, marker=marker)
        case "resource":
            return partial(_change_resource, name=name, marker=marker)
        case "tag":
            return partial(_change_tag, marker=marker)
        case _:
            return partial(_change_body, marker=marker)


def _change_attributes(document: Document, counts: Counts, *, name: str, marker: Marker) -> None:
    changed = change(document.attributes, name, partial(marker.put_field, counts=counts))
    if changed is not document.attributes:
        document.attributes = dict(changed)


def _change_resource(document: Document, counts: Counts, *, name: str, marker: Marker) -> None:
    document.resource, times = _changed_resource(document.resource, name, marker)
    if times:
        marker.count(counts, times)


def _change_tag(document: Document, counts: Counts, *, marker: Marker) -> None:
    document.source, times = _changed_source(document.source, marker)
    if times:
        marker.count(counts, times)


@lru_cache(maxsize=1024)
def _changed_resource(resource: Resource, name: str, marker: Marker) -> tuple[Resource, int]:
    counts: Counts = {}
    members = change(resource.members, name, partial(marker.put_field, counts=counts))
    return (resource if members is resource.members else Resource(members)), sum(counts.values())


@lru_cache(maxsize=1024)
def _changed_source(source: Source, marker: Marker) -> tuple[Source, int]:
    if source.tag is None:
        return source, 0
    changed = marker.put_field(source.tag, counts={})
    return replace(source, tag=changed if isinstance(changed, str) else None), 1


def _change_body(document: Document, counts: Counts, *, marker: Marker) -> None:
    if document.body is not None:
        changed = marker.put_field(document.body, counts=counts)
        document.body = None if changed is MISSING else changed
