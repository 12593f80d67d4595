"""MiniStack with what its CloudFormation and its Kinesis lack for our stacks, as a program.

Mechanism: each patch is a named function that adds to MiniStack's tables, or wraps one of its functions, before
its server starts; those of Kinesis and Firehose are in `emulator_streams`. Resources that have nothing behind them
here (addresses, gateways, scaling, collections) are stored so that a deploy and a destroy go through; nothing
translates packets or scales. Cost: these are MiniStack's private names, so its version is pinned, and
`tests/local/test_emulator_shim.py` fails with "remove this patch" once MiniStack does the same by itself.

This file runs as a script in a process of its own, where nothing of ours can be imported: its other half is run by
path.
"""

import hashlib
import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

# MiniStack ships no types.
from ministack.core.responses import get_account_id, get_region  # type: ignore[import-untyped]
from ministack.services import athena, ec2, s3  # type: ignore[import-untyped]
from ministack.services.cloudformation import (  # type: ignore[import-untyped]
    custom_resource,
    provisioners,
)

Properties = dict[str, Any]
Provisioned = tuple[str, dict[str, Any]]
"""What a handler answers: the resource's Ref, and its attributes for GetAtt."""

Answer = tuple[int, dict[str, str], bytes | str]
"""What MiniStack's own functions answer: a status, headers and a body."""

_STREAMS: Final = Path(__file__).with_name("emulator_streams.py")

# CloudFormation waits an hour for a custom resource that never answers. Ours work for about a second.
CUSTOM_RESOURCE_SECONDS = 60


