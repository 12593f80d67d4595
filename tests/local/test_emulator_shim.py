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
from ministack.services import athena, cloudwatch, ec2, firehose, kinesis, s3
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
        timeout=300,
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
        ("AWS::Athena::NamedQuery", "patch_named_query"),
        ("AWS::OpenSearchServerless::Collection", "patch_collections"),
        ("AWS::OpenSearchServerless::AccessPolicy", "patch_collections"),
        ("AWS::OpenSearchServerless::LifecyclePolicy", "patch_collections"),
        ("AWS::OpenSearchServerless::SecurityPolicy", "patch_collections"),
        ("AWS::OpenSearchServerless::VpcEndpoint", "patch_collections"),
        ("AWS::IAM::ServiceLinkedRole", "patch_service_linked_role"),
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


def test_a_named_query_comes_is_replaced_and_goes(tmp_path: Path):
    code = """
query = {"Name": "errors", "Database": "d", "QueryString": "select 1", "WorkGroup": "w"}
first, at = provision("AWS::Athena::NamedQuery", query)
def held():
    return [(each["Name"], each["QueryString"]) for each in athena._named_queries.values()]
before = held()
second, _ = handlers["AWS::Athena::NamedQuery"]["update"](first, query, {**query, "QueryString": "select 2"}, "stack")
after = held()
provisioners._delete_resource("AWS::Athena::NamedQuery", second, {})
answer([at["NamedQueryId"] == first, before, after, held()])
"""
    assert in_ministack(code, tmp_path, patched=True) == [
        True,
        [["errors", "select 1"]],
        [["errors", "select 2"]],
        [],
    ]


ALARM = """
maths = [{"Id": "ratio", "Expression": "a / b"}]
alarm = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 1, "EvaluationPeriods": 1}
"""


def test_ministack_still_refuses_an_alarm_over_an_expression(tmp_path: Path):
    code = f"""{ALARM}
try:
    provision("AWS::CloudWatch::Alarm", {{**alarm, "Metrics": maths}})
    answer(False)
except ValueError as error:
    answer("metric math" in str(error))
"""
    still_lacks(code, tmp_path, "patch_metric_maths")


def test_an_alarm_over_an_expression_is_stored_and_a_plain_one_is_as_it_was(tmp_path: Path):
    code = f"""{ALARM}
name, at = provision("AWS::CloudWatch::Alarm", {{**alarm, "AlarmName": "maths", "Metrics": maths}})
provision("AWS::CloudWatch::Alarm", {{**alarm, "AlarmName": "plain", "Namespace": "N", "MetricName": "M"}})
stored, plain = cloudwatch._alarms["maths"], cloudwatch._alarms["plain"]
answer([at["Arn"].endswith(":maths"), stored["Metrics"], stored["StateValue"], plain["Namespace"], "Metrics" in plain])
"""
    assert in_ministack(code, tmp_path, patched=True) == [
        True,
        [{"Id": "ratio", "Expression": "a / b"}],
        "INSUFFICIENT_DATA",
        "N",
        False,
    ]


def test_a_collection_has_what_is_asked_of_it(tmp_path: Path):
    code = """
name, at = provision("AWS::OpenSearchServerless::Collection", {"Name": "logs", "Type": "TIMESERIES"})
policy, _ = provision("AWS::OpenSearchServerless::AccessPolicy", {"Name": "logs", "Type": "data", "Policy": "[]"})
endpoint, to = provision("AWS::OpenSearchServerless::VpcEndpoint", {"Name": "e", "VpcId": "v", "SubnetIds": ["s"]})
for kind, thing in (("Collection", name), ("AccessPolicy", policy), ("VpcEndpoint", endpoint)):
    provisioners._delete_resource(f"AWS::OpenSearchServerless::{kind}", thing, {})
answer([at["Id"] == name, at["Arn"].endswith(f":collection/{name}"), at["CollectionEndpoint"].startswith("https://"),
    at["DashboardEndpoint"] == at["CollectionEndpoint"] + "/_dashboards", policy, to["Id"] == endpoint])
"""
    assert in_ministack(code, tmp_path, patched=True) == [True, True, True, True, "data|logs", True]


def test_a_service_linked_role_has_its_name(tmp_path: Path):
    code = """
name, _ = provision("AWS::IAM::ServiceLinkedRole", {"AWSServiceName": "opensearchservice.amazonaws.com"})
provisioners._delete_resource("AWS::IAM::ServiceLinkedRole", name, {})
answer(name)
"""
    assert in_ministack(code, tmp_path, patched=True) == "AWSServiceRoleForopensearchservice"


SEARCH_STREAM = """
settings = {"IndexName": "i", "S3Configuration": {"BucketARN": "arn:aws:s3:::b"}, "VpcConfiguration": {"SubnetIds": []}}
for name in ("Amazonopensearchservice", "AmazonOpenSearchServerless"):
    provision("AWS::KinesisFirehose::DeliveryStream",
        {"DeliveryStreamName": name, f"{name}DestinationConfiguration": settings})
def described(name):
    answered = json.loads(firehose._describe_delivery_stream({"DeliveryStreamName": name})[2])
    (found,) = answered["DeliveryStreamDescription"]["Destinations"]
    return {key: value for key, value in found.items() if key != "DestinationId"}
"""


