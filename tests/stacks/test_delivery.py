"""Every route has a stream of its own that does what the configuration says, and a role that can do no more."""

import pytest

from sluice.model import deployment

pytestmark = pytest.mark.synth

ARN = "arn:<Partition>"
HERE = "<Region>:<AccountId>"
BUCKET = f"{ARN}:s3:::shop-dev-logs-<AccountId>-<Region>"
HOUR = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"

# The one route that hashes is told so, and may read the key; no other may.
HASHES = "quick"


@pytest.fixture
def stream(dev, route):
    return dev.properties(
        "delivery", "AWS::KinesisFirehose::DeliveryStream", DeliveryStreamName=f"shop-dev-{route.name}"
    )


@pytest.fixture
def destination(stream):
    return stream["ExtendedS3DestinationConfiguration"]


@pytest.fixture
def function(dev, route):
    return dev.properties("delivery", "AWS::Lambda::Function", FunctionName=f"shop-dev-{route.name}-transform")


@pytest.fixture
def key(dev):
    resources = dev.template("delivery")["Resources"]
    return next(name for name, found in resources.items() if found["Type"] == "AWS::SecretsManager::Secret")


def logical_id(dev, properties):
    resources = dev.template("delivery")["Resources"]
    return next(name for name, found in resources.items() if found["Properties"] == properties)


def test_stream_takes_records_directly_and_keeps_them_encrypted(stream):
    assert stream["DeliveryStreamType"] == "DirectPut"
    assert stream["DeliveryStreamEncryptionConfigurationInput"] == {"KeyType": "AWS_OWNED_CMK"}


def test_objects_are_compressed_and_lie_under_route_and_hour(destination, route, spelled):
    assert destination["CompressionFormat"] == "GZIP"
    assert spelled(destination["BucketARN"]) == BUCKET
    assert destination["Prefix"] == f"logs/route={route.name}/{HOUR}"


def test_failures_are_kept_apart_by_reason(destination, route):
    assert destination["ErrorOutputPrefix"] == (
        f"failed/route={route.name}/reason=!{{firehose:error-output-type}}/{HOUR}"
    )


def test_buffers_are_those_of_the_configuration(destination, route):
    assert destination["BufferingHints"] == {
        "SizeInMBs": route.buffering.size_mib,
        "IntervalInSeconds": route.buffering.interval_seconds,
    }


def test_the_routes_own_transformer_is_called_and_retried(dev, destination, function, route, spelled):
    assert destination["ProcessingConfiguration"]["Enabled"] is True
    [processor] = destination["ProcessingConfiguration"]["Processors"]
    parameters = {each["ParameterName"]: spelled(each["ParameterValue"]) for each in processor["Parameters"]}
    assert processor["Type"] == "Lambda"
    assert parameters["LambdaArn"] == f"<{logical_id(dev, function)}.Arn>"
    assert parameters["NumberOfRetries"] == "3"
    assert float(parameters["BufferSizeInMBs"]) == route.buffering.transform_size_mb
    assert int(parameters["BufferIntervalInSeconds"]) == route.buffering.transform_interval_seconds


def test_sizes_are_spelled_as_firehose_takes_them(dev):
    """A whole number has no fraction, and a fraction is not rounded: 1 and 0.2, never 1.0 or 0."""
    sizes = set()
    for stream in dev.resources("delivery", "AWS::KinesisFirehose::DeliveryStream"):
        [processor] = stream["Properties"]["ExtendedS3DestinationConfiguration"]["ProcessingConfiguration"][
            "Processors"
        ]
        sizes |= {
            each["ParameterValue"] for each in processor["Parameters"] if each["ParameterName"] == "BufferSizeInMBs"
        }
    assert sizes == {"1", "0.5", "0.2"}


