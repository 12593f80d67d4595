"""Where a route's Firehose stream takes its records from: it is put to, or it reads a Kinesis data stream.

A stream with a source takes no records of its own: PutRecord is disabled there. Nor is it encrypted itself, for what it
reads is encrypted where it lies, and Firehose keeps it no longer than a buffer. The data stream is another stack's; its
name is spelled, not imported.

Sources: https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#firehose-assume-role for the actions,
https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html for the key's, and
https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
"""

from dataclasses import dataclass
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from constructs import Construct

from sluice import names
from sluice.model import Deployment
from sluice.routes import Route
from stacks.findings import accept, spelled

Encryption = firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty

# With AWS's own key, for streams that are put to: what comes from Kinesis is encrypted there.
AT_REST: Final = Encryption(key_type="AWS_OWNED_CMK")
READING: Final = ("kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards")

Configuration = firehose.CfnDeliveryStream.KinesisStreamSourceConfigurationProperty


@dataclass(frozen=True)
class Source:
    """What a delivery stream is told of its source, and what its role has to be allowed for it."""

    arn: str | None
    statements: tuple[iam.PolicyStatement, ...]
    any_key: str | None = None

    @property
    def type(self) -> str:
        """The stream's DeliveryStreamType."""
        return "DirectPut" if self.arn is None else "KinesisStreamAsSource"

    @property
    def encryption(self) -> Encryption | None:
        """The stream's own encryption: only where records are put to it."""
        return AT_REST if self.arn is None else None

    def configuration(self, role: iam.IRole) -> Configuration | None:
        """The stream's KinesisStreamSourceConfiguration, read with this role; None where records are put."""
        return None if self.arn is None else Configuration(kinesis_stream_arn=self.arn, role_arn=role.role_arn)

    def accept_unencrypted(self, stream: firehose.CfnDeliveryStream) -> None:
        """Accept, at the stream, that it is not encrypted itself."""
        if self.arn is not None:
            accept(
                stream,
                "KDF1",
                because="It reads a data stream, which is encrypted; AWS takes no encryption of its own beside that",
            )

    def accept(self, role: iam.Role) -> None:
        """Accept what security checks find in the statements, at the role that they became part of."""
        if self.any_key is not None:
            accept(
                role,
                f"IAM5[Resource::{spelled(role, self.any_key)}]",
                because="The key is named by an alias, which a policy can name in a condition only, as this one does",
            )


def kinesis_source(scope: Construct, *, deployment: Deployment, route: Route) -> Source:
    """The source of a route's delivery stream; its role has to have `statements`."""
    if route.via == "direct":
        return Source(arn=None, statements=())
    arn = _data_stream(scope, deployment=deployment, route=route)
    reading = iam.PolicyStatement(actions=list(READING), resources=[arn])
    key = route.kinesis.key_arn
    if key is None:  # AWS's own key asks nobody for a permission
        return Source(arn=arn, statements=(reading,))
    return Source(
        arn=arn,
        statements=(reading, key_use(scope, key, action="kms:Decrypt", stream_arn=arn)),
        any_key=_any_key(key) if ":alias/" in key else None,
    )


def putting(scope: Construct, *, deployment: Deployment, route: Route) -> list[iam.PolicyStatement]:
    """What a role needs to put records to a route's stream, the data stream where it has one, and to no other."""
    if route.via == "direct":
        arn = Stack.of(scope).format_arn(
            service="firehose", resource="deliverystream", resource_name=names.stream(deployment, route)
        )
        return [iam.PolicyStatement(actions=["firehose:PutRecordBatch"], resources=[arn])]
    arn = _data_stream(scope, deployment=deployment, route=route)
    put = iam.PolicyStatement(actions=["kinesis:PutRecords"], resources=[arn])
    key = route.kinesis.key_arn
    return [put] if key is None else [put, key_use(scope, key, action="kms:GenerateDataKey", stream_arn=arn)]


def _data_stream(scope: Construct, *, deployment: Deployment, route: Route) -> str:
    name = names.kinesis_stream(deployment, route)
    return Stack.of(scope).format_arn(service="kinesis", resource="stream", resource_name=name)


def key_use(scope: Construct, key_arn: str, *, action: str, stream_arn: str) -> iam.PolicyStatement:
    """What a role needs to use a data stream's key: through Kinesis, for that stream, and for nothing else.

    Args:
        scope: whose region it is.
        key_arn: of the key, or of an alias of it.
        action: "kms:Decrypt" for who reads the stream, "kms:GenerateDataKey" for who writes to it.
        stream_arn: the stream, which Kinesis names in the encryption context of every call.
    """
    equals = {
        "kms:ViaService": f"kinesis.{Stack.of(scope).region}.{Stack.of(scope).url_suffix}",
        "kms:EncryptionContext:aws:kinesis:arn": stream_arn,
    }
    if ":alias/" not in key_arn:
        return iam.PolicyStatement(actions=[action], resources=[key_arn], conditions={"StringEquals": equals})
    # A policy's resource is never an alias: https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    alias = {"kms:ResourceAliases": f"alias/{key_arn.partition(':alias/')[2]}"}
    return iam.PolicyStatement(
        actions=[action],
        resources=[_any_key(key_arn)],
        conditions={"StringEquals": equals, "ForAnyValue:StringEquals": alias},
    )


def _any_key(alias_arn: str) -> str:
    return f"{alias_arn.partition(':alias/')[0]}:key/*"
