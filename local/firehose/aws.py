"""boto3 behind the two things that a Firehose calls: a function, and S3.

The clients are the caller's, with their endpoints and timeouts. Give the Lambda client a `read_timeout`
over the function's own and no retries of its own: the retries are Firehose's, and are counted.
"""

from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError, HTTPClientError

from local.firehose.destinations.s3 import PutObject
from local.firehose.errors import InvocationError
from local.firehose.lambda_stage import Invoke

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

# https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html, in its words.
_REFUSALS: Final = {
    "AccessDeniedException": (
        "Lambda.InvokeAccessDenied",
        "Access was denied. Ensure that the access policy allows access to the Lambda function.",
    ),
    "ResourceNotFoundException": (
        "Lambda.ResourceNotFound",
        "The specified Lambda function does not exist. Use a different function that does exist.",
    ),
    "TooManyRequestsException": (
        "Lambda.InvokeLimitExceeded",
        "The Lambda concurrent execution limit is exceeded. Increase the concurrent execution limit.",
    ),
}
_FUNCTION_ERROR: Final = (
    "Lambda.FunctionError",
    "The Lambda function was successfully invoked but it returned an error result.",
)
_TIMED_OUT: Final = (
    "Lambda.FunctionTimedOut",
    "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.",
)


def lambda_invoker(client: "LambdaClient") -> Invoke:
    """Return what calls a function synchronously by its ARN; it raises InvocationError as Firehose names it."""

    def invoke(arn: str, event: bytes) -> bytes:
        try:
            response = client.invoke(FunctionName=arn, Payload=event)
            payload = response["Payload"].read()
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            raise InvocationError(*_REFUSALS.get(code, (f"Lambda.{code}", message))) from error
        except HTTPClientError as error:
            raise InvocationError("Lambda.FunctionRequestTimedOut", str(error)) from error
        if response.get("FunctionError"):
            raise InvocationError(*(_TIMED_OUT if b"Task timed out" in payload else _FUNCTION_ERROR))
        return payload

    return invoke


def s3_writer(client: "S3Client") -> PutObject:
    """Return what writes an object; it raises what boto3 raises."""

    def put_object(*, bucket: str, key: str, body: bytes, encoding: str | None) -> None:
        request: PutObjectRequestTypeDef = {
            "Bucket": bucket,
            "Key": key,
            "Body": body,
            "ContentType": "application/octet-stream",
        }
        if encoding is not None:
            request["ContentEncoding"] = encoding
        client.put_object(**request)

    return put_object
