"""A container of the load test: its task definition, its role, its log, and the image that it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aws_cdk import Duration, Size, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from sluice import names
from sluice.model import Architecture, Deployment
from stacks.findings import accept
from stacks.package import CACHE, ROOT, gathered
from stacks.service_log import service_log

CONTEXTS: Final = CACHE.parent / "image"
STOP: Final = Duration.seconds(120)
_PACKAGES: Final = ("loadtest", "sluice")
_SHIPPED: Final = frozenset({".py", ".yaml", ".html"})
_OPEN_FILES: Final = 65535


class LoadTask(Construct):
    """A task definition with one container of the image, its role, and its log."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        runs: ecs.ContainerImage,
        variables: Mapping[str, str],
        role_name: str | None,
    ) -> None:
        """`role_name` is for a role that others let in by its name."""
        super().__init__(scope, construct_id)
        settings, name = deployment.load_test, f"{names.load_test(deployment)}-{construct_id.lower()}"
        arm = deployment.aggregator.architecture is Architecture.ARM64
        self.role = iam.Role(
            self, "Role", role_name=role_name, assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com")
        )
        self.definition = ecs.FargateTaskDefinition(
            self,
            "Definition",
            family=name,
            cpu=settings.cpu,
            memory_limit_mib=settings.memory_mib,
            runtime_platform=ecs.RuntimePlatform(
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
                cpu_architecture=ecs.CpuArchitecture.ARM64 if arm else ecs.CpuArchitecture.X86_64,
            ),
            task_role=self.role,
            volumes=[ecs.Volume(name="work")],
        )
        accept(self.definition, "ECS2", because="The variables are names and sizes. None is a secret")
        accept(
            self.definition.obtain_execution_role(),
            "IAM5[Resource::*]",
            because="ecr:GetAuthorizationToken knows no resource; pulling and logging are granted for one each",
        )
        log = service_log(self, "Log", name=f"/ecs/{name}", deployment=deployment)
        self.container = self._add_container(runs, variables=variables, log=log)

    def _add_container(
        self, runs: ecs.ContainerImage, *, variables: Mapping[str, str], log: logs.ILogGroup
    ) -> ecs.ContainerDefinition:
        linux = ecs.LinuxParameters(self, "Linux")
        linux.drop_capabilities(ecs.Capability.ALL)
        container = self.definition.add_container(
            "loadtest",
            container_name="loadtest",
            image=runs,
            environment={"AWS_REGION": Stack.of(self).region, **variables},
            readonly_root_filesystem=True,
            linux_parameters=linux,
            stop_timeout=STOP,
            logging=ecs.LogDrivers.aws_logs(
                log_group=log,
                stream_prefix="loadtest",
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,
                max_buffer_size=Size.mebibytes(4),
            ),
        )
        container.add_ulimits(ecs.Ulimit(name=ecs.UlimitName.NOFILE, soft_limit=_OPEN_FILES, hard_limit=_OPEN_FILES))
        container.add_mount_points(ecs.MountPoint(source_volume="work", container_path="/work", read_only=False))
        return container


def context() -> Path:
    """The folder that the image is built from: its Dockerfile, what it installs, and the two packages."""
    source = ROOT / "loadtest" / "image"
    files = {name: source / name for name in ("Dockerfile", "requirements.txt")}
    for package in _PACKAGES:
        found = sorted(file for file in (ROOT / package).rglob("*") if file.suffix in _SHIPPED)
        files |= {file.relative_to(ROOT).as_posix(): file for file in found}
    return gathered(files, cache=CONTEXTS)
