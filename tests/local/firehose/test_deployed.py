import json
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from local.firehose import (
    BufferHints,
    KinesisSource,
    LambdaProcessor,
    OpenSearchDestination,
    S3Destination,
    UnsupportedFeatureError,
    deployed_streams,
)
from local.firehose.described import read_description
from local.process import free_port

MIB = 1024 * 1024
FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:transform"
ARN = "arn:aws:firehose:eu-west-1:000000000000:deliverystream/sluice-dev-web"


def lambda_processor(**parameters: str) -> dict:
    pairs = {"LambdaArn": FUNCTION, **parameters}
    return {
        "Type": "Lambda",
        "Parameters": [{"ParameterName": name, "ParameterValue": value} for name, value in pairs.items()],
    }


def destination(**changes: object) -> dict:
    return {
        "BucketARN": "arn:aws:s3:::sluice-logs",
        "RoleARN": "arn:aws:iam::000000000000:role/firehose",
        "Prefix": "logs/!{timestamp:yyyy}/",
        "ErrorOutputPrefix": "failed/!{firehose:error-output-type}/",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        "CompressionFormat": "GZIP",
        "S3BackupMode": "Disabled",
        "CloudWatchLoggingOptions": {"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"},
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        **changes,
    }


def describe(s3: dict | None = None, **changes: object) -> dict:
    return {
        "DeliveryStreamName": "sluice-dev-web",
        "DeliveryStreamARN": ARN,
        "DeliveryStreamType": "DirectPut",
        "VersionId": "7",
        "Destinations": [{"DestinationId": "d", "ExtendedS3DestinationDescription": s3 or destination()}],
        **changes,
    }


def processing(*processors: dict, enabled: bool = True) -> dict:
    return {"ProcessingConfiguration": {"Enabled": enabled, "Processors": list(processors)}}


def test_a_description_becomes_a_configuration():
    parameters = {"BufferSizeInMBs": "0.5", "BufferIntervalInSeconds": "30", "NumberOfRetries": "5"}
    newline = {"Type": "AppendDelimiterToRecord", "Parameters": []}
    described = destination(**processing(lambda_processor(**parameters), newline))

    config = read_description(describe(described))

    assert (config.name, config.arn, config.version, config.region) == ("sluice-dev-web", ARN, "7", "eu-west-1")
    assert config.processor == LambdaProcessor(
        FUNCTION, hints=BufferHints(size_bytes=MIB // 2, interval_seconds=30), retries=5
    )
    assert config.destination == S3Destination(
        bucket="sluice-logs",
        prefix="logs/!{timestamp:yyyy}/",
        error_prefix="failed/!{firehose:error-output-type}/",
        hints=BufferHints(size_bytes=64 * MIB, interval_seconds=60),
        compression="GZIP",
        delimiter=b"\n",
    )


def test_defaults_are_those_of_aws():
    config = read_description(describe({"BucketARN": "arn:aws:s3:::sluice-logs", **processing(lambda_processor())}))
    assert config.destination == S3Destination(
        bucket="sluice-logs", hints=BufferHints(size_bytes=5 * MIB, interval_seconds=300)
    )
    assert config.processor == LambdaProcessor(
        FUNCTION, hints=BufferHints(size_bytes=MIB, interval_seconds=60), retries=3
    )


def test_a_disabled_feature_is_none():
    switched_off = {
        **processing(lambda_processor(), enabled=False),
        "DynamicPartitioningConfiguration": {"Enabled": False},
        "DataFormatConversionConfiguration": {"Enabled": False},
    }
    assert read_description(describe(destination(**switched_off))).processor is None


@pytest.mark.parametrize(
    ("description", "named"),
    [
        (describe(DeliveryStreamType="MSKAsSource"), "MSKAsSource"),
        (describe(Destinations=[{"SplunkDestinationDescription": {}}]), "SplunkDestinationDescription"),
        (describe(Destinations=[]), "destinations"),
        (describe(destination(S3BackupMode="Enabled")), "S3BackupMode"),
        (describe(destination(CompressionFormat="Snappy")), "Snappy"),
        (describe(destination(DynamicPartitioningConfiguration={"Enabled": True})), "Dynamic Partitioning namespaces"),
        (describe(destination(DataFormatConversionConfiguration={})), "DataFormatConversion.*Parquet.*format is json"),
        (describe(destination(CustomTimeZone="Asia/Tokyo")), "Asia/Tokyo"),
        (describe(destination(SomethingNew=1)), "SomethingNew"),
        (describe(destination(ErrorOutputPrefix="errors/")), "error-output-type"),
        (describe(destination(**processing({"Type": "RecordDeAggregation"}))), "RecordDeAggregation"),
        (describe(destination(**processing(lambda_processor(), lambda_processor()))), "Lambda"),
        (describe(destination(**processing(lambda_processor(Extra="1")))), "Extra"),
        (
            describe(
                destination(
                    **processing(
                        {
                            "Type": "AppendDelimiterToRecord",
                            "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": ";"}],
                        }
                    )
                )
            ),
            "AppendDelimiterToRecord",
        ),
    ],
)
def test_what_is_not_done_here_is_an_error_that_names_stream_and_feature(description, named):
    with pytest.raises(UnsupportedFeatureError, match=f"sluice-dev-web.*{named}"):
        read_description(description)


