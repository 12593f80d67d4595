"""The aggregator has the configured size, the time to pass on what it acknowledged, and few rights."""

import pytest

from sluice import fluent_bit
from sluice.destinations import KinesisBuffer
from sluice.model import Image, deployment
from sluice.routes import Route

pytestmark = pytest.mark.synth


@pytest.fixture
def task(dev):
    return dev.properties("aggregator", "AWS::ECS::TaskDefinition")


@pytest.fixture
def container(task):
    [found] = task["ContainerDefinitions"]
    return found


@pytest.fixture
def service(dev):
    return dev.properties("aggregator", "AWS::ECS::Service")


@pytest.fixture
def balancer(dev):
    return dev.properties("aggregator", "AWS::ElasticLoadBalancingV2::LoadBalancer")


def attributes(found, key):
    return {each["Key"]: each["Value"] for each in found[key]}


def role_of(assembly, task, key):
    return assembly.template("aggregator")["Resources"][task[key]["Fn::GetAtt"][0]]["Properties"]


def test_task_has_the_configured_size(task, here):
    assert (task["Cpu"], task["Memory"]) == (str(here.aggregator.cpu), str(here.aggregator.memory_mib))
    assert task["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
    assert "EphemeralStorage" not in task


def test_disk_is_asked_for_only_where_it_is_more_than_every_task_has(synthesize, here):
    larger = here.aggregator.model_copy(update={"ephemeral_storage_gib": 21, "image": Image(uri="registry/image:1")})
    task = synthesize(here.model_copy(update={"aggregator": larger})).properties(
        "aggregator", "AWS::ECS::TaskDefinition"
    )
    assert task["EphemeralStorage"] == {"SizeInGiB": 21}


def test_stopping_leaves_fluent_bit_all_the_time_there_is(container):
    assert container["StopTimeout"] == 120
    assert container["StopTimeout"] > fluent_bit.GRACE_SECONDS


def test_only_the_buffer_can_be_written_to(task, container):
    assert container["ReadonlyRootFilesystem"] is True
    assert container["MountPoints"] == [
        {"ContainerPath": fluent_bit.Places().buffer, "SourceVolume": "buffer", "ReadOnly": False}
    ]
    assert task["Volumes"] == [{"Name": "buffer"}]
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}


def test_health_is_whether_the_first_listener_acknowledges(container, here):
    # A process that dies is started again on its own disk, and not in a new task without what it had acknowledged.
    assert container["RestartPolicy"] == {"Enabled": True, "RestartAttemptPeriod": 60}
    assert container["HealthCheck"] == {
        "Command": ["CMD", "/sluice/healthcheck.sh", str(here.listeners[0].port)],
        "Interval": 30,
        "Timeout": 10,
        "Retries": 3,
        "StartPeriod": 30,
    }


def test_container_is_told_what_its_configuration_asks_for(container, here, spelled):
    told = {each["Name"]: spelled(each["Value"]) for each in container["Environment"]}
    assert told == {"AWS_REGION": "<Region>", **fluent_bit.environment(here)}


def test_own_log_never_holds_fluent_bit_up(dev, container):
    assert container["LogConfiguration"]["LogDriver"] == "awslogs"
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"
    assert dev.properties("aggregator", "AWS::Logs::LogGroup")["RetentionInDays"] == 7


def test_task_may_put_to_its_own_streams_and_nothing_else(dev, task, here):
    arn = "arn:<Partition>:firehose:<Region>:<AccountId>:deliverystream/shop-dev-"
    role = role_of(dev, task, "TaskRoleArn")
    assert dev.statements("aggregator", role) == [
        {"actions": {"firehose:PutRecordBatch"}, "resources": {f"{arn}{route.name}" for route in here.routes}}
    ]
    assert "ManagedPolicyArns" not in role


def test_task_may_put_to_the_data_streams_of_routes_via_kinesis(synthesize, here):
    key = "arn:aws:kms:eu-west-1:111122223333:key/0b5a1a2c-0000-4000-8000-000000000000"
    buffered = Route(name="late", match="late*", via="kinesis", kinesis=KinesisBuffer(key_arn=key))
    assembly = synthesize(here.model_copy(update={"routes": (buffered, *here.routes)}), checked=True)
    task = assembly.properties("aggregator", "AWS::ECS::TaskDefinition")
    found = {
        action: each["resources"]
        for each in assembly.statements("aggregator", role_of(assembly, task, "TaskRoleArn"))
        for action in each["actions"]
    }
    assert found["kinesis:PutRecords"] == {"arn:<Partition>:kinesis:<Region>:<AccountId>:stream/shop-dev-late"}
    assert found["kms:GenerateDataKey"] == {key}
    assert not any(arn.endswith("/shop-dev-late") for arn in found["firehose:PutRecordBatch"])


