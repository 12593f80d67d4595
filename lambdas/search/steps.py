"""The steps from any state of a cluster to the plan's, and back, in the order in which they need each other.

| | a domain | a serverless collection | OpenSearch without plugins, on this machine |
|---|---|---|---|
| index templates, indices | yes | yes | yes, less the setting that names the alias to roll over |
| policies | yes | AWS's lifecycle policies | passed over |
| roles | if it has fine-grained access control | AWS's data access policies | passed over |
| saved objects | yes | tried: AWS documents no interface for them | passed over |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lambdas.search import access, dashboards, indices, lifecycle
from lambdas.search.cluster import Cluster, ClusterError

Plan = Mapping[str, Any]

_ISM: Final = "index_state_management"
_ISM_PLUGIN: Final = "opensearch-index-management"
_REDIRECT: Final = 302


def replace(cluster: Cluster, *, plan: Plan, old: Plan, service: str, lenient: bool) -> list[str]:
    """Make the cluster as the plan says and take away what only the old one said. Return what was passed over."""
    _reach(cluster, service)
    skipped = []
    with_policies = not lenient or _has(cluster, _ISM_PLUGIN)
    indices.put_templates(cluster, plan["templates"] if with_policies else _without_policies(plan["templates"]))
    if with_policies:
        lifecycle.put_policies(cluster, plan["policies"])
    elif plan["policies"]:
        skipped.append(f"policies: {_ISM_PLUGIN} is not there")
    indices.make_indices(cluster, plan["indices"])
    with_roles = bool(plan["roles"] or old["roles"]) and not access.is_absent(cluster)
    if with_roles:
        access.put_roles(cluster, plan["roles"])
        access.put_mappings(cluster, plan["role_mappings"], old["role_mappings"])
    elif plan["roles"]:
        skipped.append("roles: no fine-grained access control")
    refused = _import(cluster, plan["saved_objects"], tolerant=lenient or service == "aoss")
    if refused:
        skipped.append(f"saved objects: {refused}")
    _drop(cluster, plan=plan, old=old, with_roles=with_roles, with_policies=with_policies, with_objects=not refused)
    return skipped


def remove(cluster: Cluster, plan: Plan, *, service: str) -> list[str]:
    """Take away what the plan put there, except indices. Return what could not be, which never stops the rest."""
    _reach(cluster, service)
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("saved objects", lambda: dashboards.delete_objects(cluster, plan["saved_objects"])),
        ("role mappings", lambda: access.put_mappings(cluster, {}, plan["role_mappings"])),
        ("roles", lambda: access.delete_roles(cluster, plan["roles"])),
        ("policies", lambda: lifecycle.delete_policies(cluster, plan["policies"])),
        ("templates", lambda: indices.delete_templates(cluster, plan["templates"])),
    )
    left = []
    for name, step in steps:
        try:
            step()
        except ClusterError as error:
            left.append(f"{name}: {error}")
    return left


def _reach(cluster: Cluster, service: str) -> None:
    # A collection has no root.
    cluster.call("GET", "/" if service == "es" else "/_cat/indices", params={"format": "json"})


def _has(cluster: Cluster, plugin: str) -> bool:
    found = cluster.call("GET", "/_cat/plugins", params={"format": "json", "h": "component"})
    return any(row["component"] == plugin for row in found)


def _without_policies(templates: Mapping[str, Any]) -> dict[str, Any]:
    """The templates without the setting that OpenSearch does not know when the plugin is not there."""

    def without(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {key: without(held) for key, held in value.items() if _ISM not in key}
        return value

    return {name: without(body) for name, body in templates.items()}


def _import(cluster: Cluster, objects: Sequence[dict[str, Any]], *, tolerant: bool) -> str:
    """Import the objects. Return why that was passed over: no Dashboards here, or one with a sign-in of its own."""
    try:
        dashboards.import_objects(cluster, objects)
    except ClusterError as error:
        if tolerant or error.status == _REDIRECT:
            return str(error)
        raise
    return ""


def _drop(
    cluster: Cluster, *, plan: Plan, old: Plan, with_roles: bool, with_policies: bool, with_objects: bool
) -> None:
    def gone(key: str) -> dict[str, Any]:
        return {name: body for name, body in old[key].items() if name not in plan[key]}

    if with_objects:
        kept = {(one["type"], one["id"]) for one in plan["saved_objects"]}
        dashboards.delete_objects(
            cluster, [one for one in old["saved_objects"] if (one["type"], one["id"]) not in kept]
        )
    if with_roles:
        access.delete_roles(cluster, gone("roles"))
    if with_policies:
        lifecycle.delete_policies(cluster, gone("policies"))
    indices.delete_templates(cluster, gone("templates"))
