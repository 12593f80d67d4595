"""Where documents are searched is closed to all but those who are named, and ready before anything arrives."""

import base64
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sluice import names
from sluice.model import Canary
from sluice.search_settings import Collection, Domain, ExistingDomain

pytestmark = pytest.mark.synth

ROOT = Path(__file__).resolve().parents[2]
ARN = "arn:<Partition>"
HERE = "<Region>:<AccountId>"
DOMAIN = f"{ARN}:es:{HERE}:domain/shop-dev-search"
LOGS = f"{ARN}:s3:::shop-dev-logs-<AccountId>-<Region>"
KINDS = ["domain", "public", "existing", "existing_vpc", "collection"]
HTTP = {f"es:ESHttp{method}" for method in ("Delete", "Get", "Head", "Patch", "Post", "Put")}


def role(name: str) -> str:
    return f"{ARN}:iam::<AccountId>:role/{name}"


@pytest.fixture
def resource(searching):
    """The domain with its DeletionPolicy and all."""
    [found] = searching("domain").resources("search", "AWS::OpenSearchService::Domain")
    return found


@pytest.fixture
def domain(resource):
    return resource["Properties"]


def logical_id(assembly, properties, part="search"):
    return next(n for n, found in assembly.template(part)["Resources"].items() if found["Properties"] == properties)


def prepared(assembly):
    return assembly.properties("search", "Custom::SluiceSearch")


def function(assembly, name):
    return assembly.properties("search", "AWS::Lambda::Function", FunctionName=name)


def own_role(assembly, name):
    return assembly.properties("search", "AWS::IAM::Role", RoleName=name)


def test_without_a_route_to_opensearch_there_is_no_search(dev):
    assert "shop-dev-search" not in dev.stacks


