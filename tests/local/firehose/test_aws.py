import io
import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from moto import mock_aws

from local.firehose import Firehose, InvocationError, lambda_invoker, s3_writer, shard_reader
from local.firehose.sources.kinesis import ExpiredIteratorError, KinesisRecord, Page, Shard

ARN = "arn:aws:lambda:eu-west-1:000000000000:function:transform"
CREDENTIALS = {"region_name": "eu-west-1", "aws_access_key_id": "dummy", "aws_secret_access_key": "dummy"}


@pytest.fixture
def stubbed():
    client = boto3.client("lambda", **CREDENTIALS)
    with Stubber(client) as stub:
        yield client, stub


def body(payload: object) -> StreamingBody:
    raw = json.dumps(payload).encode()
    return StreamingBody(io.BytesIO(raw), len(raw))


def test_the_answer_of_a_function_is_its_payload(stubbed):
    client, stub = stubbed
    stub.add_response("invoke", {"Payload": body({"records": []})}, {"FunctionName": ARN, "Payload": b"{}"})
    assert lambda_invoker(client)(ARN, b"{}") == b'{"records": []}'


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"errorMessage": "KeyError: 'x'", "errorType": "KeyError"}, "Lambda.FunctionError"),
        ({"errorMessage": "2026-11-20 Task timed out after 3.00 seconds"}, "Lambda.FunctionTimedOut"),
    ],
)
def test_an_error_of_the_function_is_named_as_firehose_names_it(stubbed, error, code):
    client, stub = stubbed
    stub.add_response("invoke", {"FunctionError": "Unhandled", "Payload": body(error)})
    with pytest.raises(InvocationError) as failed:
        lambda_invoker(client)(ARN, b"{}")
    assert failed.value.code == code


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        ("TooManyRequestsException", "Lambda.InvokeLimitExceeded"),
        ("AccessDeniedException", "Lambda.InvokeAccessDenied"),
        ("ResourceNotFoundException", "Lambda.ResourceNotFound"),
        ("ServiceException", "Lambda.ServiceException"),
    ],
)
def test_a_refused_invocation_is_named_as_firehose_names_it(stubbed, refusal, code):
    client, stub = stubbed
    stub.add_client_error("invoke", service_error_code=refusal)
    with pytest.raises(InvocationError) as failed:
        lambda_invoker(client)(ARN, b"{}")
    assert failed.value.code == code


def test_an_invocation_that_is_not_answered_in_time_is_named():
    class Silent:
        def invoke(self, **_request: object) -> None:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1")

    with pytest.raises(InvocationError) as failed:
        lambda_invoker(Silent())(ARN, b"{}")
    assert failed.value.code == "Lambda.FunctionRequestTimedOut"


@mock_aws
def test_objects_are_written_with_their_encoding(stream, function, clock):
    s3 = boto3.client("s3", **CREDENTIALS)
    s3.create_bucket(Bucket="sluice-logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    firehose = Firehose([stream(compression="GZIP")], invoke=function.invoke, put_object=s3_writer(s3), clock=clock)
    firehose.put("sluice-test-web", [b"a\n"])
    assert firehose.drain()

    (listed,) = s3.list_objects_v2(Bucket="sluice-logs")["Contents"]
    written = s3.get_object(Bucket="sluice-logs", Key=listed["Key"])
    assert (written["ContentEncoding"], written["ContentType"]) == ("gzip", "application/octet-stream")


STREAM_ARN = "arn:aws:kinesis:eu-west-1:000000000000:stream/web"


@pytest.fixture
def kinesis():
    client = boto3.client("kinesis", **CREDENTIALS)
    with Stubber(client) as stub:
        yield client, stub


def described(shard_id: str, **parents: str) -> dict:
    ranges = {
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
        "SequenceNumberRange": {"StartingSequenceNumber": "1"},
    }
    return {"ShardId": shard_id, **ranges, **parents}


def test_shards_are_listed_page_by_page_with_their_parents(kinesis):
    client, stub = kinesis
    first = {"Shards": [described("a"), described("b", ParentShardId="a")], "NextToken": "more"}
    second = {"Shards": [described("c", ParentShardId="a", AdjacentParentShardId="b")]}
    stub.add_response("list_shards", first, {"StreamARN": STREAM_ARN})
    stub.add_response("list_shards", second, {"NextToken": "more"})
    assert shard_reader(client).shards(STREAM_ARN) == [Shard("a"), Shard("b", ("a",)), Shard("c", ("a", "b"))]


@pytest.mark.parametrize(
    ("after", "since", "asked"),
    [
        ("7", 1.5, {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "7"}),
        (None, 1.5, {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(1.5, UTC)}),
        (None, None, {"ShardIteratorType": "TRIM_HORIZON"}),
    ],
)
def test_reading_begins_behind_a_record_at_a_time_or_with_the_oldest(kinesis, after, since, asked):
    client, stub = kinesis
    stub.add_response("get_shard_iterator", {"ShardIterator": "i"}, {"StreamARN": STREAM_ARN, "ShardId": "a", **asked})
    assert shard_reader(client).iterator(STREAM_ARN, "a", after=after, since=since) == "i"


def test_a_page_of_records_is_read_and_the_end_of_a_shard_seen(kinesis):
    client, stub = kinesis
    arrived = datetime(2026, 11, 20, 1, 2, 3, 457_000, tzinfo=UTC)
    record = {
        "SequenceNumber": "7",
        "PartitionKey": "k",
        "Data": b"x",
        "ApproximateArrivalTimestamp": arrived,
    }
    stub.add_response("get_records", {"Records": [record], "NextShardIterator": "j", "MillisBehindLatest": 5})
    stub.add_response("get_records", {"Records": [], "MillisBehindLatest": 0})
    read = shard_reader(client).read
    assert read("i") == Page([KinesisRecord("7", "k", b"x", 1_795_136_523_457)], "j", 5)
    assert read("j") == Page([], None, 0)


def test_an_iterator_that_expired_is_told_from_other_errors(kinesis):
    client, stub = kinesis
    stub.add_client_error("get_records", service_error_code="ExpiredIteratorException")
    stub.add_client_error("get_records", service_error_code="ProvisionedThroughputExceededException")
    with pytest.raises(ExpiredIteratorError):
        shard_reader(client).read("i")
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        shard_reader(client).read("i")
