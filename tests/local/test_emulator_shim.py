"""Each patch of MiniStack is still needed, and does what our stacks need of it.

These run in processes of their own: what a patch changes is global to MiniStack.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHIM = Path(__file__).parents[2] / "local" / "emulator_shim.py"
PREPARE = f"""
import json, runpy
from ministack.services import ec2, s3
from ministack.services.cloudformation import custom_resource, provisioners
handlers = provisioners._RESOURCE_HANDLERS
if PATCHED:
    for patch in runpy.run_path({str(SHIM)!r})["PATCHES"]:
        patch()
def provision(kind, properties):
    return provisioners._provision_resource(kind, "Thing", properties, "stack")
def answer(value):
    print("ANSWER" + json.dumps(value))
"""


def in_ministack(code: str, tmp_path: Path, *, patched: bool) -> object:
    done = subprocess.run(
        [sys.executable, "-c", f"PATCHED = {patched}\n{PREPARE}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"STATE_DIR": str(tmp_path), "S3_DATA_DIR": str(tmp_path)},
        timeout=60,
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    return json.loads(line.removeprefix("ANSWER"))


def still_lacks(code: str, tmp_path: Path, patch: str) -> None:
    """`code` answers true where MiniStack by itself lacks what the patch brings."""
    assert in_ministack(code, tmp_path, patched=False) is True, f"MiniStack has it now: remove this patch, {patch}"


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("AWS::EC2::EIP", "patch_elastic_ip"),
        ("AWS::EC2::NatGateway", "patch_nat_gateway"),
        ("AWS::EC2::FlowLog", "patch_flow_log"),
        ("AWS::EC2::SecurityGroupIngress", "patch_security_group_rules"),
        ("AWS::EC2::SecurityGroupEgress", "patch_security_group_rules"),
        ("AWS::ApplicationAutoScaling::ScalableTarget", "patch_scaling"),
        ("AWS::ApplicationAutoScaling::ScalingPolicy", "patch_scaling"),
    ],
)
def test_ministack_still_lacks_the_resource(kind: str, patch: str, tmp_path: Path):
    still_lacks(f"answer({kind!r} not in handlers)", tmp_path, patch)


def test_ministack_still_lacks_a_vpcs_cidr(tmp_path: Path):
    code = "answer('CidrBlock' not in provision('AWS::EC2::VPC', {'CidrBlock': '10.1.0.0/16'})[1])"
    still_lacks(code, tmp_path, "patch_vpc_attributes")


BUCKET = """
name, _ = provision("AWS::S3::Bucket", {"BucketName": "b", "Tags": [{"Key": "k", "Value": "v"}]})
"""


def test_ministack_still_lacks_a_buckets_tags(tmp_path: Path):
    still_lacks(f"{BUCKET}\nanswer(not s3._bucket_tags.get(name))", tmp_path, "patch_bucket_tags")


def test_ministack_still_waits_an_hour_for_a_custom_resource(tmp_path: Path):
    code = "import inspect; answer('\"ServiceTimeout\", 3600' in inspect.getsource(custom_resource))"
    still_lacks(code, tmp_path, "patch_custom_resource_timeout")


def test_an_address_and_a_gateway_come_and_go(tmp_path: Path):
    code = """
address, at = provision("AWS::EC2::EIP", {"Domain": "vpc", "Tags": [{"Key": "k", "Value": "v"}]})
gateway, _ = provision("AWS::EC2::NatGateway", {"SubnetId": "subnet-1", "AllocationId": at["AllocationId"]})
before = [len(ec2._addresses), ec2._nat_gateways[gateway]["State"], ec2._tags[at["AllocationId"]]]
provisioners._delete_resource("AWS::EC2::NatGateway", gateway, {})
provisioners._delete_resource("AWS::EC2::EIP", address, {})
answer([at["PublicIp"] == address, before, len(ec2._addresses), ec2._nat_gateways[gateway]["State"]])
"""
    assert in_ministack(code, tmp_path, patched=True) == [
        True,
        [1, "available", [{"Key": "k", "Value": "v"}]],
        0,
        "deleted",
    ]


@pytest.mark.parametrize(
    ("direction", "store", "other"),
    [
        ("Ingress", "IpPermissions", "SourceSecurityGroupId"),
        ("Egress", "IpPermissionsEgress", "DestinationSecurityGroupId"),
    ],
)
def test_a_rule_of_a_security_group_comes_and_goes(direction: str, store: str, other: str, tmp_path: Path):
    code = f"""