@pytest.mark.parametrize("kind", KINDS)
def test_templates_are_what_cloudformation_takes(searching, kind):
    folder = searching(kind).folder
    linted = subprocess.run(
        [
            Path(sys.executable).with_name("cfn-lint"),
            "--config-file",
            ROOT / ".cfnlintrc",
            "--",
            *(folder / f"shop-dev-{part}.template.json" for part in ("search", "delivery")),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (linted.stdout, linted.returncode) == ("", 0)


def test_domain_is_encrypted_at_rest_between_nodes_and_on_the_way(domain):
    assert domain["EncryptionAtRestOptions"] == {"Enabled": True}
    assert domain["NodeToNodeEncryptionOptions"] == {"Enabled": True}
    assert domain["DomainEndpointOptions"] == {
        "EnforceHTTPS": True,
        "TLSSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10",
    }


def test_domain_has_the_configured_size(domain, searching):
    assert (domain["DomainName"], domain["EngineVersion"]) == ("shop-dev-search", "OpenSearch_2.19")
    assert domain["ClusterConfig"] == {
        "InstanceType": "m7g.large.search",
        "InstanceCount": 2,
        "DedicatedMasterEnabled": False,
        "ZoneAwarenessEnabled": True,
        "ZoneAwarenessConfig": {"AvailabilityZoneCount": 2},
        "MultiAZWithStandbyEnabled": False,
    }
    assert domain["EBSOptions"] == {"EBSEnabled": True, "VolumeType": "gp3", "VolumeSize": 100}
    small = searching("public").properties("search", "AWS::OpenSearchService::Domain")
    assert small["ClusterConfig"] == {
        "InstanceType": "t3.small.search",
        "InstanceCount": 1,
        "DedicatedMasterEnabled": True,
        "DedicatedMasterType": "m7g.medium.search",
        "DedicatedMasterCount": 3,
        "ZoneAwarenessEnabled": False,
        "MultiAZWithStandbyEnabled": False,
    }


def test_version_is_raised_in_place_and_patches_come_at_night(resource):
    assert resource["UpdatePolicy"] == {"EnableVersionUpgrade": True}
    assert resource["Properties"]["SoftwareUpdateOptions"] == {"AutoSoftwareUpdateEnabled": True}
    assert resource["Properties"]["OffPeakWindowOptions"] == {"Enabled": True}


@pytest.mark.parametrize(
    ("kind", "what"), [("domain", "OpenSearchService::Domain"), ("collection", "OpenSearchServerless::Collection")]
)
def test_what_is_searched_goes_only_where_that_is_said(searching, kind, what):
    for environment, policy in (("dev", "Delete"), ("prod", "Retain")):
        [found] = searching(kind, environment=environment).resources("search", f"AWS::{what}")
        assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == (policy, policy)


def test_firehose_may_name_the_index_inside_of_a_request(domain):
    assert domain["AdvancedOptions"] == {"rest.action.multi.allow_explicit_index": "true"}


def test_master_is_the_role_that_prepares_and_there_are_no_passwords(domain, searching):
    setup = logical_id(searching("domain"), own_role(searching("domain"), "shop-dev-search-setup"))
    assert domain["AdvancedSecurityOptions"] == {
        "Enabled": True,
        "InternalUserDatabaseEnabled": False,
        "MasterUserOptions": {"MasterUserARN": {"Fn::GetAtt": [setup, "Arn"]}},
    }


def test_access_policy_names_every_caller_and_its_methods(domain, spelled, readers):
    """The roles that deliver are not there yet, and a policy that names them would be refused."""
    allowed = {}
    for statement in domain["AccessPolicies"]["Statement"]:
        assert (statement["Effect"], spelled(statement["Resource"])) == ("Allow", f"{DOMAIN}/*")
        principal = statement["Principal"]["AWS"]
        if "Condition" in statement:
            assert spelled(principal) == f"{ARN}:iam::<AccountId>:root"
            [arns] = statement["Condition"].values()
            principal = arns["aws:PrincipalArn"]
            assert list(statement["Condition"]) == ["ArnEquals"]
        allowed |= {spelled(each): set(statement["Action"]) for each in principal}
    assert allowed == {
        role("shop-dev-search-setup"): HTTP,
        role("shop-dev-web-deliver"): {"es:ESHttpGet", "es:ESHttpPost", "es:ESHttpPut"},
        role("shop-dev-api-deliver"): {"es:ESHttpGet", "es:ESHttpPost", "es:ESHttpPut"},
        role("shop-dev-quarantine"): {"es:ESHttpPost"},
        role("shop-dev-canary"): {"es:ESHttpPost"},
        readers[0]: HTTP,
    }


def test_domain_tells_of_slow_requests_where_it_alone_may_write(domain, searching, spelled):
    assembly = searching("domain")
    published = domain["LogPublishingOptions"]
    assert set(published) == {"ES_APPLICATION_LOGS", "INDEX_SLOW_LOGS", "SEARCH_SLOW_LOGS"}
    for option in published.values():
        group = assembly.template("search")["Resources"][option["CloudWatchLogsLogGroupArn"]["Fn::GetAtt"][0]]
        assert option["Enabled"] is True
        assert group["Properties"]["RetentionInDays"] == 7
    document = json.loads(spelled(assembly.properties("search", "AWS::Logs::ResourcePolicy")["PolicyDocument"]))
    [statement] = document["Statement"]
    assert statement["Principal"] == {"Service": "es.amazonaws.com"}
    assert set(statement["Resource"]) == {spelled(each["CloudWatchLogsLogGroupArn"]) for each in published.values()}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "<AccountId>"},
        "ArnEquals": {"aws:SourceArn": DOMAIN},
    }


def test_domain_waits_until_it_may_write_its_logs(resource, searching):
    policy = logical_id(searching("domain"), searching("domain").properties("search", "AWS::Logs::ResourcePolicy"))
    assert policy in resource["DependsOn"]


def test_domain_is_in_one_private_subnet_of_each_zone(domain, searching):
    assert len(domain["VPCOptions"]["SubnetIds"]) == 2
    [group] = domain["VPCOptions"]["SecurityGroupIds"]
    group = searching("domain").template("search")["Resources"][group["Fn::GetAtt"][0]]["Properties"]
    assert group["GroupDescription"] == "Domain of the search"


