"""The aggregator's task: one container with Fluent Bit, which writes to its buffer and to nothing else."""

from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from sluice import fluent_bit, limits
from sluice.model import Deployment
from stacks.fargate import OPEN_FILES, accept_findings, health, own_log, platform, putting_role
from stacks.image import aggregator_image

CONTAINER: Final = "fluent-bit"
# The least that ECS takes: one that dies again within it is not started again, and the task is replaced.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-restart-policy.html
RESTART_PERIOD: Final = Duration.seconds(60)


class AggregatorTask(Construct):
    """The task definition, its two roles and its log."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: Deployment) -> None:
        super().__init__(scope, construct_id)
        settings = deployment.aggregator
        default_disk, _ = limits.EPHEMERAL_STORAGE_GIB
        self.definition = ecs.FargateTaskDefinition(
            self,
            "Definition",
            family=f"{deployment.prefix}-aggregator",
            cpu=settings.cpu,
            memory_limit_mib=settings.memory_mib,
            # Naming the default is an error to Fargate.
            ephemeral_storage_gib=None
            if settings.ephemeral_storage_gib == default_disk
            else settings.ephemeral_storage_gib,
            runtime_platform=platform(settings.architecture),
            task_role=putting_role(self, deployment=deployment),
            volumes=[ecs.Volume(name="buffer")],
        )
        accept_findings(self.definition)
        self._add_container(deployment)

    def _add_container(self, deployment: Deployment) -> None:
        capabilities = ecs.LinuxParameters(self, "Linux")
        capabilities.drop_capabilities(ecs.Capability.ALL)
        container = self.definition.add_container(
            CONTAINER,
            container_name=CONTAINER,
            image=aggregator_image(self, deployment.aggregator),
            essential=True,
            environment={"AWS_REGION": Stack.of(self).region, **fluent_bit.environment(deployment)},
            health_check=health("/sluice/healthcheck.sh", str(deployment.listening("stored")[0].port)),
            stop_timeout=Duration.seconds(limits.STOP_TIMEOUT_SECONDS),
            # A Fluent Bit that dies is started again in the same task, on the buffer that it left: a new task would
            # have a new disk, and what was acknowledged on the old one would be gone.
            enable_restart_policy=True,
            restart_attempt_period=RESTART_PERIOD,
            readonly_root_filesystem=True,
            linux_parameters=capabilities,
            logging=own_log(
                self, container=CONTAINER, name=f"/ecs/{deployment.prefix}-aggregator", deployment=deployment
            ),
            port_mappings=[
                ecs.PortMapping(container_port=listener.port, name=listener.name)
                for listener in deployment.listening("stored")
            ],
        )
        container.add_ulimits(ecs.Ulimit(name=ecs.UlimitName.NOFILE, soft_limit=OPEN_FILES, hard_limit=OPEN_FILES))
        # The image owns this path as the user it runs as, and Fargate gives the volume the path's owner.
        container.add_mount_points(
            ecs.MountPoint(source_volume="buffer", container_path=fluent_bit.Places().buffer, read_only=False)
        )
