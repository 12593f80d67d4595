"""Roles of fine-grained access control, and who has them.

https://docs.opensearch.org/2.19/security/access-control/api/

A mapping of a role is replaced as a whole, and people add their own to it. So what is written is what is there, less
what our last plan had and this one has not, and what this one has. A domain without fine-grained access control has
none of this, which `is_absent` tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambdas.search.cluster import Cluster, ClusterError
from lambdas.search.documents import contains

_API: Final = "/_plugins/_security/api"
_NO_SUCH_PATH: Final = (400, 405)
_UNAUTHORIZED: Final = 401
_WHO: Final = ("backend_roles", "users")
_KEPT: Final = (*_WHO, "hosts", "and_backend_roles", "description")


def is_absent(cluster: Cluster) -> bool:
    """Whether this cluster knows no roles: the plugin is not there, or AWS does not pass the request on."""
    try:
        cluster.call("GET", f"{_API}/roles/all_access")
    except ClusterError as error:
        # OpenSearch has no such path; AWS says "Your request: '…' is not allowed". Anything else is no answer to this.
        if error.status in _NO_SUCH_PATH or (error.status == _UNAUTHORIZED and "is not allowed" in error.reason):
            return True
        raise
    return False


def put_roles(cluster: Cluster, roles: Mapping[str, Any]) -> None:
    """Make the roles as they are wanted; write nothing where they are, for every write reloads every node."""
    for name, body in roles.items():
        there = cluster.find("GET", f"{_API}/roles/{name}")
        if not there or not contains(there.get(name), body):
            cluster.call("PUT", f"{_API}/roles/{name}", body=body)


def put_mappings(cluster: Cluster, wanted: Mapping[str, Any], old: Mapping[str, Any]) -> None:
    """Give the roles to those who are wanted, and take them from those whom the old plan had and this one has not."""
    for name in {**old, **wanted}:
        _map(cluster, name, wanted.get(name, {}), old.get(name, {}))


def delete_roles(cluster: Cluster, roles: Mapping[str, Any]) -> None:
    """Delete the roles that nobody has any more: who else was given one keeps it."""
    for name in roles:
        if cluster.find("GET", f"{_API}/rolesmapping/{name}") is None:
            cluster.find("DELETE", f"{_API}/roles/{name}")


def _map(cluster: Cluster, name: str, wanted: Mapping[str, Any], old: Mapping[str, Any]) -> None:
    path = f"{_API}/rolesmapping/{name}"
    answer = cluster.find("GET", path)
    there = {key: value for key, value in (answer or {}).get(name, {}).items() if key in _KEPT and value}
    made = {**there, **{key: _merged(there.get(key, ()), wanted.get(key, ()), old.get(key, ())) for key in _WHO}}
    if not any(value for key, value in made.items() if key != "description"):
        if answer:
            cluster.find("DELETE", path)
    elif {key: value for key, value in made.items() if value} != there:
        cluster.call("PUT", path, body=made)


def _merged(there: list[str], wanted: list[str], old: list[str]) -> list[str]:
    others = [one for one in there if one not in wanted and one not in old]
    return [*others, *dict.fromkeys(wanted)]
