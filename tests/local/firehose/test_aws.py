import io
import json

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from moto import mock_aws

from local.firehose import Firehose, InvocationError, lambda_invoker, s3_writer

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
