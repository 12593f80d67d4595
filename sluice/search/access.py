"""Who may do what in a domain with fine-grained access control: OpenSearch's roles, and who has them.

IAM and the domain's access policy decide who reaches the domain; these decide what is done there. The installation
has these roles:

- write, for Firehose: what AWS's page on Firehose's access to a domain lists as its requests
  (https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-es), as actions. Documents are
  written to the routes' indices only; settings and statistics, which Firehose asks for of all indices at once, hold no
  document.
- quarantine, for the function that indexes what failed: nothing but that.
- watch, for the canary and the load test: to search the routes' indices. There only where there is one of them.
- read, for people: search, and what the role kibana_user has for Dashboards. That role itself is mapped to nobody, as
  its name differs between domains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sluice import names
from sluice.destinations import OpenSearchDestination
from sluice.model import Deployment
from sluice.search.policies import pattern

WRITE: Final = "write"
QUARANTINE: Final = "quarantine"
READ: Final = "read"
WATCH: Final = "watch"

_INDEXING: Final = ("indices:data/write/index", "indices:data/write/bulk*", "indices:admin/mapping/auto_put")
_DASHBOARDS: Final = (".kibana", ".kibana_*", ".opensearch_dashboards", ".opensearch_dashboards_*")


def role_name(deployment: Deployment, kind: str) -> str:
    """OpenSearch's role of this kind, one of WRITE, QUARANTINE, READ and WATCH."""
    return f"{deployment.prefix}-{kind}"


def roles(deployment: Deployment, *, is_watched: bool) -> dict[str, dict[str, Any]]:
    """The installation's roles by name; with WATCH where it is watched."""
    failed = names.failed_index(deployment)
    routed = [
        names.index(deployment, route)
        for route in deployment.routes
        if isinstance(route.destination, OpenSearchDestination)
    ]
    written = [of for index in routed for of in _indices(index)]
    return {
        role_name(deployment, WRITE): {
            "description": "Firehose delivers documents",
            "cluster_permissions": ["cluster_monitor", "indices:data/write/bulk"],
            "index_permissions": [
                _allow(written, *_INDEXING, "create_index", "indices:admin/get", "indices:admin/mappings/get"),
                _allow(["*"], "indices:monitor/settings/get", "indices:monitor/stats"),
            ],
        },
        role_name(deployment, QUARANTINE): {
            "description": "What failed becomes visible",
            "cluster_permissions": ["indices:data/write/bulk"],
            "index_permissions": [_allow(_indices(failed), *_INDEXING)],
        },
        role_name(deployment, READ): {
            "description": "People search and open dashboards",
            "cluster_permissions": ["cluster_composite_ops_ro"],
            "index_permissions": [
                # As wide as the dashboards' index pattern: a search over more than is allowed is refused as a whole.
                _allow([f"{deployment.prefix}-*", *_indices(failed)], "read", "indices:admin/mappings/get"),
                _allow(list(_DASHBOARDS), "read", "delete", "manage", "index"),
            ],
            "tenant_permissions": [{"tenant_patterns": ["global_tenant"], "allowed_actions": ["kibana_all_write"]}],
        },
        **({role_name(deployment, WATCH): _watch(routed)} if is_watched else {}),
    }


def _watch(indices: list[str]) -> dict[str, Any]:
    """Their names may go on: a search asks for all indices that begin as the route's do."""
    searched = [f"{index}*" for index in indices]
    return {
        "description": "Canary and load test look for what they sent",
        "cluster_permissions": [],
        "index_permissions": [_allow(searched, "indices:data/read/search")],
    }


def role_mappings(
    deployment: Deployment,
    *,
    writers: Sequence[str],
    readers: Sequence[str],
    quarantine: Sequence[str],
    watchers: Sequence[str] = (),
) -> dict[str, dict[str, Any]]:
    """Who has the installation's roles. An IAM role is a backend role there, an IAM user is a user."""
    who = {WRITE: writers, QUARANTINE: quarantine, READ: readers, **({WATCH: watchers} if watchers else {})}
    return {role_name(deployment, kind): _mapping(arns) for kind, arns in who.items()}


def _mapping(arns: Sequence[str]) -> dict[str, Any]:
    users = [arn for arn in arns if ":user/" in arn]
    return {"backend_roles": [arn for arn in arns if arn not in users], "users": users}


def _indices(index: str) -> list[str]:
    return [index, pattern(index)]


def _allow(indices: list[str], *actions: str) -> dict[str, Any]:
    return {"index_patterns": indices, "allowed_actions": list(actions)}
