import gzip
import json

import boto3
import pytest
from moto import mock_aws

from loadtest.read_s3 import BucketReader, UnreadableObjectError, route_of_key

BUCKET = "shop-logs"


@pytest.fixture
def s3(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def put(s3, key, *documents, packed=True):
    body = "".join(json.dumps(document) + "\n" for document in documents).encode()
    s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(body) if packed else body)


def reader(s3, *prefixes, **options):
    return BucketReader(s3, bucket=BUCKET, prefixes=prefixes, **options)


def read(found):
    return {one.key: list(one.documents) for one in found}


def test_each_object_is_read_once_and_new_ones_later(s3):
    logs = reader(s3, "logs/")
    put(s3, "logs/b.gz", {"n": 1}, {"n": 2})
    put(s3, "failed/x.gz", {"n": 9})
    assert read(logs.poll()) == {"logs/b.gz": [{"n": 1}, {"n": 2}]}

    put(s3, "logs/a.gz", {"n": 3})
    assert read(logs.poll()) == {"logs/a.gz": [{"n": 3}]}
    assert read(logs.poll()) == {}


def test_objects_that_are_not_gzipped_and_empty_lines_are_read_too(s3):
    put(s3, "failed/e", {"errorCode": "x"}, packed=False)
    s3.put_object(Bucket=BUCKET, Key="failed/f", Body=b'\n{"n": 1}\n\n{"n": 2}')
    s3.put_object(Bucket=BUCKET, Key="failed/g", Body=b"")

    assert read(reader(s3, "failed/").poll()) == {
        "failed/e": [{"errorCode": "x"}],
        "failed/f": [{"n": 1}, {"n": 2}],
        "failed/g": [],
    }


def test_objects_made_of_several_gzip_members_are_read_whole(s3):
    body = b"".join(gzip.compress(f'{{"n": {n}}}\n'.encode()) for n in range(3))
    s3.put_object(Bucket=BUCKET, Key="logs/a", Body=body)

    assert read(reader(s3, "logs/").poll()) == {"logs/a": [{"n": 0}, {"n": 1}, {"n": 2}]}


def test_a_listing_of_more_than_one_page_is_read_to_its_end(s3):
    def two_a_page(params, **_):
        params["MaxKeys"] = 2

    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", two_a_page)
    for n in range(5):
        put(s3, f"logs/{n}", {"n": n})

    assert len(read(reader(s3, "logs/").poll())) == 5


def test_every_object_has_the_time_at_which_it_was_readable(s3):
    put(s3, "logs/a", {})
    put(s3, "logs/b", {})
    clock = iter([10.0, 20.0])

    found = reader(s3, "logs/", clock=lambda: next(clock)).poll()

    assert [(one.key, one.readable_at) for one in found] == [("logs/a", 10.0), ("logs/b", 20.0)]


def test_an_object_that_was_left_unread_is_given_again(s3):
    put(s3, "logs/a", {"n": 1})
    logs = reader(s3, "logs/")
    next(logs.poll())

    assert read(logs.poll()) == {"logs/a": [{"n": 1}]}


@pytest.mark.parametrize(
    "body", [b'{"n": 1}\n{"n": \n', b'{"n": 1}\n[2]\n', gzip.compress(b'{"n": 1}\n' * 9, mtime=0)[:-12]], ids=str
)
def test_a_line_that_is_no_document_is_an_error_that_names_the_object(s3, body):
    s3.put_object(Bucket=BUCKET, Key="logs/a", Body=body)

    with pytest.raises(UnreadableObjectError, match="s3://shop-logs/logs/a: line"):
        read(reader(s3, "logs/").poll())


def test_the_route_is_in_the_key():
    assert route_of_key("logs/route=web/year=2026/x.gz") == "web"
    assert route_of_key("logs/x.gz") is None
