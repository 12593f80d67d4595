"""The physical names of what is created: stable, and derived from the names in the configuration alone.

A stack that needs another's stream or bucket spells its name from here instead of importing it, so that no
stack holds another's resource in place by a cross-stack export.
"""

from sluice.model import Deployment
from sluice.routes import Route

STREAM_PREFIX_VARIABLE = "SLUICE_STREAM_PREFIX"


def stream_prefix(deployment: Deployment) -> str:
    """What every stream's name starts with; the aggregator's container is told it."""
    return f"{deployment.prefix}-"


def stream(deployment: Deployment, route: Route) -> str:
    """The route's Firehose stream."""
    return f"{stream_prefix(deployment)}{route.name}"


def function(deployment: Deployment, route: Route) -> str:
    """The route's transformer function."""
    return f"{deployment.prefix}-{route.name}-transform"


def role(deployment: Deployment, route: Route) -> str:
    """The role that Firehose delivers the route with."""
    return f"{deployment.prefix}-{route.name}-deliver"


def kinesis_stream(deployment: Deployment, route: Route) -> str:
    """The data stream of a route via kinesis; named as the Firehose stream that reads it."""
    return f"{stream_prefix(deployment)}{route.name}"


def index(deployment: Deployment, route: Route) -> str:
    """What the names of the route's indices begin with: with rotation Firehose appends the date, without it this is
    the alias that is written to.
    """
    return f"{deployment.prefix}-{route.name}"


def failed_index(deployment: Deployment) -> str:
    """The index of failed records and documents; no pattern of the routes' indices takes it in."""
    return f"{deployment.prefix}_failed"


def search_domain(deployment: Deployment) -> str:
    """The OpenSearch domain, or the serverless collection."""
    return f"{deployment.prefix}-search"


def search_setup(deployment: Deployment) -> str:
    """The function that makes templates, policies and dashboards; its role has the same name."""
    return f"{deployment.prefix}-search-setup"


def quarantine(deployment: Deployment) -> str:
    """The function that makes failed records visible in the failed index; its role has the same name."""
    return f"{deployment.prefix}-quarantine"


def canary(deployment: Deployment) -> str:
    """The function that sends tracers and looks for them; its role has the same name."""
    return f"{deployment.prefix}-canary"


def load_test(deployment: Deployment) -> str:
    """The state machine of the load test, and what the names of its tasks begin with."""
    return f"{deployment.prefix}-loadtest"


def load_test_verifier(deployment: Deployment) -> str:
    """The role of the task that verifies a load test."""
    return f"{load_test(deployment)}-verify"


def load_test_prefix() -> str:
    """Where load tests keep their plans, journals and reports in the bucket; below it, a folder for each run."""
    return "loadtest/"


def database(deployment: Deployment) -> str:
    """The Glue database of the tables over S3; its names have no hyphens."""
    return deployment.prefix.replace("-", "_")


def table(route: Route) -> str:
    """The Glue table of a route to S3."""
    return route.name.replace("-", "_")


def workgroup(deployment: Deployment) -> str:
    """The Athena workgroup."""
    return f"{deployment.prefix}-logs"


def load_balancer(deployment: Deployment) -> str:
    """The aggregator's load balancer."""
    return f"{deployment.prefix}-logs"


def bucket(deployment: Deployment, *, account: str, region: str) -> str:
    """The environment's bucket; account and region may be CloudFormation's tokens."""
    return f"{deployment.prefix}-logs-{account}-{region}"


def private_zone(deployment: Deployment) -> str:
    """The private DNS zone in which the aggregator has its stable name."""
    return f"{deployment.prefix}.internal"


def private_name(deployment: Deployment) -> str:
    """The stable name that clients inside the VPC send to."""
    return f"logs.{private_zone(deployment)}"


def delivered_prefix(route: Route) -> str:
    """Where the route's delivered objects lie in the bucket."""
    return f"logs/route={route.name}/"


def failed_prefix(route: Route) -> str:
    """Where the route's failed records lie in the bucket; below it, one folder per reason."""
    return f"failed/route={route.name}/"


def oversize_prefix(route: Route) -> str:
    """Where the originals of the route's truncated documents lie in the bucket."""
    return f"oversize/route={route.name}/"


def reasons_prefix(route: Route) -> str:
    """Where it is told why the route's failed records failed; joined with them by their data's SHA-256."""
    return f"reasons/route={route.name}/"
