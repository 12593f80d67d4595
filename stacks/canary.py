"""The canary: tracers for ever through every route, and alarms that tell when one does not come back.

One function in the private subnets, called by two rules: each minute to send, each five to look what became of it. It
may read what the watched routes deliver and what failed of them, ask the search for them, and write below canary/: no
more. Nothing is tried again: a minute that was not sent is told, and what was not looked at is looked at five minutes
later. Why it is as it is, and what it costs: docs/decisions/0019-canary.md.

Cost: about $6 a month with three routes, most of it metrics, at any load that its `canary.read_mib` covers.
"""

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Final

from aws_cdk import CfnOutput, Duration, Environment, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice import canary, names
from sluice.canary import Watched
from sluice.model import Deployment
from stacks import storage
from stacks.findings import accept, spelled
from stacks.network import HTTPS, Place
from stacks.package import ROOT, assembled
from stacks.search_function import Inside, SearchFunction
from stacks.search_target import WATCHER_METHODS, SearchTarget, address, ask_to_let_in, in_place, target

HANDLER: Final = "loadtest.canary.handler.handler"
NAMESPACE: Final = "Sluice/Canary"
TIMEOUT: Final = Duration.seconds(270)
"""A look is over before the next one begins."""
SEND_MINUTES: Final = 1
VERIFY_MINUTES: Final = 5
EVENT_AGE: Final = Duration.seconds(60)
SHIPPED: Final = ("__init__", "asking", "chunk", "forward", "marker")
"""Modules of `loadtest` that the canary is made of, besides its own."""
_OTHER_VARIABLES: Final = ("SLUICE_SYSTEM", "SLUICE_BUCKET", "SLUICE_SEARCH_ENDPOINT", "SLUICE_SEARCH_SERVICE")


class Canary(Stack):
    """The function, what calls it, and the alarms."""

    def __init__(
        self, scope: Construct, stack_id: str, *, deployment: Deployment, place: Place | None, env: Environment
    ) -> None:
        """Builds into `place`; into the network that the configuration names when that is None."""
        super().__init__(scope, stack_id, env=env, description="Sluice: the canary")
        self._deployment = deployment
        self._watched, _ = canary.plan(deployment)
        self._bucket = s3.Bucket.from_bucket_name(
            self, "Logs", names.bucket(deployment, account=self.account, region=self.region)
        )
        self._search = target(self, deployment=deployment) if any(each.is_searched for each in self._watched) else None
        function = self._function(in_place(self, deployment=deployment, place=place))
        self._call(function, "send", SEND_MINUTES)
        self._call(function, "verify", VERIFY_MINUTES)
        for watched in self._watched:
            _RouteAlarms(self, watched.route.name, deployment=deployment, watched=watched)
        _refused(self, deployment)
        CfnOutput(self, "CanaryFunction", value=function.function_name, description="The canary, and its log")

    def _function(self, place: Place) -> SearchFunction:
        deployment = self._deployment
        settings = deployment.canary
        function = SearchFunction(
            self,
            name=names.canary(deployment),
            says="Sends tracers through every route, and looks for them",
            handler=HANDLER,
            timeout=TIMEOUT,
            deployment=deployment,
            code=lambda_.Code.from_asset(str(canary_package(deployment))),
            inside=Inside(place, self._group(place)),
            statements=[*self._reading(), *([_asking(self._search, self._watched)] if self._search else [])],
            environment=self._environment(),
            memory_mb=settings.memory_mb,
        )
        function.configure_async_invoke(max_event_age=EVENT_AGE, retry_attempts=0)
        self._accept(function.own_role)
        return function

    def _environment(self) -> dict[str, str]:
        values = [self._deployment.prefix, self._bucket.bucket_name]
        if self._search:
            values += [address(self, deployment=self._deployment), self._search.service]
        return {canary.VARIABLE: canary.told(self._deployment), **dict(zip(_OTHER_VARIABLES, values, strict=False))}

    def _group(self, place: Place) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=place.vpc, description="The canary: nobody comes in", allow_all_outbound=False
        )
        for listener in self._deployment.listeners:
            group.add_egress_rule(
                ec2.Peer.ipv4(place.cidr), ec2.Port.tcp(listener.port), f"{listener.name}: the load balancer"
            )
        # S3's addresses are everywhere, and the search may be outside.
        group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "S3 and the search")
        if self._search:
            ask_to_let_in(self, group, deployment=self._deployment, who="Canary")
        return group

    def _prefixes(self) -> Iterator[str]:
        for watched in self._watched:
            if not watched.is_searched:
                yield names.delivered_prefix(watched.route)
            yield names.failed_prefix(watched.route)

    def _reading(self) -> list[iam.PolicyStatement]:
        own = self._bucket.arn_for_objects(f"{storage.CANARY}*")
        return [
            # Not by prefix: who may not list the bucket is told that an object is forbidden where it is not there.
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self._bucket.bucket_arn]),
            iam.PolicyStatement(
                actions=["s3:GetObject"],
                resources=[own, *(self._bucket.arn_for_objects(f"{prefix}*") for prefix in self._prefixes())],
            ),
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[own]),
        ]

    def _accept(self, role: iam.Role) -> None:
        accept(
            role,
            f"IAM5[Resource::{spelled(self, self._bucket.bucket_arn)}/{storage.CANARY}*]",
            because="Its own folder, with an object for each minute",
        )
        for prefix in self._prefixes():
            accept(
                role,
                f"IAM5[Resource::{spelled(self, self._bucket.bucket_arn)}/{prefix}*]",
                because="Firehose chooses the names of the objects in which tracers lie",
            )
        if self._search is not None and self._search.service == "es":
            for path in _paths(self._watched):
                accept(
                    role,
                    f"IAM5[Resource::{spelled(self, self._search.arn)}/{path}]",
                    because="A route's indices are named by their date; only a search of them is allowed",
                )

    def _call(self, function: lambda_.IFunction, what: str, minutes: int) -> None:
        events.Rule(
            self,
            what.capitalize(),
            rule_name=f"{names.canary(self._deployment)}-{what}",
            description=f"Has the canary {what}",
            schedule=events.Schedule.rate(Duration.minutes(minutes)),
            targets=[
                targets.LambdaFunction(
                    function,
                    event=events.RuleTargetInput.from_object(
                        {"do": what, "time": events.EventField.from_path("$.time")}
                    ),
                    max_event_age=EVENT_AGE,
                    retry_attempts=0,
                )
            ],
        )


