"""What the tasks of the load test in AWS are told of a deployment: one variable, which `loadtest.task` reads."""

import json
from typing import Final

from sluice import names
from sluice.model import Deployment

VARIABLE: Final = "SLUICE_LOAD_TEST"
MOST_SENDERS: Final = 40
"""Step Functions runs no more at once in a Map of its own:
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
"""


def told(deployment: Deployment) -> str:
    """Where to send, and by which matches a tag takes which route, in the order in which they are tried."""
    return json.dumps(
        {
            "prefix": deployment.prefix,
            "host": names.private_name(deployment),
            "ports": {listener.name: listener.port for listener in deployment.listeners},
            "routes": [[route.name, route.match, route.destination.kind] for route in deployment.routes],
        },
        separators=(",", ":"),
    )
