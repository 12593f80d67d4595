"""The dashboards as OpenSearch Dashboards imports them."""

from typing import Any

from sluice.model import Deployment


def saved_objects(deployment: Deployment) -> tuple[dict[str, Any], ...]:
    """The saved objects of an installation, in the order that they refer to each other."""
    del deployment
    return ()
