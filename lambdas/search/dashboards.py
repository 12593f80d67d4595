"""Saved objects of OpenSearch Dashboards: index patterns, searches and dashboards, imported as a user would.

https://docs.opensearch.org/2.19/dashboards/management/management-index/ and the route's source,
https://github.com/opensearch-project/OpenSearch-Dashboards/blob/2.19/src/core/server/saved_objects/routes/import.ts

They go to the tenant that everybody shares. An import overwrites: what people changed in ours is lost when the plan
changes, so they should save it under another name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from lambdas.search.cluster import Cluster

_API: Final = "/_dashboards/api/saved_objects"
# Without the first Dashboards takes a request for forged; without the second it may import into a tenant of ours alone.
_HEADERS: Final = {"osd-xsrf": "true", "securitytenant": "global"}
_BOUNDARY: Final = "sluice-saved-objects"
TOLD_ERRORS: Final = 3


class NotImportedError(Exception):
    """Objects that Dashboards did not take, and why."""


def import_objects(cluster: Cluster, objects: Sequence[dict[str, Any]]) -> None:
    """Import the objects, over those that are there. NotImportedError when one of them was not taken."""
    if not objects:
        return
    lines = "\n".join(json.dumps(one, ensure_ascii=True) for one in objects) + "\n"
    body = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="sluice.ndjson"\r\n'
        f"Content-Type: application/ndjson\r\n\r\n{lines}\r\n--{_BOUNDARY}--\r\n"
    )
    headers = {**_HEADERS, "content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
    told = cluster.call("POST", f"{_API}/_import", params={"overwrite": "true"}, body=body, headers=headers)
    if not told.get("success"):
        raise NotImportedError(
            f"Dashboards took {told.get('successCount', 0)} of {len(objects)} objects: {_errors(told)}"
        )


def delete_objects(cluster: Cluster, objects: Sequence[dict[str, Any]]) -> None:
    """Delete the objects that are there."""
    for one in objects:
        cluster.find("DELETE", f"{_API}/{one['type']}/{one['id']}", headers=_HEADERS)


def _errors(told: dict[str, Any]) -> str:
    errors = told.get("errors", [])
    named = (f"{one.get('type')} {one.get('id')}: {one.get('error', {}).get('type')}" for one in errors[:TOLD_ERRORS])
    return "; ".join(named) + (f" (and {len(errors) - TOLD_ERRORS} more)" if len(errors) > TOLD_ERRORS else "")
