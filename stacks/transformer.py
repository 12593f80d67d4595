"""A route's transformer: the function that Firehose calls with a batch of records.

Every route has a function of its own from the same code, so that one route's flood, steps or failures are its
own, in its own log. Cost: nothing, for a function that is not called is free.
"""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice import function, limits, names
from sluice.model import Architecture, Deployment
from sluice.routes import Route, needs_key
from stacks.findings import accept, spelled
from stacks.kinesis_source import kinesis_source, putting
from stacks.redaction_key import RedactionKey
from stacks.service_log import service_log

HANDLER: Final = "lambdas.transform.handler.handler"
NAMESPACE: Final = "Sluice"
# A batch of 3 MB takes a second or two; at the smallest memory, which has a fourteenth of a processor, ten times
# that. Firehose would wait limits.TRANSFORM_TIMEOUT_SECONDS, and then as long again for each retry: a function
# that hangs would hold its route up for twenty minutes instead of four.
TIMEOUT_SECONDS: Final = 60


class Transformer(Construct):
    """The function, with a log that only it writes to and two prefixes of the bucket for what it keeps itself."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        route: Route,
        bucket: s3.IBucket,
        code: lambda_.Code,
        key: RedactionKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        name = names.function(deployment, route)
        key = key if needs_key(route) else None
        settings = deployment.transformer
        log = service_log(self, "Log", name=f"/aws/lambda/{name}", deployment=deployment)
        self._function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=f"Transforms the records of route {route.name}",
            code=code,
            handler=HANDLER,
            runtime=lambda_.Runtime(f"python{settings.python}", lambda_.RuntimeFamily.PYTHON),
            architecture=_architecture(settings.architecture),
            memory_size=settings.memory_mb,
            timeout=Duration.seconds(min(TIMEOUT_SECONDS, limits.TRANSFORM_TIMEOUT_SECONDS)),
            environment={
                **function.environment(route, bucket=bucket.bucket_name, key_arn=key.arn if key else None),
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
            },
            log_group=log,
            role=self._role(deployment, route, bucket=bucket, log=log, key=key),
        )
        accept(
            self._function,
            "L1",
            because="Which Python it is, the configuration says; the dependencies are locked and the tests run for it",
        )
        self.arn = self._function.function_arn

    def _role(
        self,
        deployment: Deployment,
        route: Route,
        *,
        bucket: s3.IBucket,
        log: logs.LogGroup,
        key: RedactionKey | None,
    ) -> iam.Role:
        prefixes = (names.oversize_prefix(route), names.reasons_prefix(route))
        write = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log.log_group_arn]
        )
        # To put and nothing else: it never reads what it has put, nor what others have.
        keep = iam.PolicyStatement(
            actions=["s3:PutObject"], resources=[bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]
        )
        source = kinesis_source(self, deployment=deployment, route=route)
        resend = putting(self, deployment=deployment, route=route) if route.resends else None
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "log": iam.PolicyDocument(statements=[write]),
                "keep": iam.PolicyDocument(statements=[keep]),
                **({"hash": iam.PolicyDocument(statements=[key.reading()])} if key else {}),
                **({"resend": iam.PolicyDocument(statements=resend)} if resend else {}),
            },
        )
        if resend:
            source.accept(role)
        for prefix, named in zip(prefixes, ("a document", "an invocation"), strict=True):
            accept(
                role,
                f"IAM5[Resource::{spelled(self, bucket.bucket_arn)}/{prefix}*]",
                because=f"An object below {prefix} is named after {named}, of which there is no list",
            )
        return role

    def invocation(self) -> iam.PolicyStatement:
        """What a role needs to call this function and no other; Firehose asks for it with and without a version."""
        return iam.PolicyStatement(
            actions=["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"],
            resources=[self.arn, f"{self.arn}:$LATEST"],
        )


def _architecture(architecture: Architecture) -> lambda_.Architecture:
    return lambda_.Architecture.ARM_64 if architecture is Architecture.ARM64 else lambda_.Architecture.X86_64