@pytest.mark.parametrize(
    ("hints", "lambda_hints"),
    [
        ({"SizeInMBs": 1, "IntervalInSeconds": 0}, {"BufferSizeInMBs": "0.2", "BufferIntervalInSeconds": "0"}),
        ({"SizeInMBs": 128, "IntervalInSeconds": 900}, {"BufferSizeInMBs": "3", "BufferIntervalInSeconds": "900"}),
    ],
)
def test_hints_at_the_ends_of_their_ranges_are_taken(hints, lambda_hints):
    read_description(describe(destination(BufferingHints=hints, **processing(lambda_processor(**lambda_hints)))))


@pytest.mark.parametrize("hints", [{"SizeInMBs": 0}, {"SizeInMBs": 129}, {"IntervalInSeconds": 901}])
def test_s3_hints_past_their_ranges_are_refused(hints):
    with pytest.raises(UnsupportedFeatureError, match=next(iter(hints))):
        read_description(describe(destination(BufferingHints=hints)))


@pytest.mark.parametrize(
    "parameters",
    [{"BufferSizeInMBs": "0.19"}, {"BufferSizeInMBs": "3.01"}, {"BufferIntervalInSeconds": "901"}],
)
def test_lambda_hints_past_their_ranges_are_refused(parameters):
    with pytest.raises(UnsupportedFeatureError, match=next(iter(parameters))):
        read_description(describe(destination(**processing(lambda_processor(**parameters)))))


def test_what_the_description_lacks_is_read_from_the_template():
    configured = {"FileExtension": ".json.gz", "Prefix": {"Fn::Sub": "never looked at"}}
    assert read_description(describe(), configured=configured).destination.file_extension == ".json.gz"


@pytest.mark.parametrize(
    ("configured", "named"),
    [
        ({"FileExtension": {"Ref": "Extension"}}, "FileExtension"),
        ({"CustomTimeZone": "Asia/Tokyo"}, "CustomTimeZone"),
        ({"S3BackupConfiguration": {}}, "S3BackupConfiguration"),
    ],
)
def test_what_only_the_template_has_must_be_understood_too(configured, named):
    with pytest.raises(UnsupportedFeatureError, match=named):
        read_description(describe(), configured=configured)


def partitioned(**changes: object) -> dict:
    return destination(
        **{
            "Prefix": "logs/t=!{partitionKeyFromLambda:t}/!{timestamp:HH}/",
            "DynamicPartitioningConfiguration": {"Enabled": True, "RetryOptions": {"DurationInSeconds": 300}},
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
            **changes,
        }
    )


