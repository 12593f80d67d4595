"""What a route to S3 has beyond the plain one: folders of its fields, Parquet, a data stream as its source."""

import pytest

from sluice.athena.tables import tables
from sluice.model import Config, deployment

pytestmark = pytest.mark.synth

ARN = "arn:<Partition>"
HERE = "<Region>:<AccountId>"
HOUR = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BUFFERING = {"size_mib": 64, "interval_seconds": 60, "pack": False}
CONFIG = Config.model_validate(
    {
        "name": "shop",
        "environments": {"dev": {"removal": "destroy"}},
        "routes": [
            {
                "name": "tenants",
                "match": "tenants*",
                "destination": {
                    "kind": "s3",
                    "partition_by": [
                        {"name": "tenant", "field": "attributes.tenant"},
                        {"name": "level", "field": "severity.text", "values": ["ERROR", "WARN"]},
                    ],
                },
                "buffering": BUFFERING,
            },
            {
                "name": "columns",
                "match": "columns*",
                "destination": {"kind": "s3", "format": "parquet"},
                "buffering": BUFFERING,
                "via": "kinesis",
            },
            {"name": "kept", "match": "kept*", "via": "kinesis", "kinesis": {"key_arn": KEY}},
            {
                "name": "aliased",
                "match": "aliased*",
                "via": "kinesis",
                "kinesis": {"key_arn": "arn:aws:kms:eu-west-1:111122223333:alias/logs"},
            },
        ],
    }
)


@pytest.fixture(scope="module")
def made(synthesize):
    return synthesize(deployment(CONFIG, "dev"), checked=True)


def stream(made, route):
    return made.properties("delivery", "AWS::KinesisFirehose::DeliveryStream", DeliveryStreamName=f"shop-dev-{route}")


def destination(made, route):
    return stream(made, route)["ExtendedS3DestinationConfiguration"]


def allowed(made, route):
    role = made.properties("delivery", "AWS::IAM::Role", RoleName=f"shop-dev-{route}-deliver")
    return {action: each["resources"] for each in made.statements("delivery", role) for action in each["actions"]}


def conditions(made, route):
    role = made.properties("delivery", "AWS::IAM::Role", RoleName=f"shop-dev-{route}-deliver")
    [policy] = role["Policies"]
    [found] = [each for each in policy["PolicyDocument"]["Statement"] if each["Action"] == "kms:Decrypt"]
    return found


def alarms(made, part, spelled):
    return {
        each["Properties"]["AlarmName"]: (
            each["Properties"]["Namespace"],
            each["Properties"]["MetricName"],
            {one["Name"]: spelled(one["Value"]) for one in each["Properties"]["Dimensions"]},
            each["Properties"]["Statistic"],
            each["Properties"]["ComparisonOperator"],
            each["Properties"]["Threshold"],
        )
        for each in made.resources(part, "AWS::CloudWatch::Alarm")
    }


def test_folders_are_of_the_keys_that_the_transformer_answers_and_of_the_hour(made):
    told = destination(made, "tenants")
    assert told["Prefix"] == (
        "logs/route=tenants/tenant=!{partitionKeyFromLambda:tenant}/level=!{partitionKeyFromLambda:level}/" + HOUR
    )
    assert told["DynamicPartitioningConfiguration"] == {"Enabled": True, "RetryOptions": {"DurationInSeconds": 300}}
    assert told["ErrorOutputPrefix"].startswith("failed/route=tenants/reason=!{firehose:error-output-type}/")
    [processor] = told["ProcessingConfiguration"]["Processors"]
    assert processor["Type"] == "Lambda"  # nothing but the transformer says which folder it is


def test_only_partitioned_routes_are_partitioned_by_firehose(made):
    for route in ("columns", "kept", "catch-all"):
        assert "DynamicPartitioningConfiguration" not in destination(made, route)
        assert destination(made, route)["Prefix"] == f"logs/route={route}/{HOUR}"


def test_folders_are_those_that_the_table_knows(made):
    """Firehose's expressions and the table's places are the same path, spelled twice."""
    for table in tables(deployment(CONFIG, "dev"), bucket="b"):
        if table.name.startswith("all__"):
            continue
        prefix = destination(made, table.name.replace("_", "-"))["Prefix"]
        for expression, column in (("yyyy", "year"), ("MM", "month"), ("dd", "day"), ("HH", "hour")):
            prefix = prefix.replace(f"!{{timestamp:{expression}}}", f"${{{column}}}")
        prefix = prefix.replace("!{partitionKeyFromLambda:", "${")
        assert f"s3://b/{prefix}" == table.parameters["storage.location.template"]


def test_too_many_folders_are_told_and_told_before(made, spelled):
    dimension = {"DeliveryStreamName": "shop-dev-tenants"}
    found = alarms(made, "delivery", spelled)
    least = "GreaterThanOrEqualToThreshold"
    assert found["shop-dev-tenants-many-partitions"] == (
        *("AWS/Firehose", "PartitionCount", dimension, "Maximum", least, 400),
    )
    assert found["shop-dev-tenants-too-many-partitions"] == (
        *("AWS/Firehose", "PartitionCountExceeded", dimension, "Maximum", least, 1),
    )
    assert {name for name in found if "partitions" in name} == {
        "shop-dev-tenants-many-partitions",
        "shop-dev-tenants-too-many-partitions",
    }


