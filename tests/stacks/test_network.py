"""A network of our own with NAT or endpoints, or somebody's by its ids; and never a look-up."""

import json

import pytest

from sluice.local_run import local_deployment
from sluice.model import Architecture, Egress, ExistingNetwork, NewNetwork, deployment
from sluice.routes import Route

pytestmark = pytest.mark.synth

APIS = {"kinesis-firehose", "logs", "ecr.api", "ecr.dkr"}


def endpoints(assembly, spelled, kind):
    found = [
        each["Properties"]
        for each in assembly.resources("network", "AWS::EC2::VPCEndpoint")
        if each["Properties"]["VpcEndpointType"] == kind
    ]
    return {spelled(each["ServiceName"]).split("<Region>.")[-1]: each for each in found}


@pytest.fixture(scope="session")
def isolated(synthesize, here):
    return synthesize(here.model_copy(update={"network": NewNetwork(egress="endpoints")}), example=True, checked=True)


@pytest.fixture(scope="session")
def existing(synthesize, here):
    network = ExistingNetwork(
        kind="existing",
        vpc_id="vpc-0123456789abcdef0",
        cidr="172.16.0.0/12",
        availability_zones=("eu-central-1a", "eu-central-1b", "eu-central-1b"),
        private_subnet_ids=("subnet-aaaaaaaa", "subnet-bbbbbbbb", "subnet-cccccccc"),
    )
    return synthesize(here.model_copy(update={"network": network}), checked=True)


def subnets(assembly, *, public):
    return [
        each["Properties"]
        for each in assembly.resources("network", "AWS::EC2::Subnet")
        if ("Public" in str(each["Properties"]["Tags"])) is public
    ]


def zones(found):
    return {str(each["AvailabilityZone"]) for each in found}


def test_two_zones_each_have_a_public_and_a_private_subnet(dev):
    for public in (True, False):
        assert zones(subnets(dev, public=public)) == {str({"Fn::Select": [at, {"Fn::GetAZs": ""}]}) for at in (0, 1)}
        assert all(each["MapPublicIpOnLaunch"] is False for each in subnets(dev, public=public))


def test_each_zone_has_its_own_nat(dev):
    gateways = {each["Properties"]["SubnetId"]["Ref"] for each in dev.resources("network", "AWS::EC2::NatGateway")}
    assert len(gateways) == len(zones(subnets(dev, public=True)))


def test_s3_has_its_free_endpoint_either_way(dev, isolated, spelled):
    for assembly in (dev, isolated):
        assert set(endpoints(assembly, spelled, "Gateway")) == {"s3"}


def test_endpoints_stand_in_for_nat(isolated, spelled):
    assert isolated.resources("network", "AWS::EC2::NatGateway") == []
    found = endpoints(isolated, spelled, "Interface")
    assert set(found) == APIS
    assert all(each["PrivateDnsEnabled"] is True for each in found.values())


def test_isolated_subnets_have_no_way_out(isolated):
    routed = [each["Properties"] for each in isolated.resources("network", "AWS::EC2::Route")]
    assert routed
    assert all("Public" in str(each["RouteTableId"]) for each in routed)


def test_endpoints_answer_the_vpc_alone(isolated, spelled):
    group = isolated.properties("network", "AWS::EC2::SecurityGroup")
    [rule] = group["SecurityGroupIngress"]
    assert (rule["CidrIp"], rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("10.20.0.0/16", "tcp", 443, 443)
    used = {str(each["SecurityGroupIds"]) for each in endpoints(isolated, spelled, "Interface").values()}
    assert len(used) == 1


def test_refused_connections_are_logged_and_forgotten_in_time(dev):
    assert dev.properties("network", "AWS::EC2::FlowLog")["TrafficType"] == "REJECT"
    assert dev.properties("network", "AWS::Logs::LogGroup")["RetentionInDays"] == 7


def test_existing_network_is_used_as_it_is(existing):
    assert "shop-dev-network" not in existing.stacks
    for stack in ("storage", "delivery", "aggregator"):
        types = {each["Type"] for each in existing.template(stack)["Resources"].values()}
        assert not types & {"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::VPCEndpoint", "AWS::EC2::NatGateway"}
    wanted = ["subnet-aaaaaaaa", "subnet-bbbbbbbb", "subnet-cccccccc"]
    balancer = existing.properties("aggregator", "AWS::ElasticLoadBalancingV2::LoadBalancer")
    service = existing.properties("aggregator", "AWS::ECS::Service")
    assert balancer["Subnets"] == wanted
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"] == wanted
    group = existing.properties("aggregator", "AWS::EC2::SecurityGroup", GroupDescription="Clients to the aggregator")
    assert {rule["CidrIp"] for rule in group["SecurityGroupIngress"]} == {"172.16.0.0/12"}


def test_nothing_is_looked_up_even_where_the_account_is_known(synthesize, config):
    """The CDK asks the account for its zones as soon as it knows which account it is."""
    local = local_deployment(config, architecture=Architecture.X86_64, python="3.13", search=None)
    assert local.account is not None
    manifest = json.loads((synthesize(local).folder / "manifest.json").read_text())
    assert "missing" not in manifest


def test_local_run_needs_no_docker(synthesize, config):
    local = local_deployment(config, architecture=Architecture.X86_64, python="3.13", search=None)
    for assets in synthesize(local).folder.glob("*.assets.json"):
        assert json.loads(assets.read_text())["dockerImages"] == {}


def test_without_nat_the_data_streams_have_an_endpoint_where_a_route_needs_them(config, synthesize):
    network = NewNetwork(egress=Egress.ENDPOINTS)
    direct = deployment(config, "dev").model_copy(update={"network": network})
    buffered = Route(name="late", match="late*", via="kinesis")
    kinesis = direct.model_copy(update={"routes": (buffered, *direct.routes)})
    for here, there in ((direct, False), (kinesis, True)):
        endpoints = synthesize(here).resources("network", "AWS::EC2::VPCEndpoint")
        services = [str(endpoint["Properties"]["ServiceName"]) for endpoint in endpoints]
        assert any("kinesis-streams" in service for service in services) is there
