"""What an installation wants OpenSearch to be, as one value: the setup function makes it so.

The plan is JSON that CloudFormation hands to the function, so that a change of sluice.yaml is a change of a resource.

| Key | Holds |
|---|---|
| prefix | the installation |
| templates | composable index templates by name |
| policies | index state management policies by name, see `policies` |
| indices | the first index behind an alias, by name, made if the alias is missing; in a collection the indices |
| roles, role_mappings | fine-grained access control: what is allowed, and to which IAM roles and users |
| saved_objects | index patterns, searches and dashboards |

A serverless collection knows index templates but neither policies nor roles (its lifecycle and data access policies
are AWS's own), and Firehose does not rotate there: a route's index has the route's plain name.
https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-genref.html
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sluice import names
from sluice.destinations import OpenSearchDestination
from sluice.model import Deployment
from sluice.search import policies
from sluice.search.access import role_mappings, roles
from sluice.search.saved_objects import saved_objects
from sluice.search.schema import failed_template, index_template
from sluice.search_settings import Collection

FIRST: Final = "-000001"
"""What the first index behind an alias ends in; OpenSearch counts on from there."""


def plan(
    deployment: Deployment,
    *,
    writers: Sequence[str],
    readers: Sequence[str],
    quarantine: Sequence[str] = (),
    watchers: Sequence[str] = (),
) -> dict[str, Any]:
    """The plan of an installation. ARNs may be CloudFormation's tokens.

    Args:
        deployment: with `search`.
        writers: ARNs of the roles that Firehose delivers with.
        readers: ARNs of the IAM roles and users that may search and open the dashboards.
        quarantine: ARNs of the role of the function that indexes what failed.
        watchers: ARNs of the roles that look for what they sent: the canary's, the load test's.
    """
    collection = isinstance(deployment.search, Collection)
    templates = dict(_templates(deployment))
    if collection:
        templates = {name: _exact(name, template) for name, template in templates.items()}
    given = role_mappings(deployment, writers=writers, readers=readers, quarantine=quarantine, watchers=watchers)
    return {
        "prefix": deployment.prefix,
        "templates": templates,
        "policies": policies.policies(deployment),
        "indices": dict(_indices(deployment, templates)),
        "roles": {} if collection else roles(deployment, is_watched=bool(watchers)),
        "role_mappings": {} if collection else given,
        "saved_objects": list(saved_objects(deployment)),
    }


def packed(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan with all that is large under one key: gzip in base64, which the setup function undoes.

    Twenty routes are 140 kB of JSON, both plans of an update twice that, and an event that Lambda takes was 256 KiB for
    long. CloudFormation's tokens have to be seen by it, so those of role_mappings stay outside.
    """
    apart = ("prefix", "role_mappings")
    text = json.dumps({key: value for key, value in plan.items() if key not in apart}, sort_keys=True)
    data = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    return {**{key: plan[key] for key in apart}, "packed": data}


def _templates(deployment: Deployment) -> Iterator[tuple[str, dict[str, Any]]]:
    for route in deployment.routes:
        if isinstance(route.destination, OpenSearchDestination):
            index, body = names.index(deployment, route), index_template(deployment, route)
            yield index, _rolling(index, body) if route.destination.rotation == "none" else body
    failed = names.failed_index(deployment)
    yield failed, _rolling(failed, failed_template(deployment))


def _rolling(alias: str, body: dict[str, Any]) -> dict[str, Any]:
    """The template with the setting that tells which alias goes on to the next index."""
    template = body["template"]
    settings = {**template.get("settings", {}), policies.ROLLOVER_SETTING: alias}
    return {**body, "template": {**template, "settings": settings}}


def _exact(index: str, body: dict[str, Any]) -> dict[str, Any]:
    """The template for a collection, which decides itself about shards, replicas, refreshes and rollover."""
    return {**body, "index_patterns": [index], "template": {"mappings": body["template"]["mappings"]}}


def _indices(deployment: Deployment, templates: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(deployment.search, Collection):
        for index, body in templates.items():
            yield index, body["template"]
        return
    for route in deployment.routes:
        if isinstance(route.destination, OpenSearchDestination) and route.destination.rotation == "none":
            yield _first(names.index(deployment, route))
    yield _first(names.failed_index(deployment))


def _first(alias: str) -> tuple[str, dict[str, Any]]:
    return f"{alias}{FIRST}", {"aliases": {alias: {"is_write_index": True}}}
