"""Policies of index state management, and the indices that have them.

https://docs.opensearch.org/2.19/im-plugin/ism/api/

A policy names the indices that get it when they are made. Indices that are there already are given it, and those that
have an older version of it are given the new one; an index that somebody gave another policy keeps that. Every managed
index holds its policy's text, so what was deleted here goes on for the indices that have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from lambdas.search.cluster import CONFLICT, Cluster, ClusterError
from lambdas.search.documents import contains

_POLICIES: Final = "/_plugins/_ism/policies"
_POLICY_ID: Final = "index.plugins.index_state_management.policy_id"
NAMES_LENGTH: Final = 2000
"""Of the names of indices in one request: OpenSearch takes a first line of 4096 bytes."""


class NotAttachedError(Exception):
    """Indices that did not get their policy, with OpenSearch's reason."""


def put_policies(cluster: Cluster, policies: Mapping[str, Any]) -> None:
    """Make the policies as they are wanted, write nothing where they are, and give them to the indices there are."""
    for name, body in policies.items():
        _put(cluster, name, body)
    if policies:
        _attach(cluster, policies)


def delete_policies(cluster: Cluster, policies: Mapping[str, Any]) -> None:
    """Delete the policies that are there."""
    for name in policies:
        cluster.find("DELETE", f"{_POLICIES}/{name}")


def _put(cluster: Cluster, name: str, body: Mapping[str, Any]) -> None:
    path = f"{_POLICIES}/{name}"
    for last in (False, True):
        there = cluster.find("GET", path)
        if there and contains(there["policy"], body["policy"]):
            return
        version = (
            {"if_seq_no": str(there["_seq_no"]), "if_primary_term": str(there["_primary_term"])} if there else None
        )
        try:
            cluster.call("PUT", path, body=body, params=version)
        except ClusterError as error:
            # Between the two requests another one wrote it.
            if error.status != CONFLICT or last:
                raise
        else:
            return


def _attach(cluster: Cluster, policies: Mapping[str, Any]) -> None:
    unmanaged: dict[str, list[str]] = {}
    outdated: dict[str, list[str]] = {}
    wanted = dict(_wanted(cluster, policies))
    for names in _together(wanted):
        told = cluster.call("GET", f"/_plugins/_ism/explain/{names}", params={"show_policy": "true"})
        for index, state in told.items():
            policy = wanted.get(index)
            if policy is None or not isinstance(state, dict):
                continue
            if not state.get(_POLICY_ID):
                unmanaged.setdefault(policy, []).append(index)
            elif state[_POLICY_ID] == policy and _is_outdated(state, policies[policy]["policy"]):
                outdated.setdefault(policy, []).append(index)
    for action, found in (("add", unmanaged), ("change_policy", outdated)):
        for policy, indices in found.items():
            for names in _together(indices):
                _give(cluster, action, names=names, policy=policy)


def _wanted(cluster: Cluster, policies: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every index there is with the policy that is for it: of several, that of the highest priority."""
    rules = [
        (rule["priority"], pattern, name)
        for name, body in policies.items()
        for rule in body["policy"]["ism_template"]
        for pattern in rule["index_patterns"]
    ]
    for names in _together(pattern for _, pattern, _ in rules):
        found = cluster.call("GET", f"/_cat/indices/{names}", params={"format": "json", "h": "index"})
        for index in (row["index"] for row in found):
            _, _, policy = max(rule for rule in rules if fnmatchcase(index, rule[1]))
            yield index, policy


def _is_outdated(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    # An index that OpenSearch has not looked at yet has no text; it will get the newest.
    text = state.get("policy")
    return isinstance(text, dict) and not contains(text, wanted)


def _give(cluster: Cluster, action: str, *, names: str, policy: str) -> None:
    told = cluster.call("POST", f"/_plugins/_ism/{action}/{names}", body={"policy_id": policy})
    # Another delivery of the same request was faster.
    failed = [one for one in told.get("failed_indices", ()) if "already" not in str(one.get("reason"))]
    if failed:
        raise NotAttachedError(
            f"policy {policy} was not given to {failed[0].get('index_name')}: {failed[0].get('reason')}"
            + (f" (and {len(failed) - 1} more)" if len(failed) > 1 else "")
        )


def _together(names: Iterable[str]) -> Iterator[str]:
    """The names with commas between them, in as many parts as a request's first line needs."""
    part: list[str] = []
    length = 0
    for name in names:
        if part and length + len(name) > NAMES_LENGTH:
            yield ",".join(part)
            part, length = [], 0
        part.append(name)
        length += len(name) + 1
    if part:
        yield ",".join(part)
