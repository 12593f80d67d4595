"""Fields by their names in sluice.yaml: `body`, `severity.text`, `tag`, `attributes.*`, `resource.*`.

An attribute can be flat (`http.request.method`) or nested (`{"http": {"request": {"method": …}}}`), or both in turn:
reading takes the flattest there is, changing takes all of them. Values that came twice have a `#1` after their name;
they are changed along with the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from lambdas.transform.document import Document

MISSING: Final = object()
"""What is read where there is nothing: None is a value."""
Reader = Callable[[Document], object]


def reader(field: str) -> Reader:
    """Make the function that reads a field from a document."""
    root, _, name = field.partition(".")
    match root:
        case "attributes":
            return lambda document: read(document.attributes, name)
        case "resource":
            return lambda document: read(document.resource.members, name)
        case "severity":
            return lambda document: document.severity.text if document.severity else MISSING
        case "tag":
            return lambda document: MISSING if document.tag is None else document.tag
        case _:
            return lambda document: MISSING if document.body is None else document.body


def read(members: Mapping[str, Any], name: str) -> object:
    """Read the member with a dotted name, or MISSING."""
    if name in members:
        return members[name]
    dot = name.find(".")
    while dot > 0:
        inner = members.get(name[:dot])
        if isinstance(inner, Mapping) and (found := read(inner, name[dot + 1 :])) is not MISSING:
            return found
        dot = name.find(".", dot + 1)
    return MISSING


def scalar_text(value: object) -> str | None:
    """Write a number or truth value as JSON does; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def change(members: Mapping[str, Any], name: str, to: Callable[[Any], object]) -> Mapping[str, Any]:
    """Put what `to` makes of it in the place of every member with a dotted name; MISSING takes it out.

    The members themselves stay as they are; the same are given back when nothing has that name.
    """
    changed = members
    for spelled in _spellings(members, name):
        changed = _with(changed, spelled, to(members[spelled]))
    dot = name.find(".")
    while dot > 0:
        inside = partial(change, name=name[dot + 1 :], to=to)
        for head in _spellings(members, name[:dot]):
            inner = members[head]
            if isinstance(inner, Mapping) and (after := inside(inner)) is not inner:
                changed = _with(changed, head, after)
        dot = name.find(".", dot + 1)
    return changed


def _spellings(members: Mapping[str, Any], name: str) -> list[str]:
    found = [name] if name in members else []
    while (again := f"{name}#{len(found)}") in members and found:
        found.append(again)
    return found


def _with(members: Mapping[str, Any], name: str, value: object) -> dict[str, Any]:
    changed = dict(members)
    if value is MISSING:
        del changed[name]
    else:
        changed[name] = value
    return changed
