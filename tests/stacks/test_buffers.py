"""A data stream per route via kinesis keeps what it should for as long as it should, and says before it would not."""

import json

import pytest

from sluice.model import Config, deployment

pytestmark = pytest.mark.synth

KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CONFIG = Config.model_validate(
    {
        "name": "shop",
        "environments": {"dev": {"removal": "destroy"}, "prod": {}},
        "routes": [
            {"name": "plain", "match": "plain*"},
            {"name": "grows", "match": "grows*", "via": "kinesis"},
            {
                "name": "fixed",
                "match": "fixed*",
                "via": "kinesis",
                "kinesis": {"mode": "provisioned", "shards": 3, "retention_hours": 168, "key_arn": KEY},
            },
        ],
    }
)


@pytest.fixture(scope="module")
def made(synthesize):
    return synthesize(deployment(CONFIG, "dev"), checked=True)


@pytest.fixture(scope="module")
def kept(synthesize):
    return synthesize(deployment(CONFIG, "prod"))


def streams(assembly):
    return {each["Properties"]["Name"]: each for each in assembly.resources("buffers", "AWS::Kinesis::Stream")}


def alarm(assembly, name):
    return assembly.properties("buffers", "AWS::CloudWatch::Alarm", AlarmName=name)


def test_only_routes_via_kinesis_have_one(made):
    assert streams(made).keys() == {"shop-dev-grows", "shop-dev-fixed"}


def test_without_such_a_route_there_is_no_stack(dev):
    assert not any(name.endswith("-buffers") for name in dev.stacks)


def test_on_demand_stream_has_no_shards_of_ours(made):
    told = streams(made)["shop-dev-grows"]["Properties"]
    assert told["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert "ShardCount" not in told
    assert told["RetentionPeriodHours"] == 24
    assert told["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}


def test_provisioned_stream_has_its_shards_retention_and_key(made):
    told = streams(made)["shop-dev-fixed"]["Properties"]
    assert told["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    assert told["ShardCount"] == 3
    assert told["RetentionPeriodHours"] == 168
    assert told["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": KEY}


def test_it_stays_where_logs_stay(made, kept):
    for each in streams(made).values():
        assert each["DeletionPolicy"] == "Delete"
    for each in streams(kept).values():
        assert (each["DeletionPolicy"], each["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize(("name", "hours"), [("grows", 12), ("fixed", 84)])
def test_half_of_the_retention_behind_is_told_and_so_is_nobody_reading(made, name, hours):
    told = alarm(made, f"shop-dev-{name}-kinesis-behind")
    assert (told["Namespace"], told["MetricName"]) == ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds")
    assert told["Dimensions"] == [{"Name": "StreamName", "Value": f"shop-dev-{name}"}]
    assert (told["Statistic"], told["Threshold"]) == ("Maximum", hours * 60 * 60 * 1000)
    assert told["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert told["TreatMissingData"] == "breaching"


@pytest.mark.parametrize("name", ["grows", "fixed"])
def test_refused_writes_are_told_when_they_go_on(made, name):
    told = alarm(made, f"shop-dev-{name}-kinesis-refused")
    assert (told["Namespace"], told["MetricName"]) == ("AWS/Kinesis", "WriteProvisionedThroughputExceeded")
    assert told["Dimensions"] == [{"Name": "StreamName", "Value": f"shop-dev-{name}"}]
    assert (told["Statistic"], told["Threshold"], told["Period"], told["EvaluationPeriods"]) == ("Sum", 1, 300, 3)
    assert told["TreatMissingData"] == "notBreaching"


def test_nothing_is_exported_and_readers_come_after_it(made):
    assert not any("Export" in output for output in made.template("buffers").get("Outputs", {}).values())
    assert "-buffers:" not in str(made.template("delivery"))
    manifest = json.loads((made.folder / "manifest.json").read_text())["artifacts"]
    assert "shop-dev-buffers" in manifest["shop-dev-delivery"]["dependencies"]
