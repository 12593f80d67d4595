"""The load test in AWS: n Fargate tasks that send a profile, one that verifies, and a state machine that runs them.

Asked for with `-c loadtest=true`. An execution takes `{"profile": "smoke", "senders": 2, "processes": 2}`, all of them
optional; `profile` is the name of one that comes along, or a whole profile as an object. It writes the plan, with a
run's number, below loadtest/<run>/; starts the senders, which wait for each other; waits for as long as the slowest
route may take; and verifies, by Athena where every load goes to S3, by reading what was delivered where one goes to
OpenSearch (`"verify": "athena"` or `"reading"` asks for one). Journals and the report lie beside the plan. The
execution fails if the profile's thresholds are breached, and says where the report is either way.

A sender may write below loadtest/ and nothing else; the verifier may read what was delivered and what failed, ask
Athena, and search the routes' indices.

Cost: while it runs, $0.040 an hour for a vCPU of ARM64 and $0.0044 for a GiB, so $0.20 for a task of the default size,
what the load costs on its way, and Athena's $5 for each TB that lies in the run's hours, twice; nothing else, but for
what is stored.
"""

from math import ceil
from typing import Final

from aws_cdk import CfnOutput, Duration, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from sluice import canary, names
from sluice.loadtest import MOST_SENDERS, SEARCH_VARIABLES, VARIABLE, asks_athena, told
from sluice.model import Deployment
from sluice.routes import Route
from stacks.findings import accept, spelled
from stacks.image import image
from stacks.loadtest_task import LoadTask, context
from stacks.network import HTTPS, Place
from stacks.package import ROOT
from stacks.search_target import WATCHER_METHODS, address, ask_to_let_in, in_place, routes, target
from stacks.service_log import service_log
from stacks.storage import ANSWERS, DELIVERED, FAILED, LOAD_TESTS

DEFAULTS: Final = {"profile": "smoke", "senders": 1}
SHARES: Final = "States.ArrayRange(0, States.MathAdd($.senders, -1), 1)"
LONGEST: Final = Duration.days(8)

_Path = sfn.JsonPath


