"""The canary reaches what it looks at and nothing else, is called, and its alarms say what to do."""

import json
import os
import subprocess
import sys

import pytest

from sluice import canary, names
from sluice.model import Canary, deployment
from stacks.canary import SHIPPED, canary_package

pytestmark = pytest.mark.synth

ARN = "arn:<Partition>"
LOGS = f"{ARN}:s3:::shop-dev-logs-<AccountId>-<Region>"


@pytest.fixture
def function(dev):
    return dev.properties("canary", "AWS::Lambda::Function", FunctionName="shop-dev-canary")


@pytest.fixture
def role(dev):
    return dev.properties("canary", "AWS::IAM::Role", RoleName="shop-dev-canary")


def allowed(assembly, role):
    """Resources by action, those for network interfaces aside."""
    found = {}
    for statement in assembly.statements("canary", role):
        if not any(action.startswith("ec2:") for action in statement["actions"]):
            for action in statement["actions"]:
                found.setdefault(action, set()).update(statement["resources"])
    return found


def test_an_environment_can_do_without(synthesize, here):
    without = here.model_copy(update={"canary": Canary(enabled=False)})
    assert "shop-dev-canary" not in synthesize(without).stacks


def test_it_may_read_what_it_watches_and_write_its_own_folder(dev, role):
    found = allowed(dev, role)
    assert found["s3:PutObject"] == {f"{LOGS}/canary/*"}
    assert found["s3:ListBucket"] == {LOGS}
    routes = ("web", "web-2", "quick", "catch-all")
    watched = {f"{LOGS}/{what}/route={name}/*" for name in routes for what in ("logs", "failed")}
    assert found["s3:GetObject"] == {f"{LOGS}/canary/*", *watched}
    assert found.keys() == {
        "s3:PutObject",
        "s3:ListBucket",
        "s3:GetObject",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_it_may_search_its_routes_and_no_more(searching):
    assembly = searching("domain")
    found = allowed(assembly, assembly.properties("canary", "AWS::IAM::Role", RoleName="shop-dev-canary"))
    domain = f"{ARN}:es:<Region>:<AccountId>:domain/shop-dev-search"
    assert found["es:ESHttpPost"] == {f"{domain}/shop-dev-web*/_search", f"{domain}/shop-dev-api*/_search"}
    assert not any(action.startswith("es:") for action in found if action != "es:ESHttpPost")
    assert f"{LOGS}/logs/route=web/*" not in found["s3:GetObject"], "its documents are not there"
    assert f"{LOGS}/failed/route=web/*" in found["s3:GetObject"]


@pytest.mark.parametrize(
    ("kind", "service"), [("domain", "es"), ("existing", "es"), ("existing_vpc", "es"), ("collection", "aoss")]
)
def test_it_is_told_where_the_search_is(searching, spelled, kind, service):
    function = searching(kind).properties("canary", "AWS::Lambda::Function", FunctionName="shop-dev-canary")
    told = function["Environment"]["Variables"]
    assert told["SLUICE_SEARCH_SERVICE"] == service
    endpoint = spelled(told["SLUICE_SEARCH_ENDPOINT"])
    assert endpoint.startswith("https://" if kind.startswith("existing") else "<SsmParameterValue")


def test_it_is_told_its_routes(function, here, spelled):
    told = function["Environment"]["Variables"]
    assert told[canary.VARIABLE] == canary.told(here)
    assert spelled(told["SLUICE_BUCKET"]) == "shop-dev-logs-<AccountId>-<Region>"
    assert told["SLUICE_SYSTEM"] == "shop-dev"
    assert "SLUICE_SEARCH_ENDPOINT" not in told


def test_it_is_in_the_private_subnets_and_sends_to_the_listeners_only(dev, function):
    [group] = dev.resources("canary", "AWS::EC2::SecurityGroup")
    out = {(rule["FromPort"], rule.get("CidrIp") != "0.0.0.0/0") for rule in group["Properties"]["SecurityGroupEgress"]}
    assert out == {(24224, True), (24225, True), (443, False)}
    assert "SecurityGroupIngress" not in group["Properties"]
    assert len(function["VpcConfig"]["SubnetIds"]) == 2


def test_it_is_called_each_minute_and_each_five_and_never_again(dev):
    rules = {each["Properties"]["Name"]: each["Properties"] for each in dev.resources("canary", "AWS::Events::Rule")}
    assert {name: rule["ScheduleExpression"] for name, rule in rules.items()} == {
        "shop-dev-canary-send": "rate(1 minute)",
        "shop-dev-canary-verify": "rate(5 minutes)",
    }
    for name, rule in rules.items():
        [target] = rule["Targets"]
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
        assert target["InputTransformer"]["InputPathsMap"] == {"time": "$.time"}
        assert name.rpartition("-")[2] in target["InputTransformer"]["InputTemplate"]
    [invoked] = dev.resources("canary", "AWS::Lambda::EventInvokeConfig")
    assert invoked["Properties"]["MaximumRetryAttempts"] == 0


def alarms(assembly):
    return {
        each["Properties"]["AlarmName"]: each["Properties"]
        for each in assembly.resources("canary", "AWS::CloudWatch::Alarm")
    }


def test_every_route_has_its_alarms(dev, route):
    found = alarms(dev)
    lost, slow, blind = (found[f"shop-dev-canary-{route.name}-{what}"] for what in ("lost", "slow", "blind"))
    for alarm in (lost, slow, blind):
        assert alarm["Namespace"] == "Sluice/Canary"
        dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        assert dimensions == {"System": "shop-dev", "Route": route.name}
    assert (lost["MetricName"], lost["Statistic"], lost["Threshold"]) == ("Lost", "Sum", 1)
    assert (lost["TreatMissingData"], lost["EvaluationPeriods"]) == ("notBreaching", 1)
    assert "alarms of stream shop-dev-" in lost["AlarmDescription"]
    expected = route.buffering.interval_seconds + route.buffering.transform_interval_seconds + 5
    assert (slow["MetricName"], slow["Statistic"], slow["Threshold"]) == ("Latency", "Maximum", 2 * expected)
    assert (blind["MetricName"], blind["Threshold"]) == ("Judged", 1)
    assert (blind["ComparisonOperator"], blind["TreatMissingData"]) == ("LessThanThreshold", "breaching")
    # Objects come at the end of an interval, so that between two of them nothing is found.
    assert blind["EvaluationPeriods"] * 300 > 2 * expected + 60 + 300


def test_what_is_not_acknowledged_has_one(dev):
    alarm = alarms(dev)["shop-dev-canary-refused"]
    assert (alarm["MetricName"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("NotSent", 1, 3)
    assert alarm["Dimensions"] == [{"Name": "System", "Value": "shop-dev"}]


def test_a_route_that_is_not_watched_has_none(synthesize, config):
    told = {**config.model_dump(mode="json", exclude_unset=True)}
    told["routes"] = [{"name": "p", "match": "p*", "destination": {"kind": "s3", "format": "parquet"}}]
    assembly = synthesize(deployment(type(config).model_validate(told), "dev"))
    assert not any("-p-" in name for name in alarms(assembly))
    assert any("-catch-all-" in name for name in alarms(assembly))


def test_the_package_is_complete_without_anything_of_ours(here, tmp_path):
    """Imported by a Python that sees the package and boto3, as Lambda's does."""
    made = canary_package(here)
    ours = {
        file.relative_to(made).as_posix() for file in made.rglob("*.py") if file.parts[-2] in {"loadtest", "canary"}
    }
    assert {f"loadtest/{name}.py" for name in SHIPPED} < ours
    assert not (made / "numpy").exists()
    assert (made / "msgpack").is_dir()
    (tmp_path / "loadtest").symlink_to(made / "loadtest")
    script = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"numpy", "pydantic", "yaml", "sluice", "orjson", "stacks"}:
            raise AssertionError(name)
sys.meta_path.insert(0, Refuse())
import loadtest.canary.handler
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_variables_fit_lambdas_environment(function):
    others = {name: value for name, value in function["Environment"]["Variables"].items() if name != canary.VARIABLE}
    longest = json.dumps({name: "x" * 100 if isinstance(value, dict) else value for name, value in others.items()})
    assert len(longest) < canary.OTHER_VARIABLES_BYTES


def test_its_name_is_that_of_its_role(here):
    assert names.canary(here) == "shop-dev-canary"