vpc, _ = provision("AWS::EC2::VPC", {{"CidrBlock": "10.1.0.0/16"}})
group, _ = provision("AWS::EC2::SecurityGroup", {{"VpcId": vpc, "GroupDescription": "d"}})
def ports():
    return [rule.get("FromPort") for rule in ec2._security_groups[group][{store!r}] if rule["IpProtocol"] == "tcp"]
rule = {{"GroupId": group, "IpProtocol": "tcp", "FromPort": 24224, "ToPort": 24224, {other!r}: group}}
name, _ = provision("AWS::EC2::SecurityGroup{direction}", rule)
there = ports()
provisioners._delete_resource("AWS::EC2::SecurityGroup{direction}", name, rule)
answer([name.startswith("sgr-"), there, ports()])
"""
    assert in_ministack(code, tmp_path, patched=True) == [True, [24224], []]


def test_a_flow_log_has_a_name_and_goes(tmp_path: Path):
    code = """
name, at = provision("AWS::EC2::FlowLog", {"ResourceType": "VPC"})
provisioners._delete_resource("AWS::EC2::FlowLog", name, {})
answer([name.startswith("fl-"), at["Id"] == name])
"""
    assert in_ministack(code, tmp_path, patched=True) == [True, True]


def test_scaling_gets_the_names_that_refer_to_it(tmp_path: Path):
    code = """
target = {"ResourceId": "service/c/s", "ScalableDimension": "ecs:service:DesiredCount", "ServiceNamespace": "ecs"}
name, _ = provision("AWS::ApplicationAutoScaling::ScalableTarget", target)
policy, _ = provision("AWS::ApplicationAutoScaling::ScalingPolicy", {"PolicyName": "cpu"})
for kind, thing in (("ScalableTarget", name), ("ScalingPolicy", policy)):
    provisioners._delete_resource(f"AWS::ApplicationAutoScaling::{kind}", thing, {})
answer([name, policy.startswith("arn:aws:autoscaling:"), policy.endswith("policyName/cpu")])
"""
    assert in_ministack(code, tmp_path, patched=True) == ["service/c/s|ecs:service:DesiredCount|ecs", True, True]


def test_a_vpcs_cidr_is_answered_also_after_an_update(tmp_path: Path):
    code = """
vpc, at = provision("AWS::EC2::VPC", {"CidrBlock": "10.1.0.0/16"})
_, later = handlers["AWS::EC2::VPC"]["update"](vpc, {"CidrBlock": "10.1.0.0/16"},
    {"CidrBlock": "10.1.0.0/16", "EnableDnsSupport": True}, "stack", "Thing")
answer([at["CidrBlock"], later["CidrBlock"]])
"""
    assert in_ministack(code, tmp_path, patched=True) == ["10.1.0.0/16", "10.1.0.0/16"]


def test_a_buckets_tags_are_kept_and_replaced(tmp_path: Path):
    code = f"""{BUCKET}
before = dict(s3._bucket_tags[name])
new = {{"BucketName": "b", "Tags": [{{"Key": "k", "Value": "w"}}]}}
handlers["AWS::S3::Bucket"]["update"](name, {{"BucketName": "b"}}, new, "stack")
answer([before, dict(s3._bucket_tags[name])])
"""
    assert in_ministack(code, tmp_path, patched=True) == [{"k": "v"}, {"k": "w"}]


@pytest.mark.parametrize(("given", "expected"), [({}, 60), ({"ServiceTimeout": "5"}, "5")])
def test_a_custom_resource_has_a_minute_unless_it_says_otherwise(
    given: dict[str, str], expected: int | str, tmp_path: Path
):
    code = f"""
import runpy
custom_resource.invoke_custom_resource = lambda kind, logical_id, props, *rest, **named: props["ServiceTimeout"]
runpy.run_path({str(SHIM)!r})["patch_custom_resource_timeout"]()
answer(custom_resource.invoke_custom_resource("Create", "Thing", {given!r}, "stack", "id", resource_type="Custom::X"))
"""
    assert in_ministack(code, tmp_path, patched=False) == expected