class LoadTest(Stack):
    """The tasks and the state machine."""

    def __init__(
        self, scope: Construct, stack_id: str, *, deployment: Deployment, place: Place | None, env: Environment
    ) -> None:
        """Builds into `place`; into the network that the configuration names when that is None."""
        super().__init__(scope, stack_id, env=env, description="Sluice: the load test")
        self._deployment = deployment
        self._place = in_place(self, deployment=deployment, place=place)
        self._bucket = s3.Bucket.from_bucket_name(
            self, "Logs", names.bucket(deployment, account=self.account, region=self.region)
        )
        self._own = self._bucket.arn_for_objects(f"{LOAD_TESTS}*")
        self._group = self._make_group()
        self._cluster = ecs.Cluster(
            self, "Cluster", vpc=self._place.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
        )
        # One image for both; the construct that builds it has one place.
        self._image = image(
            self,
            uri=deployment.load_test.image,
            source=context() if deployment.load_test.image is None else ROOT,
            architecture=deployment.aggregator.architecture,
        )
        self._searched = _searched(deployment)
        self._search = target(self, deployment=deployment) if self._searched else None
        send, verify = self._task("Send", role=None), self._task("Verify", role=names.load_test_verifier(deployment))
        self._allow(send, self._keeping())
        self._allow(verify, [*self._keeping(), *self._reading(), *self._asking()])
        machine = self._machine(send, verify)
        CfnOutput(self, "StateMachine", value=machine.state_machine_arn, description="Runs a load test")

    def _task(self, construct_id: str, *, role: str | None) -> LoadTask:
        deployment = self._deployment
        variables = {"SLUICE_BUCKET": self._bucket.bucket_name, VARIABLE: told(deployment)}
        if self._search:
            found = (address(self, deployment=deployment), self._search.service)
            variables |= dict(zip(SEARCH_VARIABLES, found, strict=True))
        return LoadTask(
            self, construct_id, deployment=deployment, runs=self._image, variables=variables, role_name=role
        )

    def _make_group(self) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=self._place.vpc,
            description="The load test: nobody comes in",
            allow_all_outbound=False,
        )
        for listener in self._deployment.listeners:
            group.add_egress_rule(
                ec2.Peer.ipv4(self._place.cidr), ec2.Port.tcp(listener.port), f"{listener.name}: the load balancer"
            )
        group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "The AWS APIs and the search")
        ask_to_let_in(self, group, deployment=self._deployment, who="LoadTest")
        return group

    def _allow(self, task: LoadTask, statements: list[iam.PolicyStatement]) -> None:
        policy = iam.Policy(self, f"{task.node.id}Work", statements=statements)
        task.role.attach_inline_policy(policy)
        arn = spelled(self, self._bucket.bucket_arn)
        accept(
            policy,
            f"IAM5[Resource::{arn}/{LOAD_TESTS}*]",
            because="The load tests' own folder, with a folder for each run",
        )
        if task.node.id == "Verify":
            for prefix in (DELIVERED, FAILED):
                accept(
                    policy,
                    f"IAM5[Resource::{arn}/{prefix}*]",
                    because="A load goes through any route, and Firehose chooses the names of its objects",
                )
            self._accept_asking(policy, bucket=arn)

    def _accept_asking(self, policy: iam.Policy, *, bucket: str) -> None:
        if asks_athena(self._deployment):
            accept(
                policy,
                f"IAM5[Resource::{bucket}/{ANSWERS}*]",
                because="Athena writes what it answers there, and chooses the names",
            )
            accept(
                policy,
                f"IAM5[Resource::{spelled(self, self._glue('table', names.database(self._deployment), '*'))}]",
                because="The tables of this environment's own database: a route's is chosen when a test is run",
            )
        if self._search is not None and self._search.service == "es":
            for path in self._paths():
                accept(
                    policy,
                    f"IAM5[Resource::{spelled(self, self._search.arn)}/{path}]",
                    because="A route's indices are named by their date; only a search of them is allowed",
                )

    def _keeping(self) -> list[iam.PolicyStatement]:
        return [
            # Senders see each other there; and who may not list is told that an object is forbidden that is not there.
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self._bucket.bucket_arn]),
            iam.PolicyStatement(actions=["s3:GetObject", "s3:PutObject"], resources=[self._own]),
        ]

    def _reading(self) -> list[iam.PolicyStatement]:
        objects = [self._bucket.arn_for_objects(f"{prefix}*") for prefix in (DELIVERED, FAILED)]
        return [iam.PolicyStatement(actions=["s3:GetObject"], resources=objects)]

    def _asking(self) -> list[iam.PolicyStatement]:
        deployment, found = self._deployment, list[iam.PolicyStatement]()
        if asks_athena(deployment):
            database = names.database(deployment)
            workgroup = self.format_arn(
                service="athena", resource="workgroup", resource_name=names.workgroup(deployment)
            )
            found = [
                iam.PolicyStatement(
                    actions=["athena:GetQueryExecution", "athena:GetQueryResults", "athena:StartQueryExecution"],
                    resources=[workgroup],
                ),
                # https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
                iam.PolicyStatement(
                    actions=["glue:GetDatabase", "glue:GetTable"],
                    resources=[
                        self._glue("catalog"),
                        self._glue("database", database),
                        self._glue("table", database, "*"),
                    ],
                ),
                iam.PolicyStatement(actions=["s3:GetBucketLocation"], resources=[self._bucket.bucket_arn]),
                iam.PolicyStatement(
                    actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                    resources=[self._bucket.arn_for_objects(f"{ANSWERS}*")],
                ),
            ]
        return [*found, self._search.calls(*WATCHER_METHODS, paths=self._paths())] if self._search else found

    def _paths(self) -> list[str]:
        return [f"{names.index(self._deployment, route)}*/_search" for route in self._searched]

    def _glue(self, *parts: str) -> str:
        return f"arn:{self.partition}:glue:{self.region}:{self.account}:{'/'.join(parts)}"

    def _machine(self, send: LoadTask, verify: LoadTask) -> sfn.StateMachine:
        deployment = self._deployment
        name = names.load_test(deployment)
        log = service_log(self, "RunsLog", name=f"/aws/vendedlogs/states/{name}", deployment=deployment)
        machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            definition_body=sfn.DefinitionBody.from_chainable(self._definition(send, verify)),
            timeout=LONGEST,
            tracing_enabled=True,
            logs=sfn.LogOptions(destination=log, level=sfn.LogLevel.ALL),
        )
        accept(
            machine.role,
            "IAM5[Resource::*]",
            because="A task is named when it runs, and delivery of logs and traces take no resource",
        )
        accept(
            machine.role,
            f"IAM5[Resource::{spelled(self, self._bucket.bucket_arn)}/{LOAD_TESTS}*]",
            because="It writes the plan, into a folder for each run",
        )
        return machine

    def _definition(self, send: LoadTask, verify: LoadTask) -> sfn.Chain:
        run = _Path.string_at("$.run")
        folder = f"s3://{self._bucket.bucket_name}/{LOAD_TESTS}"
        report = _Path.format(f"{folder}{{}}/report.html", run)
        failed = sfn.Fail(
            self,
            "Failed",
            error="LoadTestFailed",
            cause_path=_Path.format(
                f"It broke off, or a threshold was breached: {folder}{{}}/report.html, and the tasks' logs "
                f"/ecs/{names.load_test(self._deployment)}-send and -verify",
                run,
            ),
        )
        sending = self._sending(send)
        sending.add_catch(failed, result_path="$.failure")
        command = sfn.Pass(self, "Command", parameters={"run": run, "command": _Path.array("verify", "--run", run)})
        verifying = self._run(verify, "RunVerify")
        verifying.add_catch(failed, result_path="$.failure")
        told_so = sfn.Pass(self, "Passed", parameters={"run": run, "report": report})
        settled = sfn.Wait(
            self, "Settle", time=sfn.WaitTime.duration(Duration.seconds(settle_seconds(self._deployment)))
        )
        begin = self._planning()
        return begin.next(sending).next(settled).next(command).next(verifying).next(told_so)

    def _planning(self) -> sfn.Chain:
        """The input with what was left out, a run's number, and both as an object that every task reads."""
        defaults = sfn.Pass(self, "Defaults", parameters={"defaults": DEFAULTS, "given": _Path.object_at("$")})
        asked = sfn.Pass(
            self,
            "Asked",
            parameters={
                "asked": _Path.json_merge(_Path.object_at("$.defaults"), _Path.object_at("$.given")),
                "run": _Path.array_get_item(_Path.string_split(_Path.uuid(), "-"), 0),
            },
        )
        few = sfn.Condition.and_(
            sfn.Condition.number_greater_than_equals("$.asked.senders", 1),
            sfn.Condition.number_less_than_equals("$.asked.senders", MOST_SENDERS),
        )
        refuse = sfn.Fail(self, "Refused", error="BadInput", cause=f"senders is a number from 1 to {MOST_SENDERS}")
        # The CDK's own way takes no number that is computed.
        count = {"Type": "Pass", "ResultPath": "$.shares", "InputPath": "$.asked", "Parameters": {"of.$": SHARES}}
        shares = sfn.CustomState(self, "Shares", state_json=count)
        plan = tasks.CallAwsService(
            self,
            "Plan",
            service="s3",
            action="putObject",
            parameters={
                "Bucket": self._bucket.bucket_name,
                "Key": _Path.format(f"{LOAD_TESTS}{{}}/plan.json", _Path.string_at("$.run")),
                "Body": {"run": _Path.string_at("$.run"), "asked": _Path.object_at("$.asked")},
                "ContentType": "application/json",
            },
            iam_resources=[self._own],
            result_path=_Path.DISCARD,
        )
        checked = sfn.Choice(self, "Senders").when(few, shares).otherwise(refuse)
        return defaults.next(asked).next(checked.afterwards()).next(plan)

    def _sending(self, send: LoadTask) -> sfn.Map:
        every = sfn.Map(
            self,
            "Senders in parallel",
            items_path="$.shares.of",
            item_selector={
                "command": _Path.array(
                    "send",
                    "--run",
                    _Path.string_at("$.run"),
                    "--share",
                    _Path.format("{}/{}", _Path.string_at("$$.Map.Item.Value"), _Path.string_at("$.asked.senders")),
                )
            },
            result_path=_Path.DISCARD,
        )
        every.item_processor(self._run(send, "RunSend"))
        return every

    def _run(self, task: LoadTask, construct_id: str) -> tasks.EcsRunTask:
        """One of the tasks, to its end. Its command is what the state's input says under `command`."""
        return tasks.EcsRunTask(
            self,
            construct_id,
            integration_pattern=sfn.IntegrationPattern.RUN_JOB,
            cluster=self._cluster,
            task_definition=task.definition,
            launch_target=tasks.EcsFargateLaunchTarget(platform_version=ecs.FargatePlatformVersion.VERSION1_4),
            assign_public_ip=False,
            subnets=self._place.private,
            security_groups=[self._group],
            container_overrides=[
                tasks.ContainerOverride(
                    container_definition=task.container,
                    command=_Path.list_at("$.command"),
                )
            ],
            result_path=_Path.DISCARD,
        )


def _searched(deployment: Deployment) -> tuple[Route, ...]:
    """The routes whose documents the verifier searches: those to OpenSearch, where a way leads there."""
    return () if canary.is_search_out_of_reach(deployment) else routes(deployment)


def settle_seconds(deployment: Deployment) -> int:
    """After so long everything that was sent can be read, where nothing is wrong."""
    watched, _ = canary.plan(deployment)
    buffers = [each.expected_seconds for each in watched]
    others = [
        route.buffering.interval_seconds + route.buffering.transform_interval_seconds for route in deployment.routes
    ]
    return ceil(max([*buffers, *others]))
