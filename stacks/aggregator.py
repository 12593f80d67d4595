"""The aggregator: Fluent Bit on Fargate, between its load balancer and the streams; and the gate, where there is one.

All of it is replaceable, but not at any moment: a task that stops holds logs that it has acknowledged, so it is
given the longest time that Fargate has to pass them on, and a deployment starts new tasks before it stops old
ones.

Listeners that acknowledge what was accepted are the gate's (`stacks/gate.py`), a service of its own in the same
cluster and behind the same balancer.
"""

from aws_cdk import Environment, Stack
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from sluice.model import Deployment, ExistingNetwork
from stacks import fargate
from stacks.aggregator_task import CONTAINER, AggregatorTask
from stacks.gate import Gate
from stacks.load_balancer import LoadBalancer
from stacks.network import Place, existing_place


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
        group = fargate.security_group(self, place=place, description="Tasks of the aggregator")
        task = AggregatorTask(self, "Task", deployment=deployment)
        cluster = ecs.Cluster(self, "Cluster", vpc=place.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED)
        service = fargate.service(
            self,
            cluster=cluster,
            definition=task.definition,
            place=place,
            group=group,
            sizes=deployment.aggregator,
        )
        balancer = LoadBalancer(self, "LoadBalancer", deployment=deployment, place=place)
        for listener in deployment.listening("stored"):
            target = service.load_balancer_target(container_name=CONTAINER, container_port=listener.port)
            balancer.listen(listener, target=target, group=group)
        if deployment.listening("accepted"):
            gate = Gate(self, "Gate", deployment=deployment, place=place, cluster=cluster)
            gate.listen(balancer)