def test_of_an_existing_network_the_zones_count_and_not_the_subnets(searching, elsewhere):
    [domain] = searching("domain", network=elsewhere).resources("search", "AWS::OpenSearchService::Domain")
    assert domain["Properties"]["VPCOptions"]["SubnetIds"] == ["subnet-00000001", "subnet-00000003"]


def test_more_zones_than_the_network_has_are_refused(searching):
    with pytest.raises(ValueError, match=r"`search.zones` is 3, and the network has private subnets in 2 zones"):
        searching("domain", settings=Domain(zones=3, instances=3))


def test_a_public_domain_is_in_no_network(searching):
    assembly = searching("public")
    assert "VPCOptions" not in assembly.properties("search", "AWS::OpenSearchService::Domain")
    assert assembly.resources("search", "AWS::EC2::SecurityGroup") == []
    assert all("VpcConfig" not in each["Properties"] for each in assembly.resources("search", "AWS::Lambda::Function"))


def test_three_reach_the_domain_over_https_and_nothing_else(searching):
    assembly = searching("domain")

    def group(description):
        properties = assembly.properties("search", "AWS::EC2::SecurityGroup", GroupDescription=description)
        return properties, {"Fn::GetAtt": [logical_id(assembly, properties), "GroupId"]}

    domain, domain_id = group("Domain of the search")
    delivery, delivery_id = group("Firehose to the search")
    functions, functions_id = group("Functions that prepare and watch the search")
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in domain["SecurityGroupIngress"]] == [
        ("10.20.0.0/16", 443, 443)
    ]
    let_in = [each["Properties"] for each in assembly.resources("search", "AWS::EC2::SecurityGroupIngress")]
    assert all((rule["GroupId"], rule["FromPort"], rule["ToPort"]) == (domain_id, 443, 443) for rule in let_in)
    assert sorted(str(rule["SourceSecurityGroupId"]) for rule in let_in) == sorted(
        map(str, (delivery_id, functions_id))
    )
    assert "SecurityGroupIngress" not in delivery
    assert "SecurityGroupIngress" not in functions
    [out] = [each["Properties"] for each in assembly.resources("search", "AWS::EC2::SecurityGroupEgress")]
    assert (out["GroupId"], out["DestinationSecurityGroupId"], out["FromPort"]) == (delivery_id, domain_id, 443)
    assert "SecurityGroupEgress" not in delivery


def test_prepared_only_when_setup_is_let_in(searching):
    """And let in still when the stack is deleted: without its rule it would wait for an answer in vain."""
    [resource] = searching("domain").resources("search", "Custom::SluiceSearch")
    rules = {
        name
        for name, each in searching("domain").template("search")["Resources"].items()
        if each["Type"] == "AWS::EC2::SecurityGroupIngress"
    }
    assert rules
    assert rules <= set(resource["DependsOn"])


@pytest.mark.parametrize(
    ("kind", "service"), [("domain", "es"), ("public", "es"), ("existing", "es"), ("collection", "aoss")]
)
def test_setup_is_told_what_to_make_and_where(searching, spelled, kind, service):
    assembly = searching(kind)
    properties = prepared(assembly)
    setup = logical_id(assembly, function(assembly, "shop-dev-search-setup"))
    assert properties["ServiceToken"] == {"Fn::GetAtt": [setup, "Arn"]}
    assert (properties["Service"], properties["Lenient"]) == (service, "false")
    plan = json.loads(spelled(properties["Plan"]))
    inside = json.loads(gzip.decompress(base64.b64decode(plan["packed"])))
    assert plan["prefix"] == "shop-dev"
    assert {"shop-dev-web", "shop-dev_failed"} <= set(inside["templates"])
    assert spelled(properties["Endpoint"]) == address(assembly, kind)


def address(assembly, kind):
    match kind:
        case "collection":
            collection = assembly.properties("search", "AWS::OpenSearchServerless::Collection")
            return f"<{logical_id(assembly, collection)}.CollectionEndpoint>"
        case "existing":
            return "https://search-logs.eu-west-1.es.amazonaws.com"
        case _:
            domain = assembly.properties("search", "AWS::OpenSearchService::Domain")
            return f"https://<{logical_id(assembly, domain)}.DomainEndpoint>"


