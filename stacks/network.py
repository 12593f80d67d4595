"""The network: a VPC of Sluice's own, or somebody's, named by its ids.

Nothing is looked up, so that a synthesis needs no account and gives the same template everywhere: zones are
chosen by CloudFormation (`Fn::GetAZs`), and an existing VPC is what the configuration says of it.

Egress is the one thing here that costs: two NAT gateways at $0.045 an hour and $0.045 per GB, or four interface
endpoints in two zones at $0.01 an hour each and $0.01 per GB. S3, which holds the images' layers, has a
gateway endpoint either way: it is free.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Annotations, Environment, Fn, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from sluice.model import Deployment, Egress, ExistingNetwork, NewNetwork
from stacks.service_log import service_log

# What the aggregator calls from inside the VPC. ECR needs two: one names the layers, the other hands them out.
_ENDPOINTS: Final = {
    "Firehose": ec2.InterfaceVpcEndpointAwsService.KINESIS_FIREHOSE,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
}
_DATA_STREAMS: Final = {"Kinesis": ec2.InterfaceVpcEndpointAwsService.KINESIS_STREAMS}
HTTPS: Final = ec2.Port.tcp(443)


@dataclass(frozen=True)
class Place:
    """Where the aggregator is put: a VPC, its private subnets, and the range whose hosts may send logs."""

    vpc: ec2.IVpc
    private: ec2.SubnetSelection
    cidr: str


class Network(Stack):
    """Two public and two private subnets over two zones, with a way to the AWS APIs."""

    def __init__(
        self, scope: Construct, stack_id: str, *, deployment: Deployment, network: NewNetwork, env: Environment
    ) -> None:
        super().__init__(scope, stack_id, env=env, description="Sluice: network")
        through_nat = network.egress is Egress.NAT
        private = ec2.SubnetType.PRIVATE_WITH_EGRESS if through_nat else ec2.SubnetType.PRIVATE_ISOLATED
        vpc = ec2.Vpc(
            self,
            "Vpc",
            vpc_name=deployment.prefix,
            ip_addresses=ec2.IpAddresses.cidr(str(network.cidr)),
            max_azs=network.zones,
            nat_gateways=network.zones if through_nat else 0,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(name="Private", subnet_type=private),
            ],
            # Restricting it takes a custom resource with a function and a role that may change any group. Nothing
            # of ours is in the default group: everything names a group of its own.
            restrict_default_security_group=False,
        )
        self.place = Place(vpc=vpc, private=ec2.SubnetSelection(subnet_type=private), cidr=str(network.cidr))
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        if not through_nat:
            buffered = any(route.via == "kinesis" for route in deployment.routes)
            _add_endpoints(self.place, _ENDPOINTS | _DATA_STREAMS if buffered else _ENDPOINTS)
        _add_flow_log(self, vpc, deployment=deployment)

    @property
    def availability_zones(self) -> list[str]:
        """The region's first zones as CloudFormation knows them; the CDK would ask the account for them."""
        return [Fn.select(at, Fn.get_azs()) for at in range(NewNetwork().zones)]


def existing_place(scope: Construct, *, network: ExistingNetwork) -> Place:
    """The VPC that the configuration names."""
    vpc = ec2.Vpc.from_vpc_attributes(
        scope,
        "Vpc",
        vpc_id=network.vpc_id,
        vpc_cidr_block=str(network.cidr),
        availability_zones=list(network.availability_zones),
        private_subnet_ids=list(network.private_subnet_ids),
    )
    Annotations.of(vpc).acknowledge_warning(
        "@aws-cdk/aws-ec2:noSubnetRouteTableId", "Nothing here adds a route to somebody else's subnets"
    )
    return Place(
        vpc=vpc,
        private=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
        cidr=str(network.cidr),
    )


def _add_endpoints(place: Place, services: Mapping[str, ec2.InterfaceVpcEndpointAwsService]) -> None:
    stack = Stack.of(place.vpc)
    group = ec2.SecurityGroup(
        stack,
        "EndpointsSecurityGroup",
        vpc=place.vpc,
        description="HTTPS from the VPC to the AWS APIs",
        allow_all_outbound=False,
    )
    group.add_ingress_rule(ec2.Peer.ipv4(place.cidr), HTTPS, "HTTPS from the VPC")
    for name, service in services.items():
        place.vpc.add_interface_endpoint(
            name, service=service, subnets=place.private, security_groups=[group], open=False
        )


def _add_flow_log(scope: Construct, vpc: ec2.Vpc, *, deployment: Deployment) -> None:
    """Refused connections only: they answer why a client cannot send, and cost next to nothing."""
    group = service_log(scope, "RefusedConnections", name=f"/vpc/{deployment.prefix}", deployment=deployment)
    vpc.add_flow_log(
        "FlowLog",
        destination=ec2.FlowLogDestination.to_cloud_watch_logs(group),
        traffic_type=ec2.FlowLogTrafficType.REJECT,
    )
