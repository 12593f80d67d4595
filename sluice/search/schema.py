"""The index templates: how OpenSearch is to understand our documents, and those that say what failed.

Every field is named here with its type, and `dynamic: false` makes sure that no document adds another: what is not
named is stored and not searched. So the mapping cannot grow, and no document can be refused for what an application
logs; the transformer (lambdas/transform/searchable.py) puts each value where its type fits. Why, and what was tried:
docs/decisions/0013-conflict-free-mapping.md.

| Field | Type | For |
|---|---|---|
| `@timestamp`, `observedTimestamp` | date_nanos | ranges, sorting, charts |
| `body`, `overflow.text`, `overflow.json` | text | words, as the standard analyzer splits them |
| `….words` | text | words of letters alone: NullPointerException of java.lang.NullPointerException |
| `body.keyword` | keyword up to 256 characters | top messages |
| `severity.text`, `resource.*`, ids, `tag` | keyword up to 1,024 | filters and charts |
| `attributes` | flat_object | `attributes.order_id: o-1`, exact or by its beginning |
| `numbers.*` | double | ranges, averages |

Words that are typed without a field are looked for in QUERIED.

`index.codec` is `best_compression` (zlib): zstd is quicker but belongs to a plugin, and the minimal distribution
refuses it. Settings have flat names, so that one that a cluster does not know can be left out by its name.

Names and priorities are those of policies.py. A template that somebody else made for `*` must have another priority: of
two that match an index, only the one with the higher priority is used, and none of the other; two of the same are
refused.
"""

from collections.abc import Iterable
from typing import Any, Final

from sluice import names
from sluice.destinations import OpenSearchDestination
from sluice.model import Deployment
from sluice.routes import Route
from sluice.search.fields import RESOURCE_FIELDS, number_fields
from sluice.search.policies import pattern, priority
from sluice.search_settings import Indices

VERSION: Final = 1
"""Of the schema; goes up when a field changes."""

LONGEST_KEYWORD: Final = 1024
"""Characters; the transformer has the same. Far below the 32,766 bytes of a term, beyond which a document fails."""

_LONGEST_MESSAGE: Final = 256
_SPARE_FIELDS: Final = 100
_LEAST_DEPTH: Final = 20
"""OpenSearch's default for index.mapping.depth.limit."""

QUERIED: Final = (
    *("body", "body.words", "overflow.text", "overflow.text.words", "overflow.json", "overflow.json.words"),
    *("attributes", "severity.text", "tag", "event_id", "traceId", "spanId"),
    *("resource.service.name", "resource.container.name", "resource.container.id", "resource.aws.ecs.task.id"),
)
"""Where words are looked for that come without a field (index.query.default_field)."""

Fields = dict[str, Any]

_WORDS: Final[Fields] = {"type": "text", "analyzer": "simple", "norms": False}
_TEXT: Final[Fields] = {"type": "text", "norms": False, "fields": {"words": _WORDS}}
_KEYWORD: Final[Fields] = {"type": "keyword", "ignore_above": LONGEST_KEYWORD}
_NUMBER: Final[Fields] = {"type": "double"}
_TIME: Final[Fields] = {"type": "date_nanos"}
_MESSAGE: Final[Fields] = {"keyword": {"type": "keyword", "ignore_above": _LONGEST_MESSAGE}}
_STORED: Final[Fields] = {"type": "text", "index": False, "norms": False}


def index_template(deployment: Deployment, route: Route) -> dict[str, Any]:
    """The template of a route's indices.

    Args:
        deployment: with `search`.
        route: with an OpenSearchDestination.

    Raises:
        ValueError: the route goes elsewhere.
    """
    if not isinstance(route.destination, OpenSearchDestination):
        raise ValueError(f"route {route.name} does not go to OpenSearch")
    index = names.index(deployment, route)
    return _template(index, deployment, fields=_fields(route.destination.numbers), queried=QUERIED)


def failed_template(deployment: Deployment) -> dict[str, Any]:
    """The template of the index of failed records and documents."""
    queried = ("message", "message.words", "route", "reason", "code", "index", "object")
    return _template(names.failed_index(deployment), deployment, fields=_failed_fields(), queried=queried)


def _template(index: str, deployment: Deployment, *, fields: Fields, queried: Iterable[str]) -> dict[str, Any]:
    if deployment.search is None:
        raise ValueError(f"{deployment.environment} has no search")
    settings = _settings(deployment.search.indices, fields, queried)
    return {
        "index_patterns": [pattern(index)],
        "priority": priority(index),
        "version": VERSION,
        "_meta": {"made_by": "sluice", "schema": VERSION},
        "template": {"settings": settings, "mappings": {"dynamic": False, "properties": fields}},
    }


def _settings(indices: Indices, fields: Fields, queried: Iterable[str]) -> dict[str, Any]:
    return {
        "index.number_of_shards": indices.shards,
        "index.number_of_replicas": indices.replicas,
        "index.refresh_interval": f"{indices.refresh_seconds}s",
        "index.codec": "best_compression",
        "index.mapping.total_fields.limit": _count(fields) + _SPARE_FIELDS,
        "index.mapping.depth.limit": max(_LEAST_DEPTH, _depth(fields) + 1),
        # Of what others write into these indices: a field with a value of another type is left out, not the document.
        "index.mapping.ignore_malformed": True,
        "index.query.default_field": list(queried),
    }


def _fields(numbers: Iterable[str]) -> Fields:
    return {
        "@timestamp": _TIME,
        "observedTimestamp": _TIME,
        "body": {**_TEXT, "fields": {"words": _WORDS, **_MESSAGE}},
        "body_is_json": {"type": "boolean"},
        "severity": _object({"text": _KEYWORD, "number": {"type": "integer"}}),
        **dict.fromkeys(("traceId", "spanId", "tag", "event_id"), _KEYWORD),
        "resource": _object(_nested(dict.fromkeys(RESOURCE_FIELDS, _KEYWORD))),
        "attributes": {"type": "flat_object"},
        "numbers": _object(_nested(dict.fromkeys(sorted(number_fields(numbers)), _NUMBER))),
        "overflow": _object({"at": _KEYWORD, "text": _TEXT, "json": _TEXT}),
    }


def _failed_fields() -> Fields:
    return {
        "@timestamp": _TIME,
        **dict.fromkeys(("route", "reason", "code", "index", "sha256", "object"), _KEYWORD),
        "message": {**_TEXT, "fields": {"words": _WORDS, **_MESSAGE}},
        "bytes": {"type": "long"},
        "line": {"type": "long"},
        "raw": _STORED,
    }


def _nested(fields: dict[str, Fields]) -> Fields:
    """Fields by their dotted names as objects in objects."""
    nested: Fields = {}
    for name, field in fields.items():
        *heads, last = name.split(".")
        inner = nested
        for head in heads:
            inner = inner.setdefault(head, _object({}))["properties"]
        inner[last] = field
    return nested


def _object(properties: Fields) -> Fields:
    return {"dynamic": False, "properties": properties}


def _inner(fields: Fields) -> list[Fields]:
    return [part for field in fields.values() for part in (field.get("properties"), field.get("fields")) if part]


def _count(fields: Fields) -> int:
    """How many fields there are as OpenSearch counts them: objects and the forms of a field too."""
    return len(fields) + sum(map(_count, _inner(fields)))


def _depth(fields: Fields) -> int:
    return 1 + max(map(_depth, _inner(fields)), default=0)
