"""The gate: a service that acknowledges what Firehose or Kinesis has taken, and so holds nothing that can be lost.

It stands in the aggregator's cluster and behind its balancer, on ports of its own, with a role, a security group and a
scaling of its own. Its tasks have no volume at all: losing one loses nothing, so it may run in any number, and a
restarted container is as good as a new task. Decision 0018.

Cost: that of its tasks; two of one vCPU and 2 GB (ARM) are $58 a month.
"""

from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from sluice import gate, limits
from sluice.model import Deployment
from stacks import fargate
from stacks.image import GATE_SOURCE, image
from stacks.load_balancer import LoadBalancer
from stacks.network import Place

CONTAINER: Final = "gate"


class Gate(Construct):
    """The task definition, the service and its scaling."""

    def __init__(
        self, scope: Construct, construct_id: str, *, deployment: Deployment, place: Place, cluster: ecs.ICluster
    ) -> None:
        super().__init__(scope, construct_id)
        self._listeners = deployment.listening("accepted")
        self._group = fargate.security_group(self, place=place, description="Tasks of the gate")
        definition = ecs.FargateTaskDefinition(
            self,
            "Definition",
            family=f"{deployment.prefix}-gate",
            cpu=deployment.gate.cpu,
            memory_limit_mib=deployment.gate.memory_mib,
            runtime_platform=fargate.platform(deployment.aggregator.architecture),
            task_role=fargate.putting_role(self, deployment=deployment),
        )
        self._add_container(definition, deployment=deployment)
        fargate.accept_findings(definition)
        self._service = fargate.service(
            self, cluster=cluster, definition=definition, place=place, group=self._group, sizes=deployment.gate
        )

    def listen(self, balancer: LoadBalancer) -> None:
        """Have the balancer pass the gate's ports on to it."""
        for listener in self._listeners:
            target = self._service.load_balancer_target(container_name=CONTAINER, container_port=listener.port)
            balancer.listen(listener, target=target, group=self._group)

    def _add_container(self, definition: ecs.FargateTaskDefinition, *, deployment: Deployment) -> None:
        capabilities = ecs.LinuxParameters(self, "Linux")
        capabilities.drop_capabilities(ecs.Capability.ALL)
        port = str(self._listeners[0].port)
        container = definition.add_container(
            CONTAINER,
            container_name=CONTAINER,
            image=image(
                self,
                uri=deployment.gate.image_uri,
                source=GATE_SOURCE,
                architecture=deployment.aggregator.architecture,
            ),
            essential=True,
            environment={"AWS_REGION": Stack.of(self).region, **gate.environment(deployment)},
            health_check=fargate.health("python", "-m", "gate.health", port, str(gate.STATUS_PORT)),
            # What is on its way is answered; what is not is its client's, and goes to another task.
            stop_timeout=Duration.seconds(limits.STOP_TIMEOUT_SECONDS),
            readonly_root_filesystem=True,
            linux_parameters=capabilities,
            logging=fargate.own_log(
                self, container=CONTAINER, name=f"/ecs/{deployment.prefix}-gate", deployment=deployment
            ),
            port_mappings=[
                ecs.PortMapping(container_port=listener.port, name=listener.name) for listener in self._listeners
            ],
        )
        container.add_ulimits(
            ecs.Ulimit(name=ecs.UlimitName.NOFILE, soft_limit=fargate.OPEN_FILES, hard_limit=fargate.OPEN_FILES)
        )
