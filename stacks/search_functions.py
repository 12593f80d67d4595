"""The two functions beside the search: one that prepares it, and one that makes failed records visible in it.

Setup is CloudFormation's custom resource: when the stack is there, so are templates, policies, roles and dashboards.
Quarantine is called for every object of failures that Firehose writes. What it cannot do after Lambda's own retries
lies in a queue for two weeks, with an alarm; the objects themselves stay where they are either way.

Cost: next to nothing; setup runs at a deployment, quarantine when something failed. The alarm is $0.10 a month.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from sluice import names
from sluice.model import Deployment
from stacks.findings import accept, spelled
from stacks.search_function import Inside, SearchFunction
from stacks.search_target import METHODS, Method, SearchTarget
from stacks.storage import FAILED

SETUP_HANDLER: Final = "lambdas.search.setup.handler"
QUARANTINE_HANDLER: Final = "lambdas.search.quarantine.handler"
# A new domain answers 403 until its access control knows the function's role: setup tries again until then.
SETUP_TIMEOUT: Final = Duration.minutes(15)
CLOUDFORMATION_TIMEOUT: Final = Duration.minutes(16)
# An update hands over the old plan and the new one, in an event of 256 KiB at most.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
PLAN_BYTES: Final = 120_000
QUARANTINE_TIMEOUT: Final = Duration.minutes(5)
QUARANTINE_METHODS: Final[tuple[Method, ...]] = ("Post",)
# A day of failures is thousands of objects at once, and the search may be what fails: it is asked by two at a time.
QUARANTINE_CONCURRENCY: Final = 2
QUARANTINE_RETRIES: Final = 2
QUARANTINE_AGE: Final = Duration.hours(6)
KEPT: Final = Duration.days(14)

_ENDPOINT_VARIABLE: Final = "SLUICE_SEARCH_ENDPOINT"
_SERVICE_VARIABLE: Final = "SLUICE_SEARCH_SERVICE"
_INDEX_VARIABLE: Final = "SLUICE_FAILED_INDEX"


class Setup(Construct):
    """The function that prepares the search, and the resource that calls it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        target: SearchTarget,
        code: lambda_.Code,
        inside: Inside | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._target = target
        self._function = SearchFunction(
            self,
            name=names.search_setup(deployment),
            says="Prepares the search: templates, policies, roles and dashboards",
            handler=SETUP_HANDLER,
            timeout=SETUP_TIMEOUT,
            deployment=deployment,
            code=code,
            inside=inside,
            statements=[target.calls(*METHODS)],
        )
        self.role: iam.IRole = self._function.own_role
        if target.service == "es":
            accept(
                self._function.own_role,
                f"IAM5[Resource::{spelled(self, target.arn)}/*]",
                because="Templates, policies, roles and dashboards lie below a dozen paths of the one domain",
            )

    def prepare(self, *, endpoint: str, plan: Mapping[str, Any], is_local: bool) -> CustomResource:
        """Have everything in the plan made, after the search is there and before anything is delivered.

        Raises:
            ValueError: the plan is larger than what Lambda is called with may be.
        """
        if len(json.dumps(plan)) > PLAN_BYTES:
            raise ValueError(
                f"what the routes to opensearch need is larger than {PLAN_BYTES} bytes, packed: take fewer of them, or "
                "fewer `numbers`"
            )
        return CustomResource(
            self,
            "Prepared",
            resource_type="Custom::SluiceSearch",
            service_token=self._function.function_arn,
            service_timeout=CLOUDFORMATION_TIMEOUT,
            properties={
                "Endpoint": endpoint,
                "Service": self._target.service,
                "Plan": Stack.of(self).to_json_string(plan),
                "Lenient": "true" if is_local else "false",
            },
        )


class Quarantine(Construct):
    """The function that makes failed records visible, called for every object that holds some."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        target: SearchTarget,
        endpoint: str,
        bucket: s3.IBucket,
        code: lambda_.Code,
        inside: Inside | None,
    ) -> None:
        super().__init__(scope, construct_id)
        name = names.quarantine(deployment)
        index = names.failed_index(deployment)
        function = SearchFunction(
            self,
            name=name,
            says="Makes failed records visible in the search",
            handler=QUARANTINE_HANDLER,
            timeout=QUARANTINE_TIMEOUT,
            deployment=deployment,
            code=code,
            inside=inside,
            statements=[
                iam.PolicyStatement(actions=["s3:GetObject"], resources=[bucket.arn_for_objects(f"{FAILED}*")]),
                target.calls(*QUARANTINE_METHODS, paths=(f"{index}/_bulk",)),
            ],
            environment={
                _ENDPOINT_VARIABLE: endpoint,
                _SERVICE_VARIABLE: target.service,
                _INDEX_VARIABLE: index,
            },
            concurrency=QUARANTINE_CONCURRENCY,
        )
        accept(
            function.own_role,
            f"IAM5[Resource::{spelled(self, bucket.bucket_arn)}/{FAILED}*]",
            because="Firehose chooses the names of the objects that hold failed records",
        )
        self._call(function, name=name, bucket=bucket.bucket_name)

    def _call(self, function: SearchFunction, *, name: str, bucket: str) -> None:
        """Have it called for every new object of failures, and keep the events that come to nothing."""
        queue = _dead_letters(self, name=name)
        function.configure_async_invoke(
            max_event_age=QUARANTINE_AGE,
            retry_attempts=QUARANTINE_RETRIES,
            on_failure=destinations.SqsDestination(queue),
        )
        target = targets.LambdaFunction(
            function, dead_letter_queue=queue, max_event_age=QUARANTINE_AGE, retry_attempts=QUARANTINE_RETRIES
        )
        events.Rule(
            self,
            "Rule",
            rule_name=name,
            description="Objects of failed records, to be made visible in the search",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": FAILED}]}},
            ),
            targets=[target],
        )


def _dead_letters(scope: Construct, *, name: str) -> sqs.Queue:
    queue = sqs.Queue(
        scope,
        "DeadLetters",
        queue_name=f"{name}-failed",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=KEPT,
    )
    accept(queue, "SQS3", because="It is the queue for what failed; what is in it waits for a person")
    cloudwatch.Alarm(
        scope,
        "Unseen",
        alarm_name=f"{name}-failed",
        alarm_description="Failed records are not visible in the search: the messages in the queue name their objects. "
        f"See the log of {name}, mend what is wrong, then send it the events again.",
        metric=queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=Duration.minutes(5)),
        threshold=1,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    return queue