def test_ministack_still_describes_an_opensearch_destination_under_names_of_its_own(tmp_path: Path):
    code = (
        f"{SEARCH_STREAM}\nanswer('S3DestinationDescription' not in json.dumps(described('Amazonopensearchservice')))"
    )
    still_lacks(code, tmp_path, "patch_search_descriptions")


def test_an_opensearch_destination_is_described_under_awss_names(tmp_path: Path):
    code = f"""{SEARCH_STREAM}
provision("AWS::KinesisFirehose::DeliveryStream", {{"DeliveryStreamName": "s3",
    "ExtendedS3DestinationConfiguration": {{"BucketARN": "arn:aws:s3:::bbb"}}}})
answer([described("Amazonopensearchservice"), described("AmazonOpenSearchServerless"), list(described("s3"))])
"""
    inside = {
        "IndexName": "i",
        "S3DestinationDescription": {"BucketARN": "arn:aws:s3:::b"},
        "VpcConfigurationDescription": {"SubnetIds": []},
    }
    assert in_ministack(code, tmp_path, patched=True) == [
        {"AmazonopensearchserviceDestinationDescription": inside},
        {"AmazonOpenSearchServerlessDestinationDescription": inside},
        ["ExtendedS3DestinationDescription"],
    ]


DATA_STREAM = """
kinesis._create_stream({"StreamName": "s", "ShardCount": 1})
arn = kinesis._streams["s"]["StreamARN"]
def call(action, **data):
    status, _, body = getattr(kinesis, action)({"StreamName": "s", **data})
    return json.loads(body) if status == 200 else status
def put(key, data="eA=="):
    return call("_put_record", PartitionKey=key, Data=data)["ShardId"]
def shards():
    return call("_list_shards")["Shards"]
def read(shard):
    iterator = call("_get_shard_iterator", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    return call("_get_records", ShardIterator=iterator, Limit=1)
"""

FAN_OUT = f"""{DATA_STREAM}
firehose._create_delivery_stream({{"DeliveryStreamName": "f", "DeliveryStreamType": "KinesisStreamAsSource",
    "KinesisStreamSourceConfiguration": {{"KinesisStreamARN": arn}},
    "ExtendedS3DestinationConfiguration": {{"BucketARN": "arn:aws:s3:::bbb"}}}})
put("k")
call("_put_records", Records=[{{"PartitionKey": "k", "Data": "eA=="}}])
pushed = len(firehose._streams["f"]["destinations"][0]["records"])
"""


def test_ministack_still_pushes_from_kinesis_to_its_own_firehose(tmp_path: Path):
    still_lacks(f"{FAN_OUT}\nanswer(pushed == 2)", tmp_path, "patch_fan_out")


def test_nothing_is_pushed_from_kinesis_and_all_of_it_is_in_the_shard(tmp_path: Path):
    code = f"{FAN_OUT}\nanswer([pushed, len(kinesis._streams['s']['shards']['shardId-000000000000']['records'])])"
    assert in_ministack(code, tmp_path, patched=True) == [0, 2]


HALF = str(2**127)
SPLIT = f"""{DATA_STREAM}
put("k"); put("k")
split = call("_split_shard", ShardToSplit="shardId-000000000000", NewStartingHashKey="{HALF}")
"""


def test_ministack_still_deletes_a_shard_that_is_split(tmp_path: Path):
    code = f"{SPLIT}\nanswer('shardId-000000000000' not in [shard['ShardId'] for shard in shards()])"
    still_lacks(code, tmp_path, "patch_closed_shards")


def test_a_split_shard_is_closed_and_read_to_its_end(tmp_path: Path):
    code = f"""{SPLIT}
first = read("shardId-000000000000")
second = call("_get_records", ShardIterator=first["NextShardIterator"])
answer([split, [("EndingSequenceNumber" in shard["SequenceNumberRange"]) for shard in shards()],
    len(first["Records"]), len(second["Records"]), "NextShardIterator" in second,
    sorted({{put(key) for key in "abcdefgh"}}), len(read("shardId-000000000001")["Records"]),
    "NextShardIterator" in read("shardId-000000000001")])
"""
    children = ["shardId-000000000001", "shardId-000000000002"]
    assert in_ministack(code, tmp_path, patched=True) == [{}, [True, False, False], 1, 1, False, children, 1, True]


def test_merged_shards_are_closed_and_neither_can_be_merged_or_split_again(tmp_path: Path):
    code = f"""{SPLIT}
one, two, three = (f"shardId-{{number:012d}}" for number in (1, 2, 3))
merged = call("_merge_shards", ShardToMerge=one, AdjacentShardToMerge=two)
again = call("_merge_shards", ShardToMerge=one, AdjacentShardToMerge=two)
split = call("_split_shard", ShardToSplit=one, NewStartingHashKey="5")
answer([merged, again, split, call("_split_shard", ShardToSplit="nobody", NewStartingHashKey="5"),
    put("k") == three, [shard["ShardId"] for shard in shards() if "ParentShardId" in shard]])
"""
    shards = [f"shardId-{number:012d}" for number in (1, 2, 3)]
    assert in_ministack(code, tmp_path, patched=True) == [{}, 400, 400, 400, True, shards]