def test_role_writes_two_prefixes_calls_one_function_and_logs_to_one_stream(dev, destination, function, route):
    role = dev.properties("delivery", "AWS::IAM::Role", RoleName=f"shop-dev-{route.name}-deliver")
    called = logical_id(dev, function)
    allowed = [
        {
            "actions": {"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
            "resources": {BUCKET},
        },
        {
            "actions": {"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"},
            "resources": {f"{BUCKET}/logs/route={route.name}/*", f"{BUCKET}/failed/route={route.name}/*"},
        },
        {
            "actions": {"lambda:InvokeFunction", "lambda:GetFunctionConfiguration"},
            "resources": {f"<{called}.Arn>", f"<{called}.Arn>:$LATEST"},
        },
        {
            "actions": {"logs:PutLogEvents"},
            "resources": {
                f"{ARN}:logs:{HERE}:log-group:/aws/kinesisfirehose/shop-dev-{route.name}:log-stream:delivery"
            },
        },
    ]
    assert dev.statements("delivery", role) == allowed
    assert destination["RoleARN"] == {"Fn::GetAtt": [logical_id(dev, role), "Arn"]}


def test_delivery_errors_are_logged_where_the_role_may_write(dev, destination, route):
    options = destination["CloudWatchLoggingOptions"]
    group = dev.properties(
        "delivery", "AWS::Logs::LogGroup", LogGroupName=f"/aws/kinesisfirehose/shop-dev-{route.name}"
    )
    assert options["Enabled"] is True
    assert options["LogGroupName"] == {"Ref": logical_id(dev, group)}
    assert group["RetentionInDays"] == 7


def test_function_knows_its_route_its_steps_and_its_rules(function, route, key):
    rules = {"SLUICE_RULES": '{"redact":[{"pattern":"email","action":"hash"}]}', "SLUICE_REDACTION_KEY": {"Ref": key}}
    assert function["Handler"] == "lambdas.transform.handler.handler"
    assert function["Environment"]["Variables"] == {
        "SLUICE_ROUTE": route.name,
        "SLUICE_STEPS": ",".join(route.steps),
        "SLUICE_BUCKET": {"Fn::Join": ["", ["shop-dev-logs-", {"Ref": "AWS::AccountId"}, "-", {"Ref": "AWS::Region"}]]},
        "POWERTOOLS_SERVICE_NAME": f"shop-dev-{route.name}-transform",
        "POWERTOOLS_METRICS_NAMESPACE": "Sluice",
        **(rules if route.name == HASHES else {}),
    }


def test_function_has_the_configured_size_and_ends_before_firehose_gives_up(function, here):
    assert function["MemorySize"] == here.transformer.memory_mb
    assert function["Architectures"] == [here.transformer.architecture.value]
    assert function["Runtime"] == f"python{here.transformer.python}"
    assert function["Timeout"] < 300


def test_function_may_write_its_own_log_and_two_prefixes_and_read_the_key_if_it_hashes(dev, function, route, key):
    group = dev.properties(
        "delivery", "AWS::Logs::LogGroup", LogGroupName=f"/aws/lambda/shop-dev-{route.name}-transform"
    )
    role = dev.template("delivery")["Resources"][function["Role"]["Fn::GetAtt"][0]]["Properties"]
    reads_the_key = {"actions": {"secretsmanager:GetSecretValue"}, "resources": {f"<{key}>"}}
    assert dev.statements("delivery", role) == [
        {"actions": {"logs:CreateLogStream", "logs:PutLogEvents"}, "resources": {f"<{logical_id(dev, group)}.Arn>"}},
        {
            "actions": {"s3:PutObject"},
            "resources": {f"{BUCKET}/oversize/route={route.name}/*", f"{BUCKET}/reasons/route={route.name}/*"},
        },
        *([reads_the_key] if route.name == HASHES else []),
    ]
    assert "ManagedPolicyArns" not in role
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": logical_id(dev, group)}}
    assert group["RetentionInDays"] == 7


def test_all_functions_share_one_package(dev):
    keys = {str(each["Properties"]["Code"]["S3Key"]) for each in dev.resources("delivery", "AWS::Lambda::Function")}
    assert len(keys) == 1


def test_every_stream_is_told(dev):
    outputs = dev.template("delivery")["Outputs"]
    assert {name: output["Value"] for name, output in outputs.items()} == {
        "StreamWeb": "shop-dev-web",
        "StreamWeb2": "shop-dev-web-2",
        "StreamQuick": "shop-dev-quick",
        "StreamCatchAll": "shop-dev-catch-all",
    }
    assert not any("Export" in output for output in outputs.values())


def test_reordering_or_adding_routes_replaces_nothing(dev, config, synthesize):
    """A stream that is replaced loses what it buffers, so the others must not even change."""
    added = type(config.routes[0])(name="added", match="added*")
    changed = config.model_copy(update={"routes": (*reversed(config.routes), added)})
    after = synthesize(deployment(changed, "dev")).template("delivery")["Resources"]
    before = dev.template("delivery")["Resources"]
    assert {name: after.get(name) for name in before} == before
    assert any("shop-dev-added" in str(resource) for resource in after.values())


def test_environments_have_the_same_streams(dev, prod):
    def streams(assembly, environment):
        found = assembly.resources("delivery", "AWS::KinesisFirehose::DeliveryStream")
        return sorted(str(each["Properties"]).replace(f"shop-{environment}-", "") for each in found)

    def without_tags(texts):
        return [each.split("'Tags'")[0] for each in texts]

    assert without_tags(streams(dev, "dev")) == without_tags(streams(prod, "prod"))
