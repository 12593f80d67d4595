"""The aggregator: Fluent Bit on Fargate, between its load balancer and the streams.

All of it is replaceable, but not at any moment: a task that stops holds logs that it has acknowledged, so it is
given the longest time that Fargate has to pass them on, and a deployment starts new tasks before it stops old
ones.

The number of tasks belongs to the scaling alone: the service names none, so that a deployment leaves it where
the load has brought it. A new service starts with one task and is raised to the least at once.
"""

from typing import Final

from aws_cdk import Duration, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from sluice.model import Aggregator as Settings
from sluice.model import Deployment, ExistingNetwork
from stacks.aggregator_task import CONTAINER, AggregatorTask
from stacks.load_balancer import LoadBalancer
from stacks.network import HTTPS, Place, existing_place

# Starting a task takes about a minute; half of that again for its first health check.
GRACE: Final = Duration.seconds(90)
# More load is answered at once. A task is taken away slowly: its clients must connect again, and its buffer empty.
SCALE_OUT_COOLDOWN: Final = Duration.seconds(60)
SCALE_IN_COOLDOWN: Final = Duration.minutes(10)


class Aggregator(Stack):
    """The cluster, the service and its scaling, the load balancer and its name."""

    def __init__(
        self, scope: Construct, stack_id: str, *, deployment: Deployment, place: Place | None, env: Environment
    ) -> None:
        """Builds into `place`; into the network that the configuration names when that is None."""
        super().__init__(scope, stack_id, env=env, description="Sluice: the aggregator")
        if place is None:
            assert isinstance(deployment.network, ExistingNetwork)  # noqa: S101 - a new network has a place
            place = existing_place(self, network=deployment.network)
        self.place = place
        group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=place.vpc,
            description="Tasks of the aggregator",
            allow_all_outbound=False,
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "The AWS APIs")
        task = AggregatorTask(self, "Task", deployment=deployment)
        service = self._service(task, group=group)
        _scale(service, deployment.aggregator)
        balancer = LoadBalancer(self, "LoadBalancer", deployment=deployment, place=place)
        for listener in deployment.listeners:
            target = service.load_balancer_target(container_name=CONTAINER, container_port=listener.port)
            balancer.listen(listener, target=target, group=group)

    def _service(self, task: AggregatorTask, *, group: ec2.SecurityGroup) -> ecs.FargateService:
        return ecs.FargateService(
            self,
            "Service",
            cluster=ecs.Cluster(
                self, "Cluster", vpc=self.place.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
            ),
            task_definition=task.definition,
            vpc_subnets=self.place.private,
            security_groups=[group],
            assign_public_ip=False,
            platform_version=ecs.FargatePlatformVersion.VERSION1_4,
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.ENABLED,
            health_check_grace_period=GRACE,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )


def _scale(service: ecs.FargateService, settings: Settings) -> None:
    count = service.auto_scale_task_count(min_capacity=settings.min_tasks, max_capacity=settings.max_tasks)
    count.scale_on_cpu_utilization(
        "Cpu",
        target_utilization_percent=settings.cpu_target_percent,
        scale_out_cooldown=SCALE_OUT_COOLDOWN,
        scale_in_cooldown=SCALE_IN_COOLDOWN,
    )
