"""A route to OpenSearch delivers to its index as the configuration says, loses nothing, and may do no more."""

import pytest

from sluice.destinations import OpenSearchDestination
from sluice.search_settings import ExistingDomain

pytestmark = pytest.mark.synth

ARN = "arn:<Partition>"
HERE = "<Region>:<AccountId>"
DOMAIN = f"{ARN}:es:{HERE}:domain/shop-dev-search"
BUCKET = f"{ARN}:s3:::shop-dev-logs-<AccountId>-<Region>"
HOUR = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
KINDS = ["domain", "public", "existing", "existing_vpc", "collection"]
INTERFACES = {
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcs",
}


def stream(assembly, name="web"):
    return assembly.properties(
        "delivery", "AWS::KinesisFirehose::DeliveryStream", DeliveryStreamName=f"shop-dev-{name}"
    )


def delivered(assembly, name="web"):
    found = stream(assembly, name)
    [key] = [key for key in found if key.endswith("DestinationConfiguration")]
    return found[key]


def logical_id(assembly, properties):
    resources = assembly.template("delivery")["Resources"]
    return next(name for name, found in resources.items() if found["Properties"] == properties)


def own_role(assembly, name="web"):
    return assembly.properties("delivery", "AWS::IAM::Role", RoleName=f"shop-dev-{name}-deliver")


def allowed(assembly, role):
    """Action → resources."""
    found = {}
    for statement in assembly.statements("delivery", role):
        for action in statement["actions"]:
            found.setdefault(action, set()).update(statement["resources"])
    return found


def transformer_role(assembly, name="web"):
    function = assembly.properties("delivery", "AWS::Lambda::Function", FunctionName=f"shop-dev-{name}-transform")
    return assembly.template("delivery")["Resources"][function["Role"]["Fn::GetAtt"][0]]["Properties"]


def parameter(assembly, what):
    """Logical id of the template's parameter for a value of the search stack."""
    parameters = assembly.template("delivery")["Parameters"]
    [found] = [name for name, each in parameters.items() if each["Default"] == f"/sluice/shop-dev/search/{what}"]
    assert parameters[found]["Type"] == "AWS::SSM::Parameter::Value<String>"
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_documents_go_to_the_routes_index(searching, kind):
    assert delivered(searching(kind))["IndexName"] == "shop-dev-web"


def test_firehose_finds_the_domain_by_its_arn(searching, spelled):
    assert spelled(delivered(searching("domain"))["DomainARN"]) == DOMAIN
    assert delivered(searching("existing"))["DomainARN"] == "arn:aws:es:eu-west-1:111122223333:domain/logs"
    for kind in ("domain", "existing"):
        assert "ClusterEndpoint" not in delivered(searching(kind))


def test_an_opensearch_of_this_machine_is_told_by_its_address(searching):
    url = "http://127.0.0.1:9200"
    local = ExistingDomain(kind="existing", endpoint=url, arn="arn:aws:es:us-east-1:000000000000:domain/local")
    found = delivered(searching("existing", settings=local))
    assert found["ClusterEndpoint"] == url
    assert "DomainARN" not in found


def test_a_collection_is_told_by_its_address(searching):
    assembly = searching("collection")
    assert "AmazonOpenSearchServerlessDestinationConfiguration" in stream(assembly)
    assert delivered(assembly)["CollectionEndpoint"] == {"Ref": parameter(assembly, "endpoint")}
    assert "IndexRotationPeriod" not in delivered(assembly)


@pytest.mark.parametrize(
    ("rotation", "told"),
    [
        ("none", "NoRotation"),
        ("hour", "OneHour"),
        ("day", "OneDay"),
        ("week", "OneWeek"),
        ("month", "OneMonth"),
    ],
)
def test_a_new_index_begins_as_often_as_the_route_says(searching, rotation, told):
    destination = OpenSearchDestination(kind="opensearch", rotation=rotation)
    assert delivered(searching("public", destination=destination))["IndexRotationPeriod"] == told


@pytest.mark.parametrize("kind", KINDS)
def test_buffers_and_patience_are_those_of_the_route(searching, kind):
    found = delivered(searching(kind))
    assert found["BufferingHints"] == {"SizeInMBs": 8, "IntervalInSeconds": 30}
    assert found["RetryOptions"] == {"DurationInSeconds": 600}


