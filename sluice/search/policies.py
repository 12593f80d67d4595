"""How long documents stay in OpenSearch, as policies of its index state management.

https://docs.opensearch.org/2.19/im-plugin/ism/policies/

Whole indices are deleted, never single documents, so a document stays for `retention.search_days` at least and for one
index's time more at most:

- With rotation, Firehose begins an index per period. Its age counts from its first document, and it is written to
  until its period ends: it is deleted `search_days` and one period later.
- Without rotation, the index that the alias writes to is rolled over at `search.rollover`, and deleted `search_days`
  after that.
- The failed index is rolled over and deleted in the same way, by `retention.failed_days`.

OpenSearch looks every 30 to 48 minutes, so sizes and times are exceeded by as much. A serverless collection has no
such policies: there the retention is a lifecycle policy of AWS.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from sluice import names
from sluice.destinations import OpenSearchDestination
from sluice.model import Deployment
from sluice.routes import Route
from sluice.search_settings import Collection, Rollover

HOURS: Final = {"hour": 1, "day": 24, "week": 7 * 24, "month": 31 * 24}
ROLLOVER_SETTING: Final = "index.plugins.index_state_management.rollover_alias"
"""The setting of an index that names the alias which is to write to the next one."""
FAILED_ROLLOVER: Final = Rollover(size_gib=10, days=30)
_BASE_PRIORITY: Final = 7000


def pattern(index: str) -> str:
    """The names of the indices that belong to an alias, or to what Firehose appends a date to."""
    return f"{index}-*"


def priority(index: str) -> int:
    """Which template or policy wins where patterns take in each other's indices, as `web-*` and `web-api-*` do.

    The longer name is the more exact one. OpenSearch refuses two of the same priority whose patterns overlap, and
    patterns of this form with names of the same length never do.
    """
    return _BASE_PRIORITY + len(index)


def policies(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Every policy by its name, which is that of the indices it is for; none for a serverless collection."""
    if deployment.search is None or isinstance(deployment.search, Collection):
        return {}
    days, rollover = deployment.retention.search_days, deployment.search.rollover
    found = {}
    for route in deployment.routes:
        if isinstance(route.destination, OpenSearchDestination):
            index = names.index(deployment, route)
            found[index] = _of_route(route, route.destination, index=index, days=days, rollover=rollover)
    failed = names.failed_index(deployment)
    failed_days = deployment.retention.failed_days
    told = f"Records and documents that failed: kept {failed_days} days"
    found[failed] = _rolling(failed, told=told, days=failed_days, rollover=FAILED_ROLLOVER)
    return found


def _of_route(
    route: Route, destination: OpenSearchDestination, *, index: str, days: int, rollover: Rollover
) -> dict[str, Any]:
    told = f"Documents of route {route.name}: kept {days} days"
    if destination.rotation == "none":
        return _rolling(index, told=told, days=days, rollover=rollover)
    hours = days * 24 + HOURS[destination.rotation]
    return _policy(index, told=told, actions=[], until={"min_index_age": f"{hours}h"})


def _rolling(index: str, *, told: str, days: int, rollover: Rollover) -> dict[str, Any]:
    # One of the two is enough. min_size is that of all primary shards together.
    at = {"min_size": f"{rollover.size_gib}gb", "min_index_age": f"{rollover.days}d"}
    return _policy(index, told=told, actions=[{"rollover": at}], until={"min_rollover_age": f"{days}d"})


def _policy(index: str, *, told: str, actions: list[dict[str, Any]], until: dict[str, str]) -> dict[str, Any]:
    states = [
        {"name": "kept", "actions": actions, "transitions": [{"state_name": "deleted", "conditions": until}]},
        {"name": "deleted", "actions": [{"delete": {}}], "transitions": []},
    ]
    body = {
        "default_state": "kept",
        "states": states,
        "ism_template": [{"index_patterns": [pattern(index)], "priority": priority(index)}],
    }
    # What OpenSearch returns has defaults in it. By the digest it is known which version of a policy an index has.
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]
    return {"policy": {"description": f"{told} [sluice {digest}]", **body}}