class _RouteAlarms(Construct):
    """A tracer that is lost, one that is slow, and none at all."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: Deployment, watched: Watched) -> None:
        super().__init__(scope, construct_id)
        name, route = names.canary(deployment), watched.route.name
        where = f"{{System={deployment.prefix}, Route={route}}}"
        look = f"/aws/lambda/{name} has their markers under `lost`, `notSent` and `failed`"
        dimensions = {"System": deployment.prefix, "Route": route}
        _alarm(
            self,
            "Lost",
            name=f"{name}-{route}-lost",
            says=f"A record under tag {watched.tag} was acknowledged and is nowhere after "
            f"{_deadline(deployment, watched)} s: neither below {watched.place} nor below failed/. {look}. See the "
            f"alarms of stream {names.stream(deployment, watched.route)} first; a tracer that is only late is told as "
            f"metric Late. A drop or sample rule of the route that fits that tag has the same effect.",
            metric=_metric("Lost", "Sum", dimensions),
            least=1,
        )
        slowest = 2 * watched.expected_seconds
        _alarm(
            self,
            "Slow",
            name=f"{name}-{route}-slow",
            says=f"Records of route {route} take {slowest} s or more until they can be read; "
            f"{watched.expected_seconds} s are the longest where nothing is wrong. Look for throttling of its stream, "
            f"errors of its function, a full buffer of the aggregator, or a search that refuses documents. {where}",
            metric=_metric("Latency", "Maximum", dimensions),
            least=slowest,
        )
        _alarm(
            self,
            "Blind",
            name=f"{name}-{route}-blind",
            says=f"Nothing is known of route {route}: no tracer was delivered, nor said to be lost. If that is so for "
            f"every route, {name} does not run, or cannot reach the aggregator, the bucket or the search: see its log. "
            f"If for one, look at metric SkippedBytes: more becomes readable in {VERIFY_MINUTES} minutes than "
            "`canary.read_mib`.",
            metric=_metric("Judged", "Sum", dimensions),
            least=1,
            below=True,
            periods=ceil((_deadline(deployment, watched) + 2 * VERIFY_MINUTES * 60) / (VERIFY_MINUTES * 60)),
        )


def canary_package(deployment: Deployment) -> Path:
    """What is uploaded: the canary, the modules of `loadtest` that it is made of, and msgpack."""
    source = ROOT / "loadtest"
    files = [*(source / f"{name}.py" for name in SHIPPED), *sorted((source / "canary").rglob("*.py"))]
    return assembled(files, requirements=source / "canary" / "requirements.txt", transformer=deployment.transformer)


def _asking(search: SearchTarget, watched: tuple[Watched, ...]) -> iam.PolicyStatement:
    return search.calls(*WATCHER_METHODS, paths=_paths(watched))


def _paths(watched: tuple[Watched, ...]) -> list[str]:
    return [f"{each.place}*/_search" for each in watched if each.is_searched]


def _deadline(deployment: Deployment, watched: Watched) -> int:
    return 2 * watched.expected_seconds + deployment.canary.margin_seconds


def _refused(scope: Construct, deployment: Deployment) -> None:
    name = names.canary(deployment)
    _alarm(
        scope,
        "Refused",
        name=f"{name}-refused",
        says="Tracers were not acknowledged, for a quarter of an hour: a listener does not answer, or every "
        f"aggregator's buffer is full and paused. Clients wait, and lose what they cannot hold. See the log of {name}, "
        "the service's tasks, and the streams' throttling.",
        metric=_metric("NotSent", "Sum", {"System": deployment.prefix}),
        least=1,
        periods=3,
    )


def _metric(name: str, statistic: str, dimensions: dict[str, str]) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=Duration.minutes(VERIFY_MINUTES),
    )


def _alarm(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    says: str,
    metric: cloudwatch.Metric,
    least: float,
    below: bool = False,
    periods: int = 1,
) -> None:
    """From `least` on it alarms, or below it; then what is missing alarms too."""
    operators, missing = cloudwatch.ComparisonOperator, cloudwatch.TreatMissingData
    cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_name=name,
        alarm_description=says,
        metric=metric,
        threshold=least,
        evaluation_periods=periods,
        comparison_operator=operators.LESS_THAN_THRESHOLD if below else operators.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=missing.BREACHING if below else missing.NOT_BREACHING,
    )
