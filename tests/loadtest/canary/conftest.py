"""A bucket, and what the canary keeps in it."""

import boto3
import pytest
from moto import mock_aws

from loadtest.canary.kept import Kept
from tests.loadtest.canary.stage import BUCKET, Bucket


@pytest.fixture(scope="module")
def s3():
    """Made once, for it takes most of a second."""
    with mock_aws():
        yield boto3.client("s3", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")


@pytest.fixture
def client(s3):
    s3.create_bucket(Bucket=BUCKET)
    yield s3
    try:
        found = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    except s3.exceptions.NoSuchBucket:
        return
    for each in found:
        s3.delete_object(Bucket=BUCKET, Key=each["Key"])
    s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def bucket(client):
    return Bucket(client)


@pytest.fixture
def kept(client):
    return Kept(client, BUCKET)
