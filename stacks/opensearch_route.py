"""A route to OpenSearch: a Firehose stream that sends each document to an index, and to S3 what no index takes.

A document that fails is tried again for `retry_seconds`; then it goes below `failed/`, as Firehose wrote it, with the
error and the name of the index. Nothing that arrives is in S3 besides: a route that is to be kept for long goes to S3.

Firehose gives each document an id of its own, so that a request that it repeats makes no second document.

A stream in the VPC has network interfaces there, as many as it needs, with the right to make more; where they are and
whether there are any cannot be changed later.

Sources: https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-es (a domain),
#using-iam-es-vpc (in a VPC) and #using-iam-serverless (a collection) for the role's actions, and
https://docs.aws.amazon.com/firehose/latest/APIReference/API_AmazonopensearchserviceDestinationConfiguration.html
"""

from dataclasses import dataclass
from typing import Final

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice import names
from sluice.destinations import OpenSearchDestination
from sluice.model import Deployment
from sluice.routes import Route
from stacks.findings import accept, accept_form, spelled
from stacks.kinesis_source import kinesis_source
from stacks.redaction_key import RedactionKey
from stacks.route_parts import (
    Logging,
    Processing,
    delivery_log,
    delivery_role,
    failures,
    transformation,
)
from stacks.search_target import FIREHOSE_METHODS, SearchTarget
from stacks.transformer import Transformer

ROTATIONS: Final = {
    "none": "NoRotation",
    "hour": "OneHour",
    "day": "OneDay",
    "week": "OneWeek",
    "month": "OneMonth",
}
# What Firehose reads of a domain before and while it writes, with the indices of the route in place of the asterisk's.
_READ: Final = (
    "",
    "_all/_settings",
    "_cluster/stats",
    "{index}*/_mapping*",
    "_nodes",
    "_nodes/stats",
    "_nodes/*/stats",
    "_stats",
    "{index}*/_stats",
)
_DESCRIBING: Final = ("es:DescribeDomain", "es:DescribeDomains", "es:DescribeDomainConfig")
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_VpcConfiguration.html
_INTERFACES: Final = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcs",
)

_Stream = firehose.CfnDeliveryStream
_Domain = _Stream.AmazonopensearchserviceDestinationConfigurationProperty
_Collection = _Stream.AmazonOpenSearchServerlessDestinationConfigurationProperty
_Failed = _Stream.S3DestinationConfigurationProperty
_Interfaces = _Stream.VpcConfigurationProperty


@dataclass(frozen=True)
class DeliveryNetwork:
    """Where in the VPC Firehose has its network interfaces, and the security group they have."""

    subnets: tuple[str, ...]
    group: str


