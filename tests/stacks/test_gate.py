"""The gate is a service of its own beside the aggregator, which holds nothing and may do little."""

import json

import pytest

from gate import settings
from sluice import gate
from sluice.model import Listener

pytestmark = pytest.mark.synth


@pytest.fixture(scope="module")
def there(here):
    kept = Listener(name="kept", port=24230, acknowledge="accepted")
    sizes = here.gate.model_copy(update={"cpu": 512, "memory_mib": 1024, "max_tasks": 7})
    return here.model_copy(update={"listeners": (*here.listeners, kept), "gate": sizes})


@pytest.fixture(scope="module")
def assembly(synthesize, there):
    return synthesize(there, checked=True)


@pytest.fixture(scope="module")
def task(assembly):
    return assembly.properties("aggregator", "AWS::ECS::TaskDefinition", Family="shop-dev-gate")


@pytest.fixture(scope="module")
def container(task):
    [found] = task["ContainerDefinitions"]
    return found


def test_there_is_none_without_such_a_listener(dev):
    assert len(dev.resources("aggregator", "AWS::ECS::Service")) == 1


def test_task_has_the_configured_size_and_no_disk(task, container):
    assert (task["Cpu"], task["Memory"]) == ("512", "1024")
    assert not {"Volumes", "EphemeralStorage"} & task.keys()
    assert "MountPoints" not in container
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert container["StopTimeout"] == 120


def test_container_is_told_its_routes_and_its_own_ports_only(container, there, spelled):
    told = {each["Name"]: spelled(each["Value"]) for each in container["Environment"]}
    assert told == {"AWS_REGION": "<Region>", **gate.environment(there)}
    assert json.loads(told[settings.VARIABLE])["ports"] == [24230]
    assert [each["ContainerPort"] for each in container["PortMappings"]] == [24230]


def test_health_is_a_message_that_is_acknowledged(container):
    assert container["HealthCheck"]["Command"] == ["CMD", "python", "-m", "gate.health", "24230", "2021"]


def test_task_may_put_to_its_own_streams_and_nothing_else(assembly, task, there):
    role = assembly.template("aggregator")["Resources"][task["TaskRoleArn"]["Fn::GetAtt"][0]]["Properties"]
    arn = "arn:<Partition>:firehose:<Region>:<AccountId>:deliverystream/shop-dev-"
    assert assembly.statements("aggregator", role) == [
        {"actions": {"firehose:PutRecordBatch"}, "resources": {f"{arn}{route.name}" for route in there.routes}}
    ]
    assert "ManagedPolicyArns" not in role


def test_aggregator_knows_nothing_of_the_gates_port(assembly):
    task = assembly.properties("aggregator", "AWS::ECS::TaskDefinition", Family="shop-dev-aggregator")
    [container] = task["ContainerDefinitions"]
    assert [each["ContainerPort"] for each in container["PortMappings"]] == [24224, 24225]


def test_balancer_passes_its_port_to_it_and_nobody_else_gets_in(assembly):
    resources = assembly.template("aggregator")["Resources"]
    service = next(
        found["Properties"]
        for name, found in resources.items()
        if found["Type"] == "AWS::ECS::Service" and name.startswith("Gate")
    )
    assert [each["ContainerPort"] for each in service["LoadBalancers"]] == [24230]
    group = service["NetworkConfiguration"]["AwsvpcConfiguration"]["SecurityGroups"][0]["Fn::GetAtt"][0]
    assert [(rule["FromPort"], rule["CidrIp"]) for rule in resources[group]["Properties"]["SecurityGroupEgress"]] == [
        (443, "0.0.0.0/0")
    ]
    let_in = [
        each["Properties"]
        for each in assembly.resources("aggregator", "AWS::EC2::SecurityGroupIngress")
        if each["Properties"]["GroupId"]["Fn::GetAtt"][0] == group
    ]
    assert [(rule["FromPort"], "SourceSecurityGroupId" in rule) for rule in let_in] == [(24230, True)]
    ports = {
        each["Properties"]["Port"] for each in assembly.resources("aggregator", "AWS::ElasticLoadBalancingV2::Listener")
    }
    assert ports == {24224, 24225, 24230}


def test_tasks_are_scaled_by_cpu_between_the_configured_numbers(assembly):
    targets = [
        each["Properties"] for each in assembly.resources("aggregator", "AWS::ApplicationAutoScaling::ScalableTarget")
    ]
    assert {(each["MinCapacity"], each["MaxCapacity"]) for each in targets} == {(2, 10), (2, 7)}


def test_nothing_is_found_that_was_not_accepted(assembly):
    report = json.loads((assembly.folder / "validation-report.json").read_text())
    assert [each for plugin in report["pluginReports"] for each in plugin["violations"]] == []
