"""Where documents are searched, as those see it who call there: its ARN, its address, and what lets one in.

A domain's ARN is spelled from its name. What AWS makes up (the id of a collection, of a security group) stands in SSM
parameters whose names are ours, which CloudFormation reads when it deploys: an export would hold the search stack's
resource in place for as long as delivery imports it. Cost: nothing, standard parameters are free.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, assert_never

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from sluice import names
from sluice.destinations import OpenSearchDestination
from sluice.model import Deployment, ExistingNetwork
from sluice.routes import Route
from sluice.search_settings import Collection, Domain, ExistingDomain
from stacks.network import Place, existing_place

ENDPOINT: Final = "endpoint"
ARN: Final = "arn"
DELIVERY_GROUP: Final = "delivery-group"

Service = Literal["es", "aoss"]
Method = Literal["Delete", "Get", "Head", "Patch", "Post", "Put"]
METHODS: Final[tuple[Method, ...]] = ("Delete", "Get", "Head", "Patch", "Post", "Put")
# https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-es
FIREHOSE_METHODS: Final[tuple[Method, ...]] = ("Get", "Post", "Put")
WATCHER_METHODS: Final[tuple[Method, ...]] = ("Post",)


@dataclass(frozen=True)
class SearchTarget:
    """A domain ("es") or a serverless collection ("aoss").

    `endpoint` is the address that Firehose is to call where it cannot find it by the ARN: a collection's, and that of
    an OpenSearch on this machine.
    """

    service: Service
    arn: str
    endpoint: str | None = None

    def calls(self, *methods: Method, paths: Sequence[str] = ("*",)) -> iam.PolicyStatement:
        """What a role needs to send such requests to these paths; a collection knows neither."""
        if self.service == "aoss":
            return iam.PolicyStatement(actions=["aoss:APIAccessAll"], resources=[self.arn])
        return iam.PolicyStatement(
            actions=[f"es:ESHttp{method}" for method in methods], resources=[f"{self.arn}/{path}" for path in paths]
        )


def is_wanted(deployment: Deployment) -> bool:
    """Whether a route goes to OpenSearch."""
    return bool(routes(deployment))


def routes(deployment: Deployment) -> tuple[Route, ...]:
    """The routes that go to OpenSearch."""
    return tuple(route for route in deployment.routes if isinstance(route.destination, OpenSearchDestination))


def is_inside(deployment: Deployment) -> bool:
    """Whether it is in the VPC, so that everybody who calls it has to be there too."""
    return deployment.search is not None and deployment.search.access == "vpc"


def target(scope: Construct, *, deployment: Deployment) -> SearchTarget:
    """Where the routes go, as another stack than search sees it."""
    match deployment.search:
        case Domain():
            return SearchTarget("es", domain_arn(scope, deployment=deployment))
        case ExistingDomain() as there:
            return SearchTarget("es", there.arn, endpoint=there.endpoint if there.is_local else None)
        case Collection():
            return SearchTarget("aoss", _told(scope, deployment, ARN), endpoint=_told(scope, deployment, ENDPOINT))
        case None:
            raise ValueError("a route goes to opensearch, and there is no `search`: add it to the configuration")
        case other:
            assert_never(other)


def domain_arn(scope: Construct, *, deployment: Deployment) -> str:
    """The ARN of Sluice's own domain, whether it is there yet or not."""
    return Stack.of(scope).format_arn(service="es", resource="domain", resource_name=names.search_domain(deployment))


def address(scope: Construct, *, deployment: Deployment) -> str:
    """Where it is asked, as another stack than search sees it."""
    return (
        deployment.search.endpoint
        if isinstance(deployment.search, ExistingDomain)
        else _told(scope, deployment, ENDPOINT)
    )


def role_arn(scope: Construct, name: str) -> str:
    """The ARN of a role of this account, whether it is there yet or not."""
    return Stack.of(scope).format_arn(service="iam", region="", resource="role", resource_name=name)


def delivery_group(scope: Construct, *, deployment: Deployment) -> str:
    """Id of the security group that Firehose delivers with; it belongs to the search stack, as the domain's does."""
    return _told(scope, deployment, DELIVERY_GROUP)


def ask_to_let_in(scope: Construct, group: ec2.ISecurityGroup, *, deployment: Deployment, who: str) -> None:
    """An output for whoever owns a domain in the VPC that is not ours: its security group has to let this one in."""
    if isinstance(deployment.search, ExistingDomain) and is_inside(deployment):
        CfnOutput(
            scope,
            f"{who}SecurityGroup",
            value=group.security_group_id,
            description="The domain's security group has to let HTTPS in from here",
        )


def tell(scope: Construct, construct_id: str, *, deployment: Deployment, what: str, value: str) -> None:
    """Keep a value for the stacks that read it by name."""
    ssm.StringParameter(
        scope,
        construct_id,
        parameter_name=_parameter(deployment, what),
        string_value=value,
        description=f"Sluice {deployment.prefix}: for the stacks that deliver to search",
    )


def in_place(scope: Construct, *, deployment: Deployment, place: Place | None) -> Place:
    """Where a stack is put: what it was given, or the network that the configuration names."""
    if place is not None:
        return place
    assert isinstance(deployment.network, ExistingNetwork)  # noqa: S101 - a new network has a place
    return existing_place(scope, network=deployment.network)


def one_per_zone(place: Place, *, zones: int | None = None) -> list[str]:
    """Private subnets, one in each zone, of so many zones or of all; as AWS wants them for a domain's instances.

    Raises:
        ValueError: the network has fewer zones.
    """
    selected = place.vpc.select_subnets(subnet_type=place.private.subnet_type, one_per_az=True).subnet_ids
    if zones is not None and len(selected) < zones:
        raise ValueError(f"`search.zones` is {zones}, and the network has private subnets in {len(selected)} zones")
    return selected[:zones]


def _told(scope: Construct, deployment: Deployment, what: str) -> str:
    return ssm.StringParameter.value_for_string_parameter(scope, _parameter(deployment, what))


def _parameter(deployment: Deployment, what: str) -> str:
    return f"/sluice/{deployment.prefix}/search/{what}"