def test_dynamic_partitioning_is_read():
    config = read_description(describe(partitioned()))
    assert config.destination.partitioned
    assert config.destination.hints == BufferHints(size_bytes=64 * MIB, interval_seconds=60)
    assert not read_description(describe()).destination.partitioned


@pytest.mark.parametrize(
    "hints",
    [
        {"SizeInMBs": 63, "IntervalInSeconds": 60},
        {"SizeInMBs": 64, "IntervalInSeconds": 59},
        {"SizeInMBs": 129, "IntervalInSeconds": 60},
        {"SizeInMBs": 64, "IntervalInSeconds": 901},
        {},
    ],
)
def test_partitions_want_large_buffers_and_a_minute(hints):
    with pytest.raises(UnsupportedFeatureError, match=r"use (64 to 128|60 to 900)"):
        read_description(describe(partitioned(BufferingHints=hints)))


STREAM_ARN = "arn:aws:kinesis:eu-west-1:000000000000:stream/sluice-dev-web"


@pytest.mark.parametrize(
    ("begun", "start"),
    [({"DeliveryStartTimestamp": datetime(2026, 11, 1, tzinfo=UTC)}, 1_793_491_200.0), ({}, "LATEST")],
)
def test_a_data_stream_is_read_from_when_delivery_began(begun, start):
    source = {"KinesisStreamSourceDescription": {"KinesisStreamARN": STREAM_ARN, "RoleARN": "r", **begun}}
    config = read_description(describe(DeliveryStreamType="KinesisStreamAsSource", Source=source))
    assert config.source == KinesisSource(STREAM_ARN, start=start)
    assert read_description(describe()).source is None


DOMAIN = "arn:aws:es:eu-west-1:000000000000:domain/sluice-dev"


def search(**changes: object) -> dict:
    backup = destination()
    del backup["S3BackupMode"]
    return {
        "RoleARN": "arn:aws:iam::000000000000:role/firehose",
        "ClusterEndpoint": "https://search.example",
        "IndexName": "sluice-dev-web",
        "S3DestinationDescription": backup,
        "VpcConfigurationDescription": {"VpcId": "vpc-1"},
        "DocumentIdOptions": {"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"},
        **changes,
    }


def describe_search(kind: str = "AmazonopensearchserviceDestinationDescription", **changes: object) -> dict:
    return describe(Destinations=[{"DestinationId": "d", kind: search(**changes)}])


def test_an_opensearch_destination_becomes_a_configuration():
    config = read_description(
        describe_search(
            IndexRotationPeriod="OneHour",
            RetryOptions={"DurationInSeconds": 7200},
            BufferingHints={"SizeInMBs": 100, "IntervalInSeconds": 0},
            S3BackupMode="FailedDocumentsOnly",
            **processing(lambda_processor()),
        )
    )
    assert config.processor == LambdaProcessor(FUNCTION)
    assert config.destination == OpenSearchDestination(
        endpoint="https://search.example",
        index="sluice-dev-web",
        rotation="OneHour",
        retry_seconds=7200,
        hints=BufferHints(size_bytes=100 * MIB, interval_seconds=0),
        backup=S3Destination(
            bucket="sluice-logs",
            prefix="logs/!{timestamp:yyyy}/",
            error_prefix="failed/!{firehose:error-output-type}/",
            hints=BufferHints(size_bytes=64 * MIB, interval_seconds=60),
            compression="GZIP",
        ),
    )


@pytest.mark.parametrize(
    ("kind", "endpoint", "rotation"),
    [
        ("AmazonopensearchserviceDestinationDescription", "ClusterEndpoint", "OneDay"),
        ("AmazonOpenSearchServerlessDestinationDescription", "CollectionEndpoint", "NoRotation"),
    ],
)
def test_what_an_opensearch_destination_leaves_out_is_awss_default(kind, endpoint, rotation):
    described = search()
    described[endpoint] = described.pop("ClusterEndpoint")
    config = read_description(describe(Destinations=[{kind: described}]))
    assert (config.destination.rotation, config.destination.retry_seconds) == (rotation, 300)
    assert config.destination.hints == BufferHints(size_bytes=5 * MIB, interval_seconds=300)
    assert config.destination.endpoint == "https://search.example"