def test_plan_gives_the_roles_of_the_domain_to_those_who_call_it(searching, spelled, readers):
    mappings = json.loads(spelled(prepared(searching("domain"))["Plan"]))["role_mappings"]
    given = {name: set(mapping["backend_roles"]) for name, mapping in mappings.items()}
    assert given == {
        "shop-dev-write": {role("shop-dev-web-deliver"), role("shop-dev-api-deliver")},
        "shop-dev-quarantine": {role("shop-dev-quarantine")},
        "shop-dev-read": set(readers),
        "shop-dev-watch": {role("shop-dev-canary")},
    }


@pytest.fixture
def watched(synthesize, search_of):
    """A search with and without those who look for what they sent."""

    def synthesized(kind, *, canary, load_test):
        there = search_of(kind).model_copy(update={"canary": Canary(enabled=canary)})
        return synthesize(there, load_test=load_test)

    return synthesized


@pytest.mark.parametrize(
    ("canary", "load_test", "watchers"),
    [
        (True, True, {"shop-dev-canary", "shop-dev-loadtest-verify"}),
        (False, True, {"shop-dev-loadtest-verify"}),
        (False, False, set()),
    ],
)
def test_who_looks_for_what_it_sent_is_let_in_where_it_is_there(watched, spelled, canary, load_test, watchers):
    assembly = watched("domain", canary=canary, load_test=load_test)
    domain = assembly.properties("search", "AWS::OpenSearchService::Domain")
    posting = {
        spelled(arn)
        for statement in domain["AccessPolicies"]["Statement"]
        if statement["Action"] == ["es:ESHttpPost"]
        for arn in statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]
    }
    assert posting == {role("shop-dev-quarantine"), *map(role, watchers)}
    plan = json.loads(spelled(prepared(assembly)["Plan"]))
    mapped = plan["role_mappings"].get("shop-dev-watch", {"backend_roles": []})
    assert set(mapped["backend_roles"]) == set(map(role, watchers))
    roles = json.loads(gzip.decompress(base64.b64decode(plan["packed"])))["roles"]
    assert ("shop-dev-watch" in roles) == bool(watchers)
    told = {each["Properties"]["Name"] for each in assembly.resources("search", "AWS::SSM::Parameter")}
    assert ("/sluice/shop-dev/search/endpoint" in told) == bool(watchers)


def test_the_load_tests_verifier_has_the_name_that_is_let_in(watched):
    assembly = watched("domain", canary=False, load_test=True)
    assert assembly.properties("loadtest", "AWS::IAM::Role", RoleName="shop-dev-loadtest-verify")


def test_only_the_local_run_does_without_plugins(searching):
    local = ExistingDomain(
        kind="existing", endpoint="http://127.0.0.1:9200", arn="arn:aws:es:us-east-1:000000000000:domain/local"
    )
    assert prepared(searching("existing", settings=local))["Lenient"] == "true"


def test_setup_has_time_for_a_new_domain_and_cloudformation_for_setup(searching):
    setup = function(searching("domain"), "shop-dev-search-setup")
    assert setup["Handler"] == "lambdas.search.setup.handler"
    assert setup["Timeout"] == 15 * 60
    assert int(prepared(searching("domain"))["ServiceTimeout"]) > setup["Timeout"]


def test_functions_are_where_the_domain_is(searching, here):
    for name in (names.search_setup(here), names.quarantine(here)):
        network = function(searching("domain"), name)["VpcConfig"]
        assert len(network["SubnetIds"]) == 2
        assert len(network["SecurityGroupIds"]) == 1


def test_a_plan_that_lambda_could_not_be_called_with_is_refused(searching, monkeypatch):
    monkeypatch.setattr("stacks.search_functions.PLAN_BYTES", 1000)
    with pytest.raises(ValueError, match="take fewer of them"):
        searching("domain", settings=Domain(volume_gib=101))


