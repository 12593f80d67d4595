"""boto3 behind what a Firehose calls: a function, S3, and Kinesis Data Streams.

The clients are the caller's, with their endpoints and timeouts. Give the Lambda client a `read_timeout`
over the function's own and no retries of its own: the retries are Firehose's, and are counted.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError, HTTPClientError

from local.firehose.destinations.s3 import PutObject
from local.firehose.errors import InvocationError
from local.firehose.lambda_stage import Invoke
from local.firehose.sources.kinesis import ExpiredIteratorError, KinesisRecord, Page, Shard, ShardReader

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import GetShardIteratorInputTypeDef, ListShardsInputTypeDef
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


def shard_reader(client: "KinesisClient") -> ShardReader:
    """Return what reads data streams; it raises ExpiredIteratorError, and what boto3 raises."""
    return _Shards(client)


class _Shards:
    """The three calls that reading takes."""

    def __init__(self, client: "KinesisClient") -> None:
        self._client = client

    def shards(self, stream_arn: str) -> list[Shard]:
        """List every shard, page by page."""
        found: list[Shard] = []
        request: ListShardsInputTypeDef = {"StreamARN": stream_arn}
        while True:
            page = self._client.list_shards(**request)
            for shard in page["Shards"]:
                parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
                found.append(Shard(shard["ShardId"], tuple(parent for parent in parents if parent)))
            if not page.get("NextToken"):
                return found
            request = {"NextToken": page["NextToken"]}

    def iterator(self, stream_arn: str, shard_id: str, *, after: str | None, since: float | None) -> str:
        """Ask for an iterator: behind a sequence number, from a time, or at the oldest record."""
        request: GetShardIteratorInputTypeDef = {
            "StreamARN": stream_arn,
            "ShardId": shard_id,
            "ShardIteratorType": "TRIM_HORIZON",
        }
        if after is not None:
            request |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
        elif since is not None:
            request |= {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(since, UTC)}
        return self._client.get_shard_iterator(**request)["ShardIterator"]

    def read(self, iterator: str) -> Page:
        """Read as much as Kinesis answers at once."""
        try:
            answer = self._client.get_records(ShardIterator=iterator)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExpiredIteratorException":
                raise ExpiredIteratorError from error
            raise
        records = [
            KinesisRecord(
                record["SequenceNumber"],
                record["PartitionKey"],
                record["Data"],
                # To the nearest millisecond: a float of seconds may be a hair below the one that it stands for.
                round(record["ApproximateArrivalTimestamp"].timestamp() * 1000),
            )
            for record in answer["Records"]
        ]
        return Page(records, answer.get("NextShardIterator"), answer.get("MillisBehindLatest", 0))
