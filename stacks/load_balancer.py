"""The aggregator's address: an internal network load balancer under a stable private name.

It spreads connections, not records, and clients keep theirs for long; so a target that leaves has its
connections ended, or they would feed a task that is about to stop. Clients that ask for acknowledgements send
again what was under way.
"""

from typing import Final

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from sluice import names
from sluice.model import Deployment, Listener, Removal
from stacks.findings import accept
from stacks.network import Place

DEREGISTRATION: Final = Duration.seconds(60)
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html: 350 s unless told
# otherwise, 6,000 s at most. After it the balancer forgets a connection without a word, and what a quiet client
# that asks for no acknowledgement writes next is lost.
IDLE: Final = Duration.seconds(6000)


class LoadBalancer(Construct):
    """The balancer, its name in a private zone, and the outputs that clients are configured with."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: Deployment, place: Place) -> None:
        super().__init__(scope, construct_id)
        self._place = place
        self._group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=place.vpc,
            description="Clients to the aggregator",
            allow_all_outbound=False,
        )
        self._balancer = elb.NetworkLoadBalancer(
            self,
            "Balancer",
            load_balancer_name=names.load_balancer(deployment),
            vpc=place.vpc,
            vpc_subnets=place.private,
            internet_facing=False,
            cross_zone_enabled=True,
            security_groups=[self._group],
            deletion_protection=deployment.removal is Removal.RETAIN,
        )
        accept(
            self._balancer,
            "ELB2",
            because="A network load balancer logs TLS connections only, and these listeners are plain TCP",
        )
        self._name(deployment)
        self._tell(deployment)

    def listen(self, listener: Listener, *, target: ecs.IEcsLoadBalancerTarget, group: ec2.SecurityGroup) -> None:
        """Pass a port on to the service, whose security group lets nobody but this balancer in."""
        port = ec2.Port.tcp(listener.port)
        self._group.add_ingress_rule(ec2.Peer.ipv4(self._place.cidr), port, f"{listener.name}: clients")
        self._group.add_egress_rule(group, port, f"{listener.name}: the tasks")
        group.add_ingress_rule(self._group, port, f"{listener.name}: the load balancer")
        at = self._balancer.add_listener(
            f"Listener-{listener.name}", port=listener.port, protocol=elb.Protocol.TCP, tcp_idle_timeout=IDLE
        )
        at.add_targets(
            f"Targets-{listener.name}",
            port=listener.port,
            protocol=elb.Protocol.TCP,
            targets=[target],
            deregistration_delay=DEREGISTRATION,
            # Fluent Bit does not record its peer's address. With it preserved, a client on a task's own host
            # could not reach that task, and two clients behind one address could collide.
            preserve_client_ip=False,
            # A TCP check is right here: an aggregator that pauses, because Firehose does, still accepts
            # connections, and is no better replaced. Whether it works is the container's own health check.
            health_check=elb.HealthCheck(
                protocol=elb.Protocol.TCP,
                interval=Duration.seconds(10),
                healthy_threshold_count=2,
                unhealthy_threshold_count=2,
            ),
        ).set_attribute("deregistration_delay.connection_termination.enabled", "true")

    def _name(self, deployment: Deployment) -> None:
        zone = route53.PrivateHostedZone(self, "Zone", zone_name=names.private_zone(deployment), vpc=self._place.vpc)
        route53.ARecord(
            self,
            "Name",
            zone=zone,
            record_name=names.private_name(deployment),
            target=route53.RecordTarget.from_alias(targets.LoadBalancerTarget(self._balancer)),
        )

    def _tell(self, deployment: Deployment) -> None:
        told = {
            "LoadBalancerDnsName": (self._balancer.load_balancer_dns_name, "The load balancer's own DNS name"),
            "PrivateName": (names.private_name(deployment), "Where clients in the VPC send their logs"),
        }
        for name, (value, description) in told.items():
            CfnOutput(self, name, value=value, description=description).override_logical_id(name)