@pytest.mark.parametrize(
    ("kind", "arn"), [("domain", DOMAIN), ("existing", "arn:aws:es:eu-west-1:111122223333:domain/logs")]
)
def test_roles_of_the_functions_may_do_their_work_and_no_more(searching, kind, arn):
    assembly = searching(kind)
    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    found = {}
    for name in ("shop-dev-search-setup", "shop-dev-quarantine"):
        statements = assembly.statements("search", own_role(assembly, name))
        found[name] = [
            each
            for each in statements
            if each["actions"] != logs and not any(a.startswith("ec2:") for a in each["actions"])
        ]
    queue = logical_id(assembly, assembly.properties("search", "AWS::SQS::Queue"))
    assert found == {
        "shop-dev-search-setup": [{"actions": HTTP, "resources": {f"{arn}/*"}}],
        "shop-dev-quarantine": [
            {"actions": {"s3:GetObject"}, "resources": {f"{LOGS}/failed/*"}},
            {"actions": {"es:ESHttpPost"}, "resources": {f"{arn}/shop-dev_failed/_bulk"}},
            {
                "actions": {"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"},
                "resources": {f"<{queue}.Arn>"},
            },
        ],
    }


@pytest.mark.parametrize(
    ("kind", "inside"),
    [("domain", True), ("public", False), ("existing", False), ("existing_vpc", True), ("collection", False)],
)
def test_only_lambda_itself_makes_network_interfaces_and_only_in_a_vpc(searching, spelled, kind, inside):
    assembly = searching(kind)
    for name in ("shop-dev-search-setup", "shop-dev-quarantine"):
        policies = {
            each["PolicyName"]: each["PolicyDocument"]["Statement"] for each in own_role(assembly, name)["Policies"]
        }
        assert set(policies) == ({"work", "interfaces"} if inside else {"work"})
        if inside:
            allowed, denied = policies["interfaces"]
            assert (allowed["Effect"], denied["Effect"], allowed["Action"]) == ("Allow", "Deny", denied["Action"])
            assert spelled(denied["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]) == (
                f"{ARN}:lambda:{HERE}:function:{name}"
            )


@pytest.mark.parametrize("kind", KINDS)
def test_quarantine_is_called_for_what_fails_and_nothing_else(searching, kind, spelled):
    assembly = searching(kind)
    rule = assembly.properties("search", "AWS::Events::Rule")
    pattern = rule["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert [spelled(name) for name in pattern["detail"]["bucket"]["name"]] == ["shop-dev-logs-<AccountId>-<Region>"]
    assert pattern["detail"]["object"] == {"key": [{"prefix": "failed/"}]}
    quarantine = function(assembly, "shop-dev-quarantine")
    [target] = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [logical_id(assembly, quarantine), "Arn"]}
    assert quarantine["Handler"] == "lambdas.search.quarantine.handler"
    told = {name: spelled(value) for name, value in quarantine["Environment"]["Variables"].items()}
    assert told["SLUICE_FAILED_INDEX"] == "shop-dev_failed"
    assert told["SLUICE_SEARCH_SERVICE"] == ("aoss" if kind == "collection" else "es")
    assert told["SLUICE_SEARCH_ENDPOINT"] == spelled(prepared(assembly)["Endpoint"])


def test_what_quarantine_cannot_do_is_kept_and_wakes_somebody(searching):
    assembly = searching("domain")
    [queue] = assembly.resources("search", "AWS::SQS::Queue")
    queue = queue["Properties"]
    arn = {"Fn::GetAtt": [logical_id(assembly, queue), "Arn"]}
    assert (queue["SqsManagedSseEnabled"], queue["MessageRetentionPeriod"]) == (True, 14 * 86400)
    statements = assembly.properties("search", "AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [
        each.get("Condition") for each in statements if each["Effect"] == "Deny"
    ]
    [target] = assembly.properties("search", "AWS::Events::Rule")["Targets"]
    invoked = assembly.properties("search", "AWS::Lambda::EventInvokeConfig")
    assert target["DeadLetterConfig"] == {"Arn": arn}
    assert invoked["DestinationConfig"] == {"OnFailure": {"Destination": arn}}
    assert (invoked["MaximumRetryAttempts"], invoked["MaximumEventAgeInSeconds"]) == (2, 6 * 3600)
    alarm = assembly.properties("search", "AWS::CloudWatch::Alarm")
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        1,
    )
    assert (alarm["Statistic"], alarm["Period"], alarm["EvaluationPeriods"]) == ("Maximum", 300, 1)
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [arn["Fn::GetAtt"][0], "QueueName"]}}]
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_a_flood_of_failures_asks_the_search_two_at_a_time(searching):
    assert function(searching("domain"), "shop-dev-quarantine")["ReservedConcurrentExecutions"] == 2