def patch_elastic_ip() -> None:
    """AWS::EC2::EIP, from MiniStack's own EC2 API."""

    def create(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
        answer = ec2._allocate_address({"Domain": [properties.get("Domain", "vpc")]})
        allocation_id = _element(answer, "allocationId")
        address = _element(answer, "publicIp")
        _tag(allocation_id, properties)
        return address, {"AllocationId": allocation_id, "PublicIp": address}

    def delete(address: str, _properties: Properties) -> None:
        for allocation_id, record in list(ec2._addresses.items()):
            if record["PublicIp"] == address:
                ec2._release_address({"AllocationId": [allocation_id]})

    provisioners._RESOURCE_HANDLERS["AWS::EC2::EIP"] = {"create": create, "delete": delete}


def patch_nat_gateway() -> None:
    """AWS::EC2::NatGateway, from MiniStack's own EC2 API."""

    def create(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
        parameters = {
            key: [properties[key]] for key in ("SubnetId", "AllocationId", "ConnectivityType") if key in properties
        }
        gateway_id = _element(ec2._create_nat_gateway(parameters), "natGatewayId")
        _tag(gateway_id, properties)
        return gateway_id, {"NatGatewayId": gateway_id}

    def delete(gateway_id: str, _properties: Properties) -> None:
        ec2._delete_nat_gateway({"NatGatewayId": [gateway_id]})

    provisioners._RESOURCE_HANDLERS["AWS::EC2::NatGateway"] = {"create": create, "delete": delete}


def patch_flow_log() -> None:
    """AWS::EC2::FlowLog, which only gets its name: nothing flows.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-flowlog.html
    """

    def create(logical_id: str, _properties: Properties, stack: str) -> Provisioned:
        flow_log_id = f"fl-{hashlib.sha256(f'{stack}/{logical_id}'.encode()).hexdigest()[:17]}"
        return flow_log_id, {"Id": flow_log_id}

    def delete(_physical_id: str, _properties: Properties) -> None:
        return None

    provisioners._RESOURCE_HANDLERS["AWS::EC2::FlowLog"] = {"create": create, "delete": delete}


def patch_security_group_rules() -> None:
    """AWS::EC2::SecurityGroupIngress and ::SecurityGroupEgress, from MiniStack's own EC2 API.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroupingress.html
    """
    calls = {
        "Ingress": (ec2._authorize_sg_ingress, ec2._revoke_sg_ingress, "SourceSecurityGroupId"),
        "Egress": (ec2._authorize_sg_egress, ec2._revoke_sg_egress, "DestinationSecurityGroupId"),
    }

    def handler(direction: str) -> dict[str, Callable[..., Any]]:
        authorize, revoke, other_group = calls[direction]

        def create(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
            rule_id = _element(authorize(_permission(properties, other_group)), "securityGroupRuleId")
            return rule_id, {"Id": rule_id}

        def delete(_rule_id: str, properties: Properties) -> None:
            revoke(_permission(properties, other_group))

        return {"create": create, "delete": delete}

    for direction in calls:
        provisioners._RESOURCE_HANDLERS[f"AWS::EC2::SecurityGroup{direction}"] = handler(direction)


def patch_scaling() -> None:
    """AWS::ApplicationAutoScaling::ScalableTarget and ::ScalingPolicy, which only get their names.

    The formats are those of `Ref`:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-applicationautoscaling-scalabletarget.html
    """

    def create_target(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
        names = (properties[key] for key in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
        target_id = "|".join(names)
        return target_id, {"Id": target_id}

    def create_policy(logical_id: str, properties: Properties, stack: str) -> Provisioned:
        name = properties.get("PolicyName", logical_id)
        arn = f"arn:aws:autoscaling:::scalingPolicy:{stack}:{logical_id}:policyName/{name}"
        return arn, {"Arn": arn}

    def delete(_physical_id: str, _properties: Properties) -> None:
        return None

    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::ApplicationAutoScaling::ScalableTarget"] = {"create": create_target, "delete": delete}
    handlers["AWS::ApplicationAutoScaling::ScalingPolicy"] = {"create": create_policy, "delete": delete}


def patch_vpc_attributes() -> None:
    """GetAtt CidrBlock of a VPC, which the CDK's security groups and endpoints ask for."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::EC2::VPC"]
    create_vpc, update_vpc = handler["create"], handler["update"]

    def with_cidr(provisioned: Provisioned) -> Provisioned:
        vpc_id, attributes = provisioned
        return vpc_id, {**attributes, "CidrBlock": ec2._vpcs[vpc_id]["CidrBlock"]}

    def create(logical_id: str, properties: Properties, stack: str) -> Provisioned:
        return with_cidr(create_vpc(logical_id, properties, stack))

    def update(vpc_id: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Provisioned:
        return with_cidr(update_vpc(vpc_id, old, new, stack, logical_id))

    handler.update(create=create, update=update)


def patch_bucket_tags() -> None:
    """Tags of a bucket: the CDK empties a bucket before its deletion only when its tag says so."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create_bucket, update_bucket = handler["create"], handler["update"]

    def tagged(provisioned: Provisioned, properties: Properties) -> Provisioned:
        name, _attributes = provisioned
        s3._bucket_tags[name] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        return provisioned

    def create(logical_id: str, properties: Properties, stack: str) -> Provisioned:
        return tagged(create_bucket(logical_id, properties, stack), properties)

    def update(name: str, old: Properties, new: Properties, stack: str) -> Provisioned:
        return tagged(update_bucket(name, old, new, stack), new)

    handler.update(create=create, update=update)
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")


def patch_custom_resource_timeout() -> None:
    """A custom resource that breaks fails the deploy in a minute, not in an hour."""
    invoke = custom_resource.invoke_custom_resource

    def invoke_briefly(request_type: str, logical_id: str, props: Properties, *rest: object, **named: object) -> object:
        # The rest is MiniStack's own signature, not ours to repeat.
        brief = {"ServiceTimeout": CUSTOM_RESOURCE_SECONDS, **props}
        return invoke(request_type, logical_id, brief, *rest, **named)

    custom_resource.invoke_custom_resource = invoke_briefly


def patch_named_query() -> None:
    """AWS::Athena::NamedQuery, from MiniStack's own Athena API; a change replaces the query, as in AWS.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-athena-namedquery.html
    """

    def create(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
        query_id = _json(athena._create_named_query(properties))["NamedQueryId"]
        return query_id, {"NamedQueryId": query_id}

    def delete(query_id: str, _properties: Properties) -> None:
        athena._delete_named_query({"NamedQueryId": query_id})

    def update(query_id: str, _old: Properties, new: Properties, stack: str) -> Provisioned:
        delete(query_id, {})
        return create("", new, stack)

    provisioners._RESOURCE_HANDLERS["AWS::Athena::NamedQuery"] = {"create": create, "update": update, "delete": delete}


def patch_metric_maths() -> None:
    """An AWS::CloudWatch::Alarm over an expression, which is stored and never evaluated.

    It takes the name of an alarm of a metric that nobody writes; what it watches is told under `Metrics`.
    """
    record = provisioners._cw_metric_alarm_record

    def with_maths(name: str, properties: Properties) -> dict[str, Any]:
        if not properties.get("Metrics"):
            return dict(record(name, properties))
        plain = {key: value for key, value in properties.items() if key != "Metrics"}
        stored = record(name, {**plain, "Namespace": "Unevaluated", "MetricName": name})
        return {**stored, "Metrics": properties["Metrics"]}

    provisioners._cw_metric_alarm_record = with_maths


def patch_collections() -> None:
    """AWS::OpenSearchServerless::*, which only get their names and endpoints: there is no collection behind them.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_OpenSearchServerless.html
    """

    def create_collection(_logical_id: str, properties: Properties, stack: str) -> Provisioned:
        collection_id = hashlib.sha256(f"{stack}/{properties['Name']}".encode()).hexdigest()[:20]
        endpoint = f"https://{collection_id}.{get_region()}.aoss.amazonaws.com"
        return collection_id, {
            "Id": collection_id,
            "Arn": f"arn:aws:aoss:{get_region()}:{get_account_id()}:collection/{collection_id}",
            "CollectionEndpoint": endpoint,
            "DashboardEndpoint": f"{endpoint}/_dashboards",
        }

    def create_policy(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
        return f"{properties['Type']}|{properties['Name']}", {}

    def create_endpoint(logical_id: str, _properties: Properties, stack: str) -> Provisioned:
        endpoint_id = f"vpce-{hashlib.sha256(f'{stack}/{logical_id}'.encode()).hexdigest()[:17]}"
        return endpoint_id, {"Id": endpoint_id}

    def delete(_physical_id: str, _properties: Properties) -> None:
        return None

    creators = {"Collection": create_collection, "VpcEndpoint": create_endpoint} | dict.fromkeys(
        ("AccessPolicy", "LifecyclePolicy", "SecurityPolicy"), create_policy
    )
    for kind, create in creators.items():
        handler = {"create": create, "delete": delete}
        provisioners._RESOURCE_HANDLERS[f"AWS::OpenSearchServerless::{kind}"] = handler


def patch_service_linked_role() -> None:
    """AWS::IAM::ServiceLinkedRole, which only gets its name: nothing here checks a permission."""

    def create(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
        name = f"AWSServiceRoleFor{properties['AWSServiceName'].split('.')[0]}"
        return name, {"RoleName": name}

    def delete(_name: str, _properties: Properties) -> None:
        return None

    provisioners._RESOURCE_HANDLERS["AWS::IAM::ServiceLinkedRole"] = {"create": create, "delete": delete}


PATCHES: tuple[Callable[[], None], ...] = (
    patch_elastic_ip,
    patch_nat_gateway,
    patch_flow_log,
    patch_security_group_rules,
    patch_scaling,
    patch_vpc_attributes,
    patch_bucket_tags,
    patch_custom_resource_timeout,
    patch_named_query,
    patch_metric_maths,
    patch_collections,
    patch_service_linked_role,
    *runpy.run_path(str(_STREAMS))["PATCHES"],
)


def main() -> None:
    """Patch MiniStack and serve until SIGTERM."""
    from ministack.app import main as serve  # type: ignore[import-untyped]  # noqa: PLC0415 - starts to configure logging

    for patch in PATCHES:
        patch()
    serve()


def _json(answer: Answer) -> dict[str, Any]:
    told = json.loads(answer[2])
    return told if isinstance(told, dict) else {}


def _element(answer: Answer, name: str) -> str:
    status, _headers, body = answer
    text = body.decode() if isinstance(body, bytes) else body
    found = re.search(f"<{name}>(.*?)</{name}>", text)
    if status >= 400 or found is None:  # noqa: PLR2004 - HTTP's errors begin there
        raise ValueError(f"MiniStack's EC2 answered {status} without {name}: {text}")
    return found.group(1)


def _permission(properties: Properties, other_group: str) -> dict[str, list[str]]:
    """A rule's properties as the EC2 API's query parameters."""
    names = {
        "IpProtocol": "IpProtocol",
        "FromPort": "FromPort",
        "ToPort": "ToPort",
        "CidrIp": "IpRanges.1.CidrIp",
        "Description": "IpRanges.1.Description",
        other_group: "Groups.1.GroupId",
    }
    permission = {f"IpPermissions.1.{to}": [str(properties[key])] for key, to in names.items() if key in properties}
    return {"GroupId": [properties["GroupId"]], **permission}


def _tag(resource_id: str, properties: Properties) -> None:
    if properties.get("Tags"):
        ec2._tags[resource_id] = list(properties["Tags"])


if __name__ == "__main__":
    main()