class OpenSearchRoute(Construct):
    """The stream, its transformer, its log, and a role that can do this and nothing else."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        route: Route,
        destination: OpenSearchDestination,
        target: SearchTarget,
        network: DeliveryNetwork | None,
        bucket: s3.IBucket,
        code: lambda_.Code,
        key: RedactionKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        index = names.index(deployment, route)
        transformer = Transformer(
            self, "Transformer", deployment=deployment, route=route, bucket=bucket, code=code, key=key
        )
        log = delivery_log(self, deployment=deployment, route=route)
        source = kinesis_source(self, deployment=deployment, route=route)
        sending = [*_delivering(target, index=index), *_interface_making(network)]
        role = delivery_role(
            self,
            deployment=deployment,
            route=route,
            bucket=bucket,
            prefixes=(names.failed_prefix(route),),
            statements=[*sending, transformer.invocation(), *source.statements],
        )
        source.accept(role)
        _accept_wildcards(role, target=target, index=index, is_inside=network is not None)
        parts = _Parts(
            route=route,
            destination=destination,
            index=index,
            role=role,
            failed=_failed(route, bucket=bucket, role=role, log=log),
            processing=Processing(
                enabled=True, processors=[transformation(route.buffering, transformer=transformer, role=role)]
            ),
            log=log,
            interfaces=_interfaces(network, role=role),
        )
        is_collection = target.service == "aoss"
        stream = _Stream(
            self,
            "Stream",
            delivery_stream_name=names.stream(deployment, route),
            delivery_stream_type=source.type,
            delivery_stream_encryption_configuration_input=source.encryption,
            kinesis_stream_source_configuration=source.configuration(role),
            amazonopensearchservice_destination_configuration=None if is_collection else _domain(parts, target),
            amazon_open_search_serverless_destination_configuration=_collection(parts, target)
            if is_collection
            else None,
        )
        source.accept_unencrypted(stream)
        if target.service == "es" and target.endpoint:
            accept_form(stream, "F3031", because="Only the local run has an address, and OpenSearch speaks HTTP there")


@dataclass(frozen=True)
class _Parts:
    """What both kinds of destination are made of."""

    route: Route
    destination: OpenSearchDestination
    index: str
    role: iam.Role
    failed: _Failed
    processing: Processing
    log: Logging
    interfaces: _Interfaces | None


def _domain(parts: _Parts, target: SearchTarget) -> _Domain:
    buffering = parts.route.buffering
    return _Domain(
        index_name=parts.index,
        index_rotation_period=ROTATIONS[parts.destination.rotation],
        # Firehose asks AWS for a domain's address; what is on this machine it has to be told.
        domain_arn=None if target.endpoint else target.arn,
        cluster_endpoint=target.endpoint,
        role_arn=parts.role.role_arn,
        buffering_hints=_Stream.AmazonopensearchserviceBufferingHintsProperty(
            size_in_m_bs=buffering.size_mib, interval_in_seconds=buffering.interval_seconds
        ),
        retry_options=_Stream.AmazonopensearchserviceRetryOptionsProperty(
            duration_in_seconds=parts.destination.retry_seconds
        ),
        document_id_options=_Stream.DocumentIdOptionsProperty(default_document_id_format="FIREHOSE_DEFAULT"),
        s3_backup_mode="FailedDocumentsOnly",
        s3_configuration=parts.failed,
        processing_configuration=parts.processing,
        cloud_watch_logging_options=parts.log,
        vpc_configuration=parts.interfaces,
    )


def _collection(parts: _Parts, target: SearchTarget) -> _Collection:
    buffering = parts.route.buffering
    return _Collection(
        index_name=parts.index,
        collection_endpoint=target.endpoint,
        role_arn=parts.role.role_arn,
        buffering_hints=_Stream.AmazonOpenSearchServerlessBufferingHintsProperty(
            size_in_m_bs=buffering.size_mib, interval_in_seconds=buffering.interval_seconds
        ),
        retry_options=_Stream.AmazonOpenSearchServerlessRetryOptionsProperty(
            duration_in_seconds=parts.destination.retry_seconds
        ),
        s3_backup_mode="FailedDocumentsOnly",
        s3_configuration=parts.failed,
        processing_configuration=parts.processing,
        cloud_watch_logging_options=parts.log,
        vpc_configuration=parts.interfaces,
    )


def _failed(route: Route, *, bucket: s3.IBucket, role: iam.Role, log: Logging) -> _Failed:
    """Where failed documents go; `prefix` has nothing to name as long as the error prefix is there, and leads there."""
    return _Failed(
        bucket_arn=bucket.bucket_arn,
        role_arn=role.role_arn,
        prefix=names.failed_prefix(route),
        error_output_prefix=failures(route),
        compression_format="GZIP",
        buffering_hints=_Stream.BufferingHintsProperty(
            size_in_m_bs=route.buffering.size_mib, interval_in_seconds=route.buffering.interval_seconds
        ),
        cloud_watch_logging_options=log,
    )


def _interfaces(network: DeliveryNetwork | None, *, role: iam.Role) -> _Interfaces | None:
    if network is None:
        return None
    return _Interfaces(role_arn=role.role_arn, subnet_ids=list(network.subnets), security_group_ids=[network.group])


def _delivering(target: SearchTarget, *, index: str) -> list[iam.PolicyStatement]:
    if target.service == "aoss":
        return [target.calls()]
    writing = [f"es:ESHttp{method}" for method in FIREHOSE_METHODS if method != "Get"]
    return [
        iam.PolicyStatement(actions=[*_DESCRIBING, *writing], resources=[target.arn, f"{target.arn}/*"]),
        target.calls("Get", paths=[path.format(index=index) for path in _READ]),
    ]


def _interface_making(network: DeliveryNetwork | None) -> list[iam.PolicyStatement]:
    return [iam.PolicyStatement(actions=list(_INTERFACES), resources=["*"])] if network else []


def _accept_wildcards(role: iam.Role, *, target: SearchTarget, index: str, is_inside: bool) -> None:
    if target.service == "es":
        reasons = {
            "*": "Firehose writes to the domain's bulk path and names the index inside; what it may write there the "
            "domain's own roles say",
            **{
                path.format(index=index): "Firehose appends the date to the index, and asks every node"
                for path in _READ
                if "*" in path
            },
        }
        for path, because in reasons.items():
            accept(role, f"IAM5[Resource::{spelled(role, target.arn)}/{path}]", because=because)
    if is_inside:
        accept(
            role,
            "IAM5[Resource::*]",
            because="Firehose makes network interfaces before they have names; AWS lists these without a resource",
        )