def test_a_domain_is_reached_where_the_caller_says():
    described = describe_search(DomainARN=DOMAIN, ClusterEndpoint=None)
    assert read_description(described, endpoints={DOMAIN: "http://127.0.0.1:1"}).destination.endpoint == (
        "http://127.0.0.1:1"
    )
    with pytest.raises(UnsupportedFeatureError, match=f"{DOMAIN}.*endpoints"):
        read_description(described)
    elsewhere = {"https://search.example": "http://127.0.0.1:2"}
    assert read_description(describe_search(), endpoints=elsewhere).destination.endpoint == "http://127.0.0.1:2"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"S3BackupMode": "AllDocuments"}, "AllDocuments.*FailedDocumentsOnly"),
        ({"IndexRotationPeriod": "OneYear"}, "OneYear"),
        ({"BufferingHints": {"SizeInMBs": 101}}, "SizeInMBs"),
        ({"BufferingHints": {"SizeInMBs": 0}}, "SizeInMBs"),
        ({"BufferingHints": {"IntervalInSeconds": 901}}, "IntervalInSeconds"),
        ({"RetryOptions": {"DurationInSeconds": 7201}}, "DurationInSeconds"),
        ({"TypeName": "x"}, "TypeName"),
        ({"S3DestinationDescription": destination(Surprise=1)}, "Surprise"),
        ({"S3DestinationDescription": destination(ErrorOutputPrefix="errors/")}, "error-output-type"),
    ],
)
def test_an_opensearch_destination_that_is_not_done_here_is_refused(changes, named):
    with pytest.raises(UnsupportedFeatureError, match=f"sluice-dev-web.*{named}"):
        read_description(describe_search(**changes))


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """A MiniStack of our own on a free port; returns its endpoint."""
    port = free_port()
    command = shutil.which("ministack", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.fail("ministack is not in this virtual environment; run `uv sync`")
    environment = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0"}
    log = tmp_path_factory.mktemp("ministack") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [command], env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        await_port(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def await_port(process: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("MiniStack did not open its port")


def test_the_streams_of_a_deployed_stack_are_read_with_references_resolved(emulator):
    settings = {"endpoint_url": emulator, "region_name": "eu-west-1"}
    keys = {"aws_access_key_id": "dummy", "aws_secret_access_key": "dummy"}
    cloudformation = boto3.client("cloudformation", **settings, **keys)
    firehose = boto3.client("firehose", **settings, **keys)
    configuration = destination(
        BucketARN={"Fn::GetAtt": ["Bucket", "Arn"]},
        FileExtension=".json.gz",
        **processing(lambda_processor(BufferSizeInMBs="0.5")),
    )
    template = {
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "sluice-dev-logs"}},
            "Web": {
                "Type": "AWS::KinesisFirehose::DeliveryStream",
                "Properties": {
                    "DeliveryStreamName": "sluice-dev-web",
                    "DeliveryStreamType": "DirectPut",
                    "ExtendedS3DestinationConfiguration": configuration,
                },
            },
        }
    }
    cloudformation.create_stack(StackName="delivery", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="delivery", WaiterConfig={"Delay": 1})

    (config,) = deployed_streams(cloudformation, firehose, stacks=["delivery"])

    assert (config.name, config.arn) == ("sluice-dev-web", ARN)
    assert config.processor == LambdaProcessor(FUNCTION, hints=BufferHints(size_bytes=MIB // 2, interval_seconds=60))
    assert (config.destination.bucket, config.destination.file_extension) == ("sluice-dev-logs", ".json.gz")