def test_parquet_is_made_by_the_routes_own_table(made, spelled):
    told = destination(made, "columns")
    assert told["CompressionFormat"] == "UNCOMPRESSED"  # Parquet compresses inside
    conversion = told["DataFormatConversionConfiguration"]
    assert conversion["Enabled"] is True
    schema = {key: spelled(value) for key, value in conversion["SchemaConfiguration"].items()}
    assert schema.pop("RoleARN").endswith(".Arn>")
    assert schema == {
        "CatalogId": "<AccountId>",
        "DatabaseName": "shop_dev",
        "TableName": "columns",
        "Region": "<Region>",
        "VersionId": "LATEST",
    }
    assert conversion["OutputFormatConfiguration"] == {"Serializer": {"ParquetSerDe": {"Compression": "SNAPPY"}}}
    assert "DataFormatConversionConfiguration" not in destination(made, "kept")


def test_parquet_keeps_the_keys_as_they_are_written(made):
    conversion = destination(made, "columns")["DataFormatConversionConfiguration"]
    assert conversion["InputFormatConfiguration"]["Deserializer"]["OpenXJsonSerDe"] == {
        "CaseInsensitive": False,
        "ConvertDotsInJsonKeysToUnderscores": False,
        "ColumnToJsonKeyMappings": {
            "event_time": "@timestamp",
            "observedtimestamp": "observedTimestamp",
            "traceid": "traceId",
            "spanid": "spanId",
        },
    }


def test_role_of_a_parquet_route_reads_one_table(made):
    tables = {f"{ARN}:glue:{HERE}:{part}" for part in ("catalog", "database/shop_dev", "table/shop_dev/columns")}
    reading = {action: resources for action, resources in allowed(made, "columns").items() if "glue" in action}
    assert reading == dict.fromkeys(("glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"), tables)
    assert not any("glue" in action for action in allowed(made, "kept"))


def test_what_could_not_be_converted_is_told(made, spelled):
    found = alarms(made, "delivery", spelled)
    assert found["shop-dev-columns-unconverted"][:4] == (
        *("AWS/Firehose", "FailedConversion.Records", {"DeliveryStreamName": "shop-dev-columns"}, "Sum"),
    )
    assert [name for name in found if "unconverted" in name] == ["shop-dev-columns-unconverted"]


def test_stream_reads_its_data_stream_and_is_not_encrypted_itself(made, spelled):
    told = stream(made, "kept")
    assert told["DeliveryStreamType"] == "KinesisStreamAsSource"
    source = told["KinesisStreamSourceConfiguration"]
    assert spelled(source["KinesisStreamARN"]) == f"{ARN}:kinesis:{HERE}:stream/shop-dev-kept"
    assert source["RoleARN"] == destination(made, "kept")["RoleARN"]
    assert "DeliveryStreamEncryptionConfigurationInput" not in told


def test_other_streams_are_put_to(made):
    told = stream(made, "tenants")
    assert told["DeliveryStreamType"] == "DirectPut"
    assert told["DeliveryStreamEncryptionConfigurationInput"] == {"KeyType": "AWS_OWNED_CMK"}
    assert "KinesisStreamSourceConfiguration" not in told
    assert not any("kinesis" in action or "kms" in action for action in allowed(made, "tenants"))


READING = {"kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards"}


@pytest.mark.parametrize("name", ["columns", "kept", "aliased"])
def test_role_reads_its_own_data_stream_and_writes_to_none(made, name):
    found = {action: resources for action, resources in allowed(made, name).items() if "kinesis:" in action}
    assert found == {action: {f"{ARN}:kinesis:{HERE}:stream/shop-dev-{name}"} for action in READING}


def test_key_is_used_through_kinesis_for_that_stream_only(made, spelled):
    found = conditions(made, "kept")
    assert found["Resource"] == KEY
    assert {key: spelled(value) for key, value in found["Condition"]["StringEquals"].items()} == {
        "kms:ViaService": "kinesis.<Region>.<URLSuffix>",
        "kms:EncryptionContext:aws:kinesis:arn": f"{ARN}:kinesis:{HERE}:stream/shop-dev-kept",
    }
    assert "kms:Decrypt" not in allowed(made, "columns")  # AWS's own key is open to all who may read the stream


def test_alias_of_a_key_is_a_condition(made):
    """As a resource it would allow nothing, and Firehose would read nothing until the records are gone."""
    found = conditions(made, "aliased")
    assert found["Resource"] == "arn:aws:kms:eu-west-1:111122223333:key/*"
    assert found["Condition"]["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": "alias/logs"}
    assert set(found["Condition"]["StringEquals"]) == {"kms:ViaService", "kms:EncryptionContext:aws:kinesis:arn"}
