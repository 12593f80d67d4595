"""Delivery streams as they were deployed: stacks in, StreamConfigs out.

What counts is what DescribeDeliveryStream says, with every reference resolved. The emulator's description
lacks properties that a template may have (FileExtension, CustomTimeZone, S3BackupConfiguration in
MiniStack 1.5.33); whatever of a template is missing from the description is read from the template, as
literals. What the properties mean is in `described`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from local.firehose.config import StreamConfig
from local.firehose.described import KINDS, read_description
from local.firehose.values import Description

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_firehose import FirehoseClient

_STREAM_TYPE: Final = "AWS::KinesisFirehose::DeliveryStream"
# Under another name, a reference, in a description; all the rest of the template is there, resolved.
_RESOLVED: Final = frozenset({"S3Configuration", "VpcConfiguration"})


def deployed_streams(
    cloudformation: "CloudFormationClient",
    firehose: "FirehoseClient",
    *,
    stacks: Iterable[str],
    endpoints: Mapping[str, str] | None = None,
) -> tuple[StreamConfig, ...]:
    """Return the delivery streams of `stacks`, in the stacks' order.

    `endpoints` says where an OpenSearch is reached: its URL by the domain's ARN, or by the endpoint as deployed.
    Raises UnsupportedFeatureError for what the local Firehose does not do, and botocore's errors.
    """
    return tuple(
        read_description(
            firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"],
            configured=configured,
            endpoints=endpoints,
        )
        for stack in stacks
        for name, configured in _find_streams(cloudformation, stack)
    )


def _find_streams(cloudformation: "CloudFormationClient", stack: str) -> Iterator[tuple[str, Description]]:
    template = cloudformation.get_template(StackName=stack)["TemplateBody"]
    resources = (json.loads(template) if isinstance(template, str) else template)["Resources"]
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == _STREAM_TYPE:
                yield resource["PhysicalResourceId"], _configured(resources[resource["LogicalResourceId"]])


def _configured(resource: Description) -> Description:
    properties = resource["Properties"]
    for kind in KINDS:
        if f"{kind}Configuration" in properties:
            configured = properties[f"{kind}Configuration"]
            return {key: value for key, value in configured.items() if key not in _RESOLVED}
    return {}
