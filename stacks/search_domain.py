"""Sluice's own OpenSearch domain: encrypted everywhere, HTTPS only, and nobody is let in who is not named.

Three doors, one behind the other: the network (a security group, where it is in the VPC), the domain's access policy,
and fine-grained access control, whose master is the setup function's role and which maps everybody else by their ARN.

A resource policy may name only roles that are there, and the roles that deliver are made after the domain: they and
the two functions are let in as principals of this account with one of these ARNs. Readers are there already.

It is CloudFormation's own resource and not the CDK's construct, which puts the access policy and the logs' policy in
place by custom resources.

Cost: decision 0014. The version can be raised in place; name, VPC or not, and encryption cannot be changed at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import CfnUpdatePolicy, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_opensearchservice as opensearch
from constructs import Construct

from sluice import names
from sluice.model import Deployment, Removal
from sluice.search_settings import Domain
from stacks.findings import accept
from stacks.search_target import METHODS, Method, domain_arn
from stacks.service_log import service_log

TLS: Final = "Policy-Min-TLS-1-2-PFS-2023-10"
LOGS: Final = {
    "ES_APPLICATION_LOGS": "application",
    "INDEX_SLOW_LOGS": "index-slow",
    "SEARCH_SLOW_LOGS": "search-slow",
}
# Firehose names the index with every document of a bulk request.
# https://docs.aws.amazon.com/firehose/latest/dev/create-destination.html
ADVANCED: Final = {"rest.action.multi.allow_explicit_index": "true"}

_Cluster = opensearch.CfnDomain.ClusterConfigProperty
_Zones = opensearch.CfnDomain.ZoneAwarenessConfigProperty
_Volume = opensearch.CfnDomain.EBSOptionsProperty
_Log = opensearch.CfnDomain.LogPublishingOptionProperty


@dataclass(frozen=True)
class Caller:
    """A role of this account that may send such requests; `arn` may be that of one that is not there yet."""

    arn: str
    methods: tuple[Method, ...]


class SearchDomain(Construct):
    """The domain, its logs, and who is let in."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        settings: Domain,
        master: iam.IRole,
        callers: Sequence[Caller],
        subnets: Sequence[str],
        group: ec2.ISecurityGroup | None,
    ) -> None:
        """In these subnets with this security group; reachable from outside where there is none."""
        super().__init__(scope, construct_id)
        policy, published = self._logs(deployment)
        domain = opensearch.CfnDomain(
            self,
            "Resource",
            domain_name=names.search_domain(deployment),
            engine_version=f"OpenSearch_{settings.version}",
            cluster_config=_cluster(settings),
            ebs_options=_Volume(ebs_enabled=True, volume_type="gp3", volume_size=settings.volume_gib),
            encryption_at_rest_options=opensearch.CfnDomain.EncryptionAtRestOptionsProperty(enabled=True),
            node_to_node_encryption_options=opensearch.CfnDomain.NodeToNodeEncryptionOptionsProperty(enabled=True),
            domain_endpoint_options=opensearch.CfnDomain.DomainEndpointOptionsProperty(
                enforce_https=True, tls_security_policy=TLS
            ),
            advanced_security_options=opensearch.CfnDomain.AdvancedSecurityOptionsInputProperty(
                enabled=True,
                internal_user_database_enabled=False,
                master_user_options=opensearch.CfnDomain.MasterUserOptionsProperty(master_user_arn=master.role_arn),
            ),
            access_policies=self._policy(deployment, settings, callers),
            advanced_options=ADVANCED,
            log_publishing_options=published,
            software_update_options=opensearch.CfnDomain.SoftwareUpdateOptionsProperty(
                auto_software_update_enabled=True
            ),
            off_peak_window_options=opensearch.CfnDomain.OffPeakWindowOptionsProperty(enabled=True),
            vpc_options=None
            if group is None
            else opensearch.CfnDomain.VPCOptionsProperty(
                subnet_ids=list(subnets), security_group_ids=[group.security_group_id]
            ),
        )
        domain.add_resource_dependency(policy)
        domain.cfn_options.update_policy = CfnUpdatePolicy(enable_version_upgrade=True)
        goes = deployment.removal is Removal.DESTROY
        domain.apply_removal_policy(RemovalPolicy.DESTROY if goes else RemovalPolicy.RETAIN)
        _accept_what_is_chosen(domain, settings)
        self.endpoint = f"https://{domain.attr_domain_endpoint}"

    def _policy(self, deployment: Deployment, settings: Domain, callers: Sequence[Caller]) -> dict[str, Any]:
        paths = f"{domain_arn(self, deployment=deployment)}/*"
        account = f"arn:{Stack.of(self).partition}:iam::{Stack.of(self).account}:root"
        by_methods: dict[tuple[Method, ...], list[str]] = {}
        for caller in callers:
            by_methods.setdefault(caller.methods, []).append(caller.arn)
        statements: list[dict[str, Any]] = [
            {
                "Effect": "Allow",
                "Principal": {"AWS": account},
                "Action": [f"es:ESHttp{method}" for method in methods],
                "Resource": paths,
                "Condition": {"ArnEquals": {"aws:PrincipalArn": arns}},
            }
            for methods, arns in by_methods.items()
        ]
        if settings.readers:
            # Dashboards keep what people save there with every method; the rights to the logs are the mapped role's.
            statements.append(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": list(settings.readers)},
                    "Action": [f"es:ESHttp{method}" for method in METHODS],
                    "Resource": paths,
                }
            )
        return {"Version": "2012-10-17", "Statement": statements}

    def _logs(self, deployment: Deployment) -> tuple[logs.CfnResourcePolicy, dict[str, _Log]]:
        """What the domain tells of itself, and the policy that lets it: an account has room for ten of these."""
        stack = Stack.of(self)
        name = names.search_domain(deployment)
        groups = {
            kind: service_log(self, f"Log{kind}", name=f"/aws/opensearch/{name}/{short}", deployment=deployment)
            for kind, short in LOGS.items()
        }
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "es.amazonaws.com"},
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": [group.log_group_arn for group in groups.values()],
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": stack.account},
                        "ArnEquals": {"aws:SourceArn": domain_arn(self, deployment=deployment)},
                    },
                }
            ],
        }
        policy = logs.CfnResourcePolicy(
            self, "LogPolicy", policy_name=name, policy_document=stack.to_json_string(document)
        )
        return policy, {
            kind: _Log(enabled=True, cloud_watch_logs_log_group_arn=group.log_group_arn)
            for kind, group in groups.items()
        }


