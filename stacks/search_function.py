"""A function beside the routes' own: where it runs, what it may do, and a log that only it writes to.

Where the search is in the VPC, so is the function. Lambda makes its network interfaces with the function's own role;
that right is denied to what runs inside of it.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from sluice.model import Architecture, Deployment
from stacks.findings import accept
from stacks.network import Place
from stacks.service_log import service_log

MEMORY_MB: Final = 512

_INTERFACES: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True)
class Inside:
    """Where in the VPC the functions are, and the security group they have there."""

    place: Place
    group: ec2.ISecurityGroup


class SearchFunction(lambda_.Function):
    """A function of lambdas.search, or the canary's, with a log of its own and a role that can do what is given."""

    def __init__(
        self,
        scope: Construct,
        *,
        name: str,
        says: str,
        handler: str,
        timeout: Duration,
        deployment: Deployment,
        code: lambda_.Code,
        inside: Inside | None,
        statements: Sequence[iam.PolicyStatement],
        environment: Mapping[str, str] | None = None,
        memory_mb: int = MEMORY_MB,
        concurrency: int | None = None,
    ) -> None:
        settings = deployment.transformer
        log = service_log(scope, "Log", name=f"/aws/lambda/{name}", deployment=deployment)
        write = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log.log_group_arn]
        )
        self.own_role = _role(scope, name=name, statements=[write, *statements], is_inside=inside is not None)
        arm = settings.architecture is Architecture.ARM64
        super().__init__(
            scope,
            "Function",
            function_name=name,
            description=says,
            code=code,
            handler=handler,
            runtime=lambda_.Runtime(f"python{settings.python}", lambda_.RuntimeFamily.PYTHON),
            architecture=lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64,
            memory_size=memory_mb,
            timeout=timeout,
            environment={**(environment or {}), "POWERTOOLS_SERVICE_NAME": name},
            log_group=log,
            role=self.own_role,
            reserved_concurrent_executions=concurrency,
            vpc=inside.place.vpc if inside else None,
            vpc_subnets=inside.place.private if inside else None,
            security_groups=[inside.group] if inside else None,
        )
        accept(
            self,
            "L1",
            because="Which Python it is, the configuration says; the dependencies are locked and the tests run for it",
        )


def _role(scope: Construct, *, name: str, statements: Sequence[iam.PolicyStatement], is_inside: bool) -> iam.Role:
    role = iam.Role(
        scope,
        "Role",
        role_name=name,
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={
            "work": iam.PolicyDocument(statements=list(statements)),
            **({"interfaces": iam.PolicyDocument(statements=_interfaces(scope, name))} if is_inside else {}),
        },
    )
    if is_inside:
        accept(
            role,
            "IAM5[Resource::*]",
            because="Lambda makes a network interface before it has a name; the function itself is denied these calls",
        )
    return role


def _interfaces(scope: Construct, name: str) -> list[iam.PolicyStatement]:
    function = Stack.of(scope).format_arn(
        service="lambda", resource="function", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
    return [
        iam.PolicyStatement(actions=list(_INTERFACES), resources=["*"]),
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=list(_INTERFACES),
            resources=["*"],
            conditions={"ArnEquals": {"lambda:SourceFunctionArn": function}},
        ),
    ]
