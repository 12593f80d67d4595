"""Where documents are searched: a domain, a collection, or what is there already; prepared before anything arrives.

Made only if a route goes to OpenSearch. It is deployed before delivery, whose roles it lets in by names that it spells,
and is done only when the setup function has made templates, policies, roles and dashboards: then the first document
finds its index as it has to be. With `removal: retain` a domain or collection stays when the stack goes, and holds its
name.

A domain in the VPC is reached by three only: Firehose and the two functions, each with a security group of its own, and
by HTTPS from the network's range: by the canary, the load test, and people behind a VPN or a session through a host.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from aws_cdk import CfnOutput, CustomResource, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice import names
from sluice.model import Deployment
from sluice.search.plan import packed, plan
from sluice.search_settings import Collection, Domain, ExistingDomain
from stacks.network import HTTPS, Place
from stacks.package import package
from stacks.search_collection import SearchCollection
from stacks.search_domain import Caller, SearchDomain
from stacks.search_function import Inside
from stacks.search_functions import QUARANTINE_METHODS, Quarantine, Setup
from stacks.search_target import (
    ARN,
    DELIVERY_GROUP,
    ENDPOINT,
    FIREHOSE_METHODS,
    METHODS,
    WATCHER_METHODS,
    SearchTarget,
    ask_to_let_in,
    domain_arn,
    in_place,
    is_inside,
    one_per_zone,
    role_arn,
    routes,
    tell,
)

NO_SEARCH: Final = "a route goes to opensearch, and there is no `search`: add it to the configuration"


@dataclass(frozen=True)
class _Groups:
    """The security groups of those who call a search in the VPC."""

    delivery: ec2.SecurityGroup
    functions: ec2.SecurityGroup


class Search(Stack):
    """The search, the function that prepares it, and the one that makes failed records visible in it."""

    def __init__(
        self,
        scope: Construct,
        stack_id: str,
        *,
        deployment: Deployment,
        place: Place | None,
        env: Environment,
        load_test: bool,
    ) -> None:
        """Builds into `place`; into the network that the configuration names when that is None.

        With `load_test` the role of the load test's verifier is let in too.
        """
        super().__init__(scope, stack_id, env=env, description="Sluice: where documents are searched")
        self._deployment = deployment
        self._code = lambda_.Code.from_asset(str(package("search", deployment.transformer)))
        self._writers = [role_arn(self, names.role(deployment, route)) for route in routes(deployment)]
        self._quarantine = role_arn(self, names.quarantine(deployment))
        watchers = [names.canary(deployment)] if deployment.canary.enabled else []
        watchers += [names.load_test_verifier(deployment)] if load_test else []
        self._watchers = [role_arn(self, name) for name in watchers]
        self._place: Place | None = None
        self._groups: _Groups | None = None
        if is_inside(deployment):
            self._place = in_place(self, deployment=deployment, place=place)
            self._groups = self._make_groups(self._place)
        match deployment.search:
            case Domain() as settings:
                self._make_domain(settings)
            case ExistingDomain() as settings:
                self._use_domain(settings)
            case Collection() as settings:
                self._make_collection(settings)
            case None:
                raise ValueError(NO_SEARCH)
            case other:
                assert_never(other)

    def _make_domain(self, settings: Domain) -> None:
        target = SearchTarget("es", domain_arn(self, deployment=self._deployment))
        setup = self._make_setup(target)
        group = self._make_domain_group()
        domain = SearchDomain(
            self,
            "Domain",
            deployment=self._deployment,
            settings=settings,
            master=setup.role,
            callers=[
                Caller(role_arn(self, names.search_setup(self._deployment)), METHODS),
                *(Caller(writer, FIREHOSE_METHODS) for writer in self._writers),
                Caller(self._quarantine, QUARANTINE_METHODS),
                *(Caller(watcher, WATCHER_METHODS) for watcher in self._watchers),
            ],
            subnets=one_per_zone(self._place, zones=settings.zones) if self._place else (),
            group=group,
        )
        prepared = self._prepare(setup, target, endpoint=domain.endpoint, readers=settings.readers)
        if group:
            # With its rules: setup is let in while the stack is made, and still while it is deleted.
            prepared.node.add_dependency(group)
        if self._watchers:
            tell(self, "ToldEndpoint", deployment=self._deployment, what=ENDPOINT, value=domain.endpoint)
        self._tell(endpoint=domain.endpoint, dashboards=f"{domain.endpoint}/_dashboards")

    def _use_domain(self, settings: ExistingDomain) -> None:
        target = SearchTarget("es", settings.arn)
        setup = self._make_setup(target)
        self._prepare(setup, target, endpoint=settings.endpoint, readers=settings.readers, is_local=settings.is_local)
        self._tell(endpoint=settings.endpoint, dashboards=f"{settings.endpoint}/_dashboards")
        if self._groups:
            for who, group in (("Delivery", self._groups.delivery), ("Functions", self._groups.functions)):
                ask_to_let_in(self, group, deployment=self._deployment, who=who)

    def _make_collection(self, settings: Collection) -> None:
        collection = SearchCollection(self, "Collection", deployment=self._deployment, settings=settings)
        target = SearchTarget("aoss", collection.arn)
        setup = self._make_setup(target)
        access = collection.let_in(
            master=setup.role.role_arn,
            writers=[*self._writers, self._quarantine],
            readers=[*settings.readers, *self._watchers],
        )
        prepared = self._prepare(setup, target, endpoint=collection.endpoint, readers=settings.readers)
        prepared.node.add_dependency(access)
        tell(self, "ToldArn", deployment=self._deployment, what=ARN, value=collection.arn)
        tell(self, "ToldEndpoint", deployment=self._deployment, what=ENDPOINT, value=collection.endpoint)
        self._tell(endpoint=collection.endpoint, dashboards=collection.dashboards)

    def _make_setup(self, target: SearchTarget) -> Setup:
        return Setup(self, "Setup", deployment=self._deployment, target=target, code=self._code, inside=self._inside)

    def _prepare(
        self,
        setup: Setup,
        target: SearchTarget,
        *,
        endpoint: str,
        readers: tuple[str, ...],
        is_local: bool = False,
    ) -> CustomResource:
        """Have the search prepared, and then call quarantine for what fails."""
        deployment = self._deployment
        wanted = packed(
            plan(
                deployment,
                writers=self._writers,
                readers=readers,
                quarantine=[self._quarantine],
                watchers=self._watchers,
            )
        )
        prepared = setup.prepare(endpoint=endpoint, plan=wanted, is_local=is_local)
        quarantine = Quarantine(
            self,
            "Quarantine",
            deployment=deployment,
            target=target,
            endpoint=endpoint,
            bucket=s3.Bucket.from_bucket_name(
                self, "Logs", names.bucket(deployment, account=self.account, region=self.region)
            ),
            code=self._code,
            inside=self._inside,
        )
        quarantine.node.add_dependency(prepared)
        return prepared

    @property
    def _inside(self) -> Inside | None:
        return Inside(self._place, self._groups.functions) if self._place and self._groups else None

    def _make_groups(self, place: Place) -> _Groups:
        delivery = ec2.SecurityGroup(
            self, "DeliveryGroup", vpc=place.vpc, description="Firehose to the search", allow_all_outbound=False
        )
        functions = ec2.SecurityGroup(
            self,
            "FunctionsGroup",
            vpc=place.vpc,
            description="Functions that prepare and watch the search",
            allow_all_outbound=False,
        )
        # S3 too, which CloudFormation hears from setup by and quarantine reads from: its addresses are everywhere.
        functions.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "The search and S3")
        if isinstance(self._deployment.search, ExistingDomain):
            delivery.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "A search whose security group is not told")
        tell(
            self,
            "ToldDeliveryGroup",
            deployment=self._deployment,
            what=DELIVERY_GROUP,
            value=delivery.security_group_id,
        )
        return _Groups(delivery=delivery, functions=functions)

    def _make_domain_group(self) -> ec2.SecurityGroup | None:
        if self._place is None or self._groups is None:
            return None
        group = ec2.SecurityGroup(
            self, "DomainGroup", vpc=self._place.vpc, description="Domain of the search", allow_all_outbound=False
        )
        group.add_ingress_rule(ec2.Peer.ipv4(self._place.cidr), HTTPS, "People of the network")
        group.add_ingress_rule(self._groups.functions, HTTPS, "The functions")
        group.add_ingress_rule(self._groups.delivery, HTTPS, "Firehose")
        self._groups.delivery.add_egress_rule(group, HTTPS, "The domain")
        return group

    def _tell(self, *, endpoint: str, dashboards: str) -> None:
        CfnOutput(self, "Endpoint", value=endpoint, description="Where to search")
        CfnOutput(self, "Dashboards", value=dashboards, description="OpenSearch Dashboards, for who may read")