def test_deployment_starts_before_it_stops_and_goes_back_when_it_fails(service):
    settings = service["DeploymentConfiguration"]
    assert (settings["MinimumHealthyPercent"], settings["MaximumPercent"]) == (100, 200)
    assert settings["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert service["AvailabilityZoneRebalancing"] == "ENABLED"


def test_scaling_alone_decides_how_many_tasks_run(dev, service, here):
    assert "DesiredCount" not in service
    target = dev.properties("aggregator", "AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (here.aggregator.min_tasks, here.aggregator.max_tasks)
    policy = dev.properties("aggregator", "AWS::ApplicationAutoScaling::ScalingPolicy")
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["PredefinedMetricSpecification"] == {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    assert tracking["TargetValue"] == here.aggregator.cpu_target_percent
    assert tracking["ScaleInCooldown"] > tracking["ScaleOutCooldown"]


def test_tasks_have_no_public_address_and_take_in_the_load_balancer_alone(dev, service, here):
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    [group] = network["SecurityGroups"]
    tasks = dev.template("aggregator")["Resources"][group["Fn::GetAtt"][0]]["Properties"]
    assert "SecurityGroupIngress" not in tasks
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in tasks["SecurityGroupEgress"]] == [
        ("tcp", 443, 443)
    ]
    let_in = [each["Properties"] for each in dev.resources("aggregator", "AWS::EC2::SecurityGroupIngress")]
    assert {(rule["FromPort"], rule["ToPort"]) for rule in let_in} == {(at.port, at.port) for at in here.listeners}
    assert all(rule["GroupId"] == group for rule in let_in)
    balancer = dev.properties("aggregator", "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert all([rule["SourceSecurityGroupId"]] == balancer["SecurityGroups"] for rule in let_in)


def test_load_balancer_is_internal_and_crosses_zones(balancer):
    assert (balancer["Name"], balancer["Scheme"], balancer["Type"]) == ("shop-dev-logs", "internal", "network")
    assert attributes(balancer, "LoadBalancerAttributes") == {
        "deletion_protection.enabled": "false",
        "load_balancing.cross_zone.enabled": "true",
    }


def test_load_balancer_is_protected_in_production(prod):
    balancer = prod.properties("aggregator", "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert attributes(balancer, "LoadBalancerAttributes")["deletion_protection.enabled"] == "true"


def test_clients_of_the_network_reach_the_listeners_and_no_other_port(dev, here):
    group = dev.properties("aggregator", "AWS::EC2::SecurityGroup", GroupDescription="Clients to the aggregator")
    assert {
        (rule["CidrIp"], rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupIngress"]
    } == {("10.20.0.0/16", "tcp", listener.port, listener.port) for listener in here.listeners}


def test_load_balancer_reaches_the_tasks_and_nothing_else(dev, service, balancer, here):
    """Not the network's range: of an existing network that is where the clients are, and the tasks may be elsewhere."""
    group = dev.properties("aggregator", "AWS::EC2::SecurityGroup", GroupDescription="Clients to the aggregator")
    assert (
        "SecurityGroupEgress" not in group
    )  # the rules that stand apart take the place of EC2's own, which allows all
    let_out = [each["Properties"] for each in dev.resources("aggregator", "AWS::EC2::SecurityGroupEgress")]
    assert {(rule["FromPort"], rule["ToPort"]) for rule in let_out} == {(at.port, at.port) for at in here.listeners}
    tasks = service["NetworkConfiguration"]["AwsvpcConfiguration"]["SecurityGroups"]
    assert all([rule["GroupId"]] == balancer["SecurityGroups"] for rule in let_out)
    assert all([rule["DestinationSecurityGroupId"]] == tasks for rule in let_out)


def test_each_listener_leads_to_the_container(dev, service, container, here):
    ports = {listener.port for listener in here.listeners}
    listeners = [each["Properties"] for each in dev.resources("aggregator", "AWS::ElasticLoadBalancingV2::Listener")]
    assert {(each["Port"], each["Protocol"]) for each in listeners} == {(port, "TCP") for port in ports}
    assert {each["ContainerPort"] for each in container["PortMappings"]} == ports
    assert {(each["ContainerName"], each["ContainerPort"]) for each in service["LoadBalancers"]} == {
        (container["Name"], port) for port in ports
    }
    for listener in listeners:
        [action] = listener["DefaultActions"]
        group = dev.template("aggregator")["Resources"][action["TargetGroupArn"]["Ref"]]["Properties"]
        assert group["Port"] == listener["Port"]


def test_quiet_clients_keep_their_connection_as_long_as_it_can_be(dev):
    for listener in dev.resources("aggregator", "AWS::ElasticLoadBalancingV2::Listener"):
        assert attributes(listener["Properties"], "ListenerAttributes") == {"tcp.idle_timeout.seconds": "6000"}


def test_target_that_leaves_has_its_connections_ended_within_a_minute(dev):
    groups = dev.resources("aggregator", "AWS::ElasticLoadBalancingV2::TargetGroup")
    for group in groups:
        assert attributes(group["Properties"], "TargetGroupAttributes") == {
            "deregistration_delay.timeout_seconds": "60",
            "deregistration_delay.connection_termination.enabled": "true",
            "preserve_client_ip.enabled": "false",
        }
        assert group["Properties"]["TargetType"] == "ip"
        assert group["Properties"]["HealthCheckProtocol"] == "TCP"
        assert "HealthCheckPort" not in group["Properties"]


def test_private_name_leads_to_the_load_balancer(dev, spelled):
    assert dev.properties("aggregator", "AWS::Route53::HostedZone")["Name"] == "shop-dev.internal."
    record = dev.properties("aggregator", "AWS::Route53::RecordSet")
    assert (record["Name"], record["Type"]) == ("logs.shop-dev.internal.", "A")
    assert spelled(record["AliasTarget"]["DNSName"]).endswith(".DNSName>")


def test_outputs_are_what_clients_are_configured_with(dev, spelled):
    outputs = dev.template("aggregator")["Outputs"]
    assert outputs["PrivateName"]["Value"] == "logs.shop-dev.internal"
    assert spelled(outputs["LoadBalancerDnsName"]["Value"]).endswith(".DNSName>")
    assert not any("Export" in output for output in outputs.values())


def with_image(here, uri):
    return here.model_copy(update={"aggregator": here.aggregator.model_copy(update={"image": Image(uri=uri)})})


def test_image_of_a_public_registry_is_pulled_without_rights(synthesize, here):
    assembly = synthesize(with_image(here, "registry/image:1"))
    task = assembly.properties("aggregator", "AWS::ECS::TaskDefinition")
    assert task["ContainerDefinitions"][0]["Image"] == "registry/image:1"
    actions = {
        action.split(":")[0]
        for statement in assembly.statements("aggregator", role_of(assembly, task, "ExecutionRoleArn"))
        for action in statement["actions"]
    }
    assert actions == {"logs"}


def test_private_image_is_pulled_with_the_right_to_that_repository(synthesize, here):
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/fluent-bit:1.2"
    assembly = synthesize(with_image(here, uri))
    task = assembly.properties("aggregator", "AWS::ECS::TaskDefinition")
    pulls = [
        statement["resources"]
        for statement in assembly.statements("aggregator", role_of(assembly, task, "ExecutionRoleArn"))
        if "ecr:BatchGetImage" in statement["actions"]
    ]
    assert pulls == [{"arn:<Partition>:ecr:eu-west-1:123456789012:repository/team/fluent-bit"}]
    assert "/team/fluent-bit:1.2" in str(task["ContainerDefinitions"][0]["Image"])


def test_example_sends_as_clients_are_told_to(dev):
    """The first deployment shows the way that the documentation and the command line tell."""
    containers = {
        each["Name"]: each for each in dev.properties("example", "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    }
    options = containers["app"]["LogConfiguration"]["Options"]
    assert (options["Host"], options["Port"]) == ("logs.shop-dev.internal", "24224")
    assert options["Require_ack_response"] == "true"
    assert containers["app"]["DependsOn"] == [{"ContainerName": "log_router", "Condition": "START"}]
    assert containers["log_router"]["Image"].endswith("/aws-for-fluent-bit:3.5.0")
    assert containers["log_router"]["StopTimeout"] == 120


def test_example_is_left_out_unless_asked_for(dev, prod):
    assert "shop-dev-example" in dev.stacks
    assert "shop-prod-example" not in prod.stacks


def test_nobody_reaches_the_example(dev):
    assert "SecurityGroupIngress" not in dev.properties("example", "AWS::EC2::SecurityGroup")
    assert dev.properties("example", "AWS::ECS::Service").get("LoadBalancers", []) == []


def test_sizes_follow_the_environment(prod, config):
    here = deployment(config, "prod")
    target = prod.properties("aggregator", "AWS::ApplicationAutoScaling::ScalableTarget")
    assert target["MaxCapacity"] == here.aggregator.max_tasks
    assert prod.properties("aggregator", "AWS::Logs::LogGroup")["RetentionInDays"] == 90