def _cluster(settings: Domain) -> _Cluster:
    masters = settings.dedicated_masters > 0
    spread = settings.zones > 1
    return _Cluster(
        instance_type=settings.instance_type,
        instance_count=settings.instances,
        dedicated_master_enabled=masters,
        dedicated_master_type=settings.master_type if masters else None,
        dedicated_master_count=settings.dedicated_masters if masters else None,
        zone_awareness_enabled=spread,
        zone_awareness_config=_Zones(availability_zone_count=settings.zones) if spread else None,
        multi_az_with_standby_enabled=False,
    )


def _accept_what_is_chosen(domain: opensearch.CfnDomain, settings: Domain) -> None:
    """What the configuration leaves open, and is no mistake there."""
    accept(
        domain,
        "OS3",
        because="Only requests signed by the named roles are let in, wherever they come from; in a VPC there is the "
        "security group, and a policy with addresses is refused",
    )
    if settings.access == "public":
        accept(domain, "OS1", because="The configuration asks for a domain that is reached from outside, by IAM alone")
    if settings.dedicated_masters == 0:
        accept(domain, "OS4", because="A domain of a few instances elects one of them; see decision 0014")
    if settings.zones == 1:
        accept(domain, "OS7", because="The configuration asks for one zone: it can be made again from S3")
