"""What the services behind the load balancer have in common: the aggregator and the gate.

Both put to the streams and to nothing else, run in private subnets where only the balancer reaches them, and start new
tasks before old ones are stopped. The number of tasks belongs to the scaling alone: a service names none, so that a
deployment leaves it where the load has brought it. A new one starts with one task and is raised to the least at once.
"""

from typing import Final

from aws_cdk import Duration, Size
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from sluice.model import Aggregator, Architecture, Deployment, Gate
from stacks.findings import accept
from stacks.kinesis_source import kinesis_source, putting
from stacks.network import HTTPS, Place
from stacks.service_log import service_log

# Starting a task takes about a minute; half of that again for its first health check.
GRACE: Final = Duration.seconds(90)
# More load is answered at once. A task is taken away slowly: its clients must connect again, and its buffer empty.
SCALE_OUT_COOLDOWN: Final = Duration.seconds(60)
SCALE_IN_COOLDOWN: Final = Duration.minutes(10)
# Every client connection and every chunk of the buffer is an open file.
OPEN_FILES: Final = 65535


def platform(architecture: Architecture) -> ecs.RuntimePlatform:
    """Linux on this processor."""
    arm = architecture is Architecture.ARM64
    return ecs.RuntimePlatform(
        operating_system_family=ecs.OperatingSystemFamily.LINUX,
        cpu_architecture=ecs.CpuArchitecture.ARM64 if arm else ecs.CpuArchitecture.X86_64,
    )


def putting_role(scope: Construct, *, deployment: Deployment) -> iam.Role:
    """A task's role that may put to the routes' streams: nothing else, and to no other stream."""
    statements = [
        statement for route in deployment.routes for statement in putting(scope, deployment=deployment, route=route)
    ]
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
        inline_policies={"put": iam.PolicyDocument(statements=statements, minimize=True)},
    )
    for route in deployment.routes:
        kinesis_source(scope, deployment=deployment, route=route).accept(role)
    return role


def accept_findings(definition: ecs.FargateTaskDefinition) -> None:
    """Accept what is found in every task definition of ours."""
    accept(
        definition,
        "ECS2",
        because="The variables are the region, the streams and sizes. None is a secret",
    )
    accept(
        definition.obtain_execution_role(),
        "IAM5[Resource::*]",
        because="ecr:GetAuthorizationToken knows no resource; pulling and logging are granted for one each",
    )


def health(*command: str) -> ecs.HealthCheck:
    """A container's check: one that fails three times in a row is replaced."""
    return ecs.HealthCheck(
        command=["CMD", *command],
        interval=Duration.seconds(30),
        timeout=Duration.seconds(10),
        retries=3,
        start_period=Duration.seconds(30),
    )


def own_log(scope: Construct, *, container: str, name: str, deployment: Deployment) -> ecs.LogDriver:
    """Where a container's own lines go. If CloudWatch does not answer, they are lost: what it carries must not wait."""
    return ecs.LogDrivers.aws_logs(
        log_group=service_log(scope, "Log", name=name, deployment=deployment),
        stream_prefix=container,
        mode=ecs.AwsLogDriverMode.NON_BLOCKING,
        max_buffer_size=Size.mebibytes(4),
    )


def security_group(scope: Construct, *, place: Place, description: str) -> ec2.SecurityGroup:
    """A group whose members reach the AWS APIs, and whom nobody reaches yet."""
    group = ec2.SecurityGroup(scope, "SecurityGroup", vpc=place.vpc, description=description, allow_all_outbound=False)
    group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "The AWS APIs")
    return group


def service(
    scope: Construct,
    *,
    cluster: ecs.ICluster,
    definition: ecs.FargateTaskDefinition,
    place: Place,
    group: ec2.SecurityGroup,
    sizes: Aggregator | Gate,
) -> ecs.FargateService:
    """The service, scaled by its CPU."""
    made = ecs.FargateService(
        scope,
        "Service",
        cluster=cluster,
        task_definition=definition,
        vpc_subnets=place.private,
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
    count = made.auto_scale_task_count(min_capacity=sizes.min_tasks, max_capacity=sizes.max_tasks)
    count.scale_on_cpu_utilization(
        "Cpu",
        target_utilization_percent=sizes.cpu_target_percent,
        scale_out_cooldown=SCALE_OUT_COOLDOWN,
        scale_in_cooldown=SCALE_IN_COOLDOWN,
    )
    return made
