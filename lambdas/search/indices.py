"""Index templates, and the first index behind an alias.

A template is for indices that are made later: a field that is new in it is found in documents of the next index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambdas.search.cluster import Cluster, ClusterError

BAD_REQUEST: Final = 400


class NameTakenError(Exception):
    """An index has the name that an alias should have; says what to do."""


def put_templates(cluster: Cluster, templates: Mapping[str, Any]) -> None:
    """Put every template. OpenSearch itself sees when nothing changes."""
    for name, body in templates.items():
        cluster.call("PUT", f"/_index_template/{name}", body=body)


def delete_templates(cluster: Cluster, templates: Mapping[str, Any]) -> None:
    """Delete the templates that are there."""
    for name in templates:
        cluster.find("DELETE", f"/_index_template/{name}")


def make_indices(cluster: Cluster, indices: Mapping[str, Any]) -> None:
    """Make every index that is missing: one with an alias, if the alias is. NameTakenError as said there."""
    for name, body in indices.items():
        alias = next(iter(body.get("aliases", {})), None)
        if _is_there(cluster, name, alias):
            continue
        try:
            cluster.call("PUT", f"/{name}", body=body)
        except ClusterError as error:
            # Another delivery of the same request was faster, or the index lost its alias.
            if error.status != BAD_REQUEST or not _is_there(cluster, name, alias):
                raise


def _is_there(cluster: Cluster, name: str, alias: str | None) -> bool:
    if alias is None:
        return _is_index(cluster, name)
    behind = cluster.find("GET", f"/_alias/{alias}")
    if behind:
        writes = [index for index, of in behind.items() if of["aliases"][alias].get("is_write_index", len(behind) == 1)]
        if not writes:
            raise NameTakenError(
                f"nothing can be written to alias {alias}: none of its {len(behind)} indices is its write index; make "
                f"the newest of them that (POST _aliases, add, is_write_index true) and deploy again"
            )
        return True
    if _is_index(cluster, alias):
        raise NameTakenError(
            f"{alias} is an index, where it has to be an alias that rolls over: something wrote to it before it was "
            f"set up. Reindex it into another name if its documents count, delete it, and deploy again"
        )
    return False


def _is_index(cluster: Cluster, name: str) -> bool:
    return cluster.find("HEAD", f"/{name}") is not None
