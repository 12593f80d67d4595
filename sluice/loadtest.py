"""What the tasks of the load test in AWS are told of a deployment: one variable, which `loadtest.task` reads."""

import json
from typing import Any, Final

from sluice import canary, names
from sluice.athena.queries import qualified
from sluice.athena.tables import FAILED
from sluice.destinations import OpenSearchDestination, S3Destination
from sluice.model import Deployment, Egress, NewNetwork
from sluice.routes import Route

VARIABLE: Final = "SLUICE_LOAD_TEST"
SEARCH_VARIABLES: Final = ("SLUICE_SEARCH_ENDPOINT", "SLUICE_SEARCH_SERVICE")
"""Where documents are searched, and `es` or `aoss`; there if a route goes to OpenSearch."""
MOST_SENDERS: Final = 40
"""Step Functions runs no more at once in a Map of its own:
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
"""


def told(deployment: Deployment) -> str:
    """Where to send, which tags take which route, in the order in which they are tried, and where each delivers."""
    return json.dumps(
        {
            "host": names.private_name(deployment),
            "ports": {listener.name: listener.port for listener in deployment.listeners},
            "routes": [_route(deployment, route) for route in deployment.routes],
            "failed": qualified(deployment, FAILED),
            "workgroup": names.workgroup(deployment) if asks_athena(deployment) else None,
        },
        separators=(",", ":"),
    )


def asks_athena(deployment: Deployment) -> bool:
    """Whether a task can ask Athena: a network whose only ways out are endpoints has none to it."""
    isolated = isinstance(deployment.network, NewNetwork) and deployment.network.egress is Egress.ENDPOINTS
    return not isolated and any(isinstance(route.destination, S3Destination) for route in deployment.routes)


def _route(deployment: Deployment, route: Route) -> dict[str, Any]:
    """`place` is the folder of its objects, or the beginning of its indices' names.

    `found_after` are the seconds from the transformer until a search finds a document, `asks` the partition keys of
    which Athena has to be told a value.
    """
    about: dict[str, Any] = {"name": route.name, "match": route.match}
    if isinstance(route.destination, OpenSearchDestination):
        after = canary.found_after_seconds(deployment, route)
        return about | {"kind": "opensearch", "place": names.index(deployment, route), "found_after": after}
    return about | {
        "kind": route.destination.format,
        "place": names.delivered_prefix(route),
        "table": qualified(deployment, names.table(route)),
        "asks": [key.name for key in route.destination.partition_by if key.values is None],
    }