def test_quarantine_begins_when_its_index_is_there(searching):
    assembly = searching("domain")
    resource = logical_id(assembly, prepared(assembly))
    [rule] = assembly.resources("search", "AWS::Events::Rule")
    assert resource in rule["DependsOn"]


@pytest.mark.parametrize("kind", ["existing", "existing_vpc"])
def test_of_an_existing_domain_nothing_is_made(searching, kind):
    kinds = {each["Type"] for each in searching(kind).template("search")["Resources"].values()}
    assert not any("OpenSearch" in each or "Logs::ResourcePolicy" in each for each in kinds)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("search", {"DeliverySecurityGroup", "FunctionsSecurityGroup"}),
        ("canary", {"CanarySecurityGroup"}),
        ("loadtest", {"LoadTestSecurityGroup"}),
    ],
)
def test_owner_of_an_existing_domain_is_told_whom_to_let_in(synthesize, search_of, part, told):
    outputs = {
        kind: set(synthesize(search_of(kind), load_test=True, checked=True).template(part)["Outputs"])
        for kind in ("existing_vpc", "existing")
    }
    assert told <= outputs["existing_vpc"]
    assert not told & outputs["existing"]


def test_address_and_dashboards_are_told(searching, spelled):
    outputs = {n: spelled(o["Value"]) for n, o in searching("domain").template("search")["Outputs"].items()}
    assert outputs["Dashboards"] == f"{outputs['Endpoint']}/_dashboards"
    outputs = searching("collection").template("search")["Outputs"]
    assert outputs["Dashboards"]["Value"]["Fn::GetAtt"][1] == "DashboardEndpoint"


@pytest.fixture
def policies(searching, spelled):
    """Of the collection: what each says, by its type."""
    assembly = searching("collection")
    return {
        found["Properties"]["Type"]: json.loads(spelled(found["Properties"]["Policy"]))
        for found in assembly.template("search")["Resources"].values()
        if found["Type"].startswith("AWS::OpenSearchServerless::") and "Policy" in found["Properties"]
    }


def test_collection_is_for_time_series_with_a_copy_and_encrypted(searching, policies):
    collection = searching("collection").properties("search", "AWS::OpenSearchServerless::Collection")
    assert (collection["Name"], collection["Type"], collection["StandbyReplicas"]) == (
        "shop-dev-search",
        "TIMESERIES",
        "ENABLED",
    )
    whole = {"ResourceType": "collection", "Resource": ["collection/shop-dev-search"]}
    assert policies["encryption"] == {"Rules": [whole], "AWSOwnedKey": True}
    assert policies["network"] == [{"Rules": [whole, {**whole, "ResourceType": "dashboard"}], "AllowFromPublic": True}]


def test_collection_without_a_copy_costs_half(searching):
    alone = searching("collection", settings=Collection(kind="serverless", standby=False))
    assert alone.properties("search", "AWS::OpenSearchServerless::Collection")["StandbyReplicas"] == "DISABLED"


def test_documents_of_a_collection_go_by_age(policies):
    [rule] = policies["retention"]["Rules"]
    assert rule == {
        "ResourceType": "index",
        "Resource": ["index/shop-dev-search/shop-dev-*", "index/shop-dev-search/shop-dev_failed"],
        "MinIndexRetention": "14d",
    }


