"""Firehose's failure store and ours, joined as a person would join them; and a cut document with its original.

The whole way: into the project's Firehose, through the function, into a bucket.
"""

import base64
import gzip
import json
from hashlib import sha256

import boto3
import pytest
from moto import mock_aws

from lambdas.transform import handler as function
from lambdas.transform.limits import MAX_DOCUMENT_BYTES
from lambdas.transform.store import s3_client
from local.firehose import BufferHints, Firehose, LambdaProcessor, ManualClock, S3Destination, StreamConfig, s3_writer

BUCKET = "shop-dev-logs"
ARN = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/shop-dev-web"
# Lines so short that their documents are many times as long, and beyond any response.
TOO_MUCH = b"secret\n" * 50_000


@pytest.fixture
def s3(monkeypatch):
    """A bucket, and a function in the environment that the delivery stack gives it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("SLUICE_BUCKET", BUCKET)
    monkeypatch.setenv("SLUICE_ROUTE", "web")
    fresh()
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client
    fresh()


def fresh():
    """As a new process: nothing is known of the environment, and no client is made."""
    function._route.cache_clear()
    s3_client.cache_clear()


def deliver(s3, *records):
    """Put records into a Firehose, and give the bucket's objects: the keys' first folder to the lines in it."""
    config = StreamConfig(
        name="shop-dev-web",
        arn=ARN,
        processor=LambdaProcessor("arn:function", hints=BufferHints(size_bytes=2**20, interval_seconds=60)),
        destination=S3Destination(bucket=BUCKET, prefix="logs/", error_prefix="failed/!{firehose:error-output-type}/"),
    )

    def invoke(_, payload):
        return json.dumps(function.handler(json.loads(payload), None)).encode()

    firehose = Firehose([config], invoke=invoke, put_object=s3_writer(s3), clock=ManualClock())
    firehose.put("shop-dev-web", list(records))
    assert firehose.drain()
    lines = {}
    for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        body = s3.get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read()
        text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        lines.setdefault(found["Key"].partition("/")[0], []).extend(map(json.loads, text.splitlines()))
    return lines


def test_failed_record_finds_its_reason_by_its_data(s3):
    found = deliver(s3, b"a line", TOO_MUCH, b"another line")
    [failed] = found["failed"]
    [reason] = found["reasons"]
    data = base64.b64decode(failed["rawData"])
    assert data == TOO_MUCH
    assert reason["sha256"] == sha256(data).hexdigest()
    assert (reason["bytes"], reason["reason"]) == (len(TOO_MUCH), "response_too_large")
    assert "secret" not in str(reason)
    assert [document["body"] for document in found["logs"]] == ["a line", "another line"]


def test_cut_document_leads_to_its_original(s3):
    line = "long " * (MAX_DOCUMENT_BYTES // 5)
    found = deliver(s3, json.dumps({"log": line}).encode())
    [document], [original] = found["logs"], found["oversize"]
    assert line.startswith(document["body"])
    assert document["attributes"]["log.record.truncated"] is True
    bucket, _, key = document["attributes"]["log.record.original"].removeprefix("s3://").partition("/")
    assert bucket == BUCKET
    assert s3.head_object(Bucket=bucket, Key=key)
    assert original["body"] == line
    assert original["event_id"] == document["event_id"]


def test_copy_of_a_cut_document_is_the_same_document_with_the_same_original(s3):
    """As when Fluent Bit tries a chunk again."""
    record = json.dumps(
        {"log": "x" * MAX_DOCUMENT_BYTES, "_tag": "web", "_time": "2026-11-21T02:36:00.123456789Z"}
    ).encode()
    found = deliver(s3, record, record)
    first, second = found["logs"]
    assert first == second
    assert len(found["oversize"]) == 1