def test_a_repeated_request_makes_no_second_document(searching):
    assert delivered(searching("domain"))["DocumentIdOptions"] == {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_index_takes_lies_by_reason_below_failed(searching, spelled, kind):
    found = delivered(searching(kind))
    backup = found["S3Configuration"]
    assert found["S3BackupMode"] == "FailedDocumentsOnly"
    assert spelled(backup["BucketARN"]) == BUCKET
    assert backup["ErrorOutputPrefix"] == f"failed/route=web/reason=!{{firehose:error-output-type}}/{HOUR}"
    # Wherever else Firehose would put one, its role may write, and quarantine looks.
    assert backup["Prefix"] == "failed/route=web/"
    assert backup["CompressionFormat"] == "GZIP"
    assert backup["BufferingHints"] == {"SizeInMBs": 8, "IntervalInSeconds": 30}
    assert backup["RoleARN"] == found["RoleARN"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_routes_own_transformer_makes_the_documents(searching, spelled, kind):
    assembly = searching(kind)
    [processor] = delivered(assembly)["ProcessingConfiguration"]["Processors"]
    told = {each["ParameterName"]: spelled(each["ParameterValue"]) for each in processor["Parameters"]}
    function = assembly.properties("delivery", "AWS::Lambda::Function", FunctionName="shop-dev-web-transform")
    assert told["LambdaArn"] == f"<{logical_id(assembly, function)}.Arn>"
    assert told["BufferIntervalInSeconds"] == "10"
    variables = function["Environment"]["Variables"]
    assert variables["SLUICE_SPREAD"] == "1"
    assert variables["SLUICE_RULES"] == '{"shape":"search","numbers":["cart.total"]}'
    [secret] = assembly.resources("delivery", "AWS::SecretsManager::Secret")
    assert variables["SLUICE_REDACTION_KEY"] == {"Ref": logical_id(assembly, secret["Properties"])}


def test_function_sends_further_documents_to_its_own_stream_alone(searching):
    assembly = searching("domain")
    found = allowed(assembly, transformer_role(assembly))
    assert found["firehose:PutRecordBatch"] == {f"{ARN}:firehose:{HERE}:deliverystream/shop-dev-web"}
    assert "kinesis:PutRecords" not in found
    assert "secretsmanager:GetSecretValue" in found


def test_function_of_a_route_via_kinesis_sends_them_to_its_data_stream_alone(searching):
    assembly = searching("domain")
    found = allowed(assembly, transformer_role(assembly, "api"))
    assert found["kinesis:PutRecords"] == {f"{ARN}:kinesis:{HERE}:stream/shop-dev-api"}
    assert "firehose:PutRecordBatch" not in found


def test_function_uses_the_key_of_its_data_stream(searching):
    key = "arn:aws:kms:eu-west-1:111122223333:key/k-1"
    assembly = searching("public", key_arn=key)
    assert allowed(assembly, transformer_role(assembly, "api"))["kms:GenerateDataKey"] == {key}
    assert allowed(assembly, own_role(assembly, "api"))["kms:Decrypt"] == {key}


def test_function_of_a_route_to_s3_sends_nothing(searching):
    assembly = searching("domain")
    found = allowed(assembly, transformer_role(assembly, "catch-all"))
    assert not {"firehose:PutRecordBatch", "kinesis:PutRecords", "secretsmanager:GetSecretValue"} & set(found)


@pytest.mark.parametrize(
    ("kind", "domain"), [("domain", DOMAIN), ("existing", "arn:aws:es:eu-west-1:111122223333:domain/logs")]
)
def test_role_may_do_in_the_domain_what_aws_lists(searching, kind, domain):
    assembly = searching(kind)
    found = allowed(assembly, own_role(assembly))
    for action in ("DescribeDomain", "DescribeDomains", "DescribeDomainConfig", "ESHttpPost", "ESHttpPut"):
        assert found[f"es:{action}"] == {domain, f"{domain}/*"}
    assert found["es:ESHttpGet"] == {
        f"{domain}/{path}"
        for path in (
            "",
            "_all/_settings",
            "_cluster/stats",
            "shop-dev-web*/_mapping*",
            "_nodes",
            "_nodes/stats",
            "_nodes/*/stats",
            "_stats",
            "shop-dev-web*/_stats",
        )
    }


def test_role_may_call_the_one_collection(searching):
    assembly = searching("collection")
    found = allowed(assembly, own_role(assembly))
    assert found["aoss:APIAccessAll"] == {f"<{parameter(assembly, 'arn')}>"}
    assert not any(action.startswith("es:") for action in found)


@pytest.mark.parametrize("kind", KINDS)
def test_role_writes_failures_calls_its_function_and_logs(searching, kind):
    assembly = searching(kind)
    role = own_role(assembly)
    found = allowed(assembly, role)
    function = assembly.properties("delivery", "AWS::Lambda::Function", FunctionName="shop-dev-web-transform")
    called = logical_id(assembly, function)
    assert found["s3:PutObject"] == {f"{BUCKET}/failed/route=web/*"}
    assert found["lambda:InvokeFunction"] == {f"<{called}.Arn>", f"<{called}.Arn>:$LATEST"}
    assert found["logs:PutLogEvents"] == {
        f"{ARN}:logs:{HERE}:log-group:/aws/kinesisfirehose/shop-dev-web:log-stream:delivery"
    }
    assert delivered(assembly)["RoleARN"] == {"Fn::GetAtt": [logical_id(assembly, role), "Arn"]}


@pytest.mark.parametrize("kind", ["domain", "existing_vpc"])
def test_in_a_vpc_firehose_has_interfaces_in_every_zone_and_the_right_to_make_more(searching, kind):
    assembly = searching(kind)
    network = delivered(assembly)["VpcConfiguration"]
    role = own_role(assembly)
    assert len(network["SubnetIds"]) == 2
    assert network["SecurityGroupIds"] == [{"Ref": parameter(assembly, "delivery-group")}]
    assert network["RoleARN"] == {"Fn::GetAtt": [logical_id(assembly, role), "Arn"]}
    found = allowed(assembly, role)
    assert {action for action in found if action.startswith("ec2:")} == INTERFACES


def test_of_an_existing_network_one_subnet_of_each_zone_is_taken(searching, elsewhere):
    network = delivered(searching("domain", network=elsewhere))["VpcConfiguration"]
    assert network["SubnetIds"] == ["subnet-00000001", "subnet-00000003"]


@pytest.mark.parametrize("kind", ["public", "existing", "collection"])
def test_outside_of_a_vpc_there_are_no_interfaces(searching, kind):
    assembly = searching(kind)
    assert "VpcConfiguration" not in delivered(assembly)
    assert not any(action.startswith("ec2:") for action in allowed(assembly, own_role(assembly)))


def test_what_is_put_is_encrypted_and_what_is_read_is_so_already(searching):
    assembly = searching("domain")
    direct, read = stream(assembly), stream(assembly, "api")
    assert direct["DeliveryStreamType"] == "DirectPut"
    assert direct["DeliveryStreamEncryptionConfigurationInput"] == {"KeyType": "AWS_OWNED_CMK"}
    assert read["DeliveryStreamType"] == "KinesisStreamAsSource"
    assert "DeliveryStreamEncryptionConfigurationInput" not in read


def test_a_route_via_kinesis_reads_its_own_data_stream(searching, spelled):
    assembly = searching("domain")
    source = stream(assembly, "api")["KinesisStreamSourceConfiguration"]
    arn = f"{ARN}:kinesis:{HERE}:stream/shop-dev-api"
    assert spelled(source["KinesisStreamARN"]) == arn
    assert source["RoleARN"] == delivered(assembly, "api")["RoleARN"]
    assert allowed(assembly, own_role(assembly, "api"))["kinesis:GetRecords"] == {arn}
    assert not any(action.startswith("kinesis:") for action in allowed(assembly, own_role(assembly)))


def test_routes_to_s3_are_as_they_are_without_a_search(searching):
    """Only what goes there pays for it; the catch-all is the same in both."""
    with_search = searching("domain").template("delivery")["Resources"]
    without = searching("domain", is_wanted=False)
    plain = without.template("delivery")["Resources"]
    assert "shop-dev-search" not in without.stacks
    assert any("shop-dev-catch-all" in str(each) for each in plain.values())
    assert {name: with_search.get(name) for name in plain} == plain