def test_collection_is_open_to_exactly_those_roles(policies, searching, spelled, readers):
    setup = logical_id(searching("collection"), own_role(searching("collection"), "shop-dev-search-setup"))
    allowed = {}
    for statement in policies["data"]:
        for principal in statement["Principal"]:
            allowed[spelled(principal)] = {
                permission for rule in statement["Rules"] for permission in rule["Permission"]
            }
    writes = {
        "aoss:DescribeCollectionItems",
        "aoss:CreateIndex",
        "aoss:DescribeIndex",
        "aoss:UpdateIndex",
        "aoss:WriteDocument",
    }
    assert allowed == {
        f"<{setup}.Arn>": {*writes, "aoss:CreateCollectionItems", "aoss:UpdateCollectionItems", "aoss:ReadDocument"},
        role("shop-dev-web-deliver"): writes,
        role("shop-dev-api-deliver"): writes,
        role("shop-dev-quarantine"): writes,
        readers[0]: {"aoss:DescribeCollectionItems", "aoss:DescribeIndex", "aoss:ReadDocument"},
        role("shop-dev-canary"): {"aoss:DescribeCollectionItems", "aoss:DescribeIndex", "aoss:ReadDocument"},
    }


def test_collection_is_open_to_the_load_tests_verifier_where_it_is_asked_for(watched, spelled):
    assembly = watched("collection", canary=False, load_test=True)
    data = assembly.properties("search", "AWS::OpenSearchServerless::AccessPolicy")
    [reading] = [
        statement
        for statement in json.loads(spelled(data["Policy"]))
        if role("shop-dev-loadtest-verify") in statement["Principal"]
    ]
    permissions = {permission for rule in reading["Rules"] for permission in rule["Permission"]}
    assert permissions == {"aoss:DescribeCollectionItems", "aoss:DescribeIndex", "aoss:ReadDocument"}


def test_collection_comes_after_the_policies_it_needs_and_is_prepared_after_those_it_is_open_by(searching):
    assembly = searching("collection")
    resources = assembly.template("search")["Resources"]
    [collection] = assembly.resources("search", "AWS::OpenSearchServerless::Collection")
    [custom] = assembly.resources("search", "Custom::SluiceSearch")
    before = {resources[name]["Type"].rpartition("::")[2] for name in collection["DependsOn"]}
    assert before == {"SecurityPolicy", "LifecyclePolicy"}
    assert "AccessPolicy" in {resources[name]["Type"].rpartition("::")[2] for name in custom["DependsOn"]}


def test_delivery_and_canary_find_by_name_what_aws_makes_up(searching):
    def told(kind):
        found = searching(kind).resources("search", "AWS::SSM::Parameter")
        return {each["Properties"]["Name"] for each in found}

    def asked(kind):
        templates = [searching(kind).template(part) for part in ("delivery", "canary")]
        parameters = [each for template in templates for each in template["Parameters"].values()]
        return {each["Default"] for each in parameters} - {"/cdk-bootstrap/hnb659fds/version"}

    for kind in KINDS:
        assert told(kind) == asked(kind)
    assert told("domain") == {"/sluice/shop-dev/search/delivery-group", "/sluice/shop-dev/search/endpoint"}
    assert told("collection") == {"/sluice/shop-dev/search/arn", "/sluice/shop-dev/search/endpoint"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_stack_holds_it_in_place(searching, kind):
    assembly = searching(kind)
    assert not any("Export" in output for output in assembly.template("search")["Outputs"].values())
    for part in ("delivery", "aggregator"):
        assert "-search:" not in str(assembly.template(part))


def test_it_is_there_before_anything_is_delivered_and_after_its_bucket(searching):
    manifest = json.loads((searching("domain").folder / "manifest.json").read_text())["artifacts"]
    assert "shop-dev-search" in manifest["shop-dev-delivery"]["dependencies"]
    assert "shop-dev-storage" in manifest["shop-dev-search"]["dependencies"]


def test_a_route_without_a_search_is_refused(searching):
    with pytest.raises(ValueError, match="add it to the configuration"):
        searching("domain", settings=None)
