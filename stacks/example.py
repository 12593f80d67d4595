"""An example to see logs arrive: a web server without an address, its own only visitor.

Its container sends through a FireLens sidecar exactly as `sluice client firelens` prints it. Deployed with
`-c example=true`; it costs a quarter of a vCPU. The health check is what makes the requests.
"""

from typing import Final

from aws_cdk import Duration, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from sluice import client
from sluice.model import Architecture, Deployment, Egress, NewNetwork
from stacks.network import Place
from stacks.service_log import service_log

IMAGE: Final = "public.ecr.aws/docker/library/nginx:1.28.0-alpine"
TAG: Final = "frontend-example"


class Example(Stack):
    """A Fargate service of one nginx and its sidecar."""

    def __init__(
        self, scope: Construct, stack_id: str, *, deployment: Deployment, place: Place, env: Environment
    ) -> None:
        super().__init__(scope, stack_id, env=env, description="Sluice: an example whose logs arrive")
        group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=place.vpc, description="The example: nobody comes in", allow_all_outbound=True
        )
        # The images are public, and VPC endpoints lead to private ones only.
        isolated = isinstance(deployment.network, NewNetwork) and deployment.network.egress is Egress.ENDPOINTS
        ecs.FargateService(
            self,
            "Service",
            cluster=ecs.Cluster(
                self,
                "Cluster",
                vpc=place.vpc,
                container_insights_v2=ecs.ContainerInsights.ENABLED,
            ),
            task_definition=self._task(deployment),
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC) if isolated else place.private,
            assign_public_ip=isolated,
            security_groups=[group],
            desired_count=1,
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
        )

    def _task(self, deployment: Deployment) -> ecs.FargateTaskDefinition:
        arm = deployment.aggregator.architecture is Architecture.ARM64
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=f"{deployment.prefix}-example",
            cpu=256,
            memory_limit_mib=512,
            runtime_platform=ecs.RuntimePlatform(
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
                cpu_architecture=ecs.CpuArchitecture.ARM64 if arm else ecs.CpuArchitecture.X86_64,
            ),
        )
        log = service_log(self, "Log", name=f"/ecs/{deployment.prefix}-example", deployment=deployment)
        fragment = client.firelens(
            deployment, tag=TAG, region=self.region, log_group=f"/ecs/{deployment.prefix}-example"
        )
        application, router = fragment["containerDefinitions"]
        sidecar = task.add_firelens_log_router(
            router["name"],
            image=ecs.ContainerImage.from_registry(router["image"]),
            essential=router["essential"],
            memory_reservation_mib=router["memoryReservation"],
            stop_timeout=Duration.seconds(router["stopTimeout"]),
            firelens_config=ecs.FirelensConfig(
                type=ecs.FirelensLogRouterType.FLUENTBIT, options=ecs.FirelensOptions(enable_ecs_log_metadata=True)
            ),
            logging=ecs.LogDrivers.aws_logs(log_group=log, stream_prefix=router["name"]),
        )
        task.add_container(
            application["name"],
            image=ecs.ContainerImage.from_registry(IMAGE),
            logging=ecs.FireLensLogDriver(options=application["logConfiguration"]["options"]),
            health_check=ecs.HealthCheck(
                command=["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1/"], interval=Duration.seconds(5)
            ),
        ).add_container_dependencies(
            ecs.ContainerDependency(container=sidecar, condition=ecs.ContainerDependencyCondition.START)
        )
        return task
