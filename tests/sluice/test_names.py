"""Names that people, policies and stored data rely on: changing one orphans what was made under the other."""

from sluice import names
from sluice.model import Deployment


def test_every_name(here: Deployment) -> None:
    frontend = here.routes[0]
    assert names.stream(here, frontend) == "sluice-dev-frontend"
    assert names.function(here, frontend) == "sluice-dev-frontend-transform"
    assert names.role(here, frontend) == "sluice-dev-frontend-deliver"
    assert names.load_balancer(here) == "sluice-dev-logs"
    assert names.bucket(here, account="123456789012", region="eu-west-1") == "sluice-dev-logs-123456789012-eu-west-1"
    assert names.private_name(here) == "logs.sluice-dev.internal"
    assert names.delivered_prefix(frontend) == "logs/route=frontend/"
    assert names.failed_prefix(frontend) == "failed/route=frontend/"
    assert names.oversize_prefix(frontend) == "oversize/route=frontend/"
    assert names.reasons_prefix(frontend) == "reasons/route=frontend/"
