"""A document of OpenSearch, back in the form that S3 has: for who reads both.

The form is that of lambdas/transform/searchable.py: `numbers` are copies; what had no place of its own is in
`overflow`, each with a JSON Pointer (RFC 6901) to where it belongs and its `text`, or its `json`; a body that was no
text is its JSON text, and marked. What does not have this form stays as it is.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

ADDED: Final = frozenset({"numbers", "overflow", "body_is_json"})
"""Members that a document has in OpenSearch only."""


def stored_form(found: Mapping[str, Any]) -> dict[str, Any]:
    """The document as S3 has it; what was found is left as it is."""
    document: Any = {name: value for name, value in found.items() if name not in ADDED}
    body = document.get("body")
    if found.get("body_is_json") is True and isinstance(body, str):
        document["body"] = _read(body)
    kept = found.get("overflow")
    for entry in kept if isinstance(kept, list) else ():
        if isinstance(entry, Mapping) and isinstance(at := entry.get("at"), str) and at.startswith("/"):
            value = entry["text"] if isinstance(entry.get("text"), str) else _read(entry.get("json"))
            steps = [step.replace("~1", "/").replace("~0", "~") for step in at[1:].split("/")]
            document = _placed(document, steps, value)
    return dict(document)


def _placed(holder: Any, steps: Sequence[str], value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A copy of an object or a list with a value put where the steps lead; objects on the way are made."""
    if not steps:
        return value
    first, *rest = steps
    if isinstance(holder, list):
        if not first.isdecimal() or int(first) >= len(holder):
            return holder
        at = int(first)
        return [*holder[:at], _placed(holder[at], rest, value), *holder[at + 1 :]]
    members = holder if isinstance(holder, Mapping) else {}
    return {**members, first: _placed(members.get(first), rest, value)}


def _read(text: object) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return text
