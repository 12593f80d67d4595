"""What goes into the bucket, where it lies, and what happens when the bucket does not take it."""

import gzip
import json
import subprocess
import sys
from hashlib import sha256

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws

from lambdas.transform.errors import RecordError
from lambdas.transform.store import REST_SECONDS, NoStore, S3Store, open_store, s3_client
from lambdas.transform.tally import Failure

BUCKET = "shop-dev-logs"
TIME = "2026-11-21T02:36:00.123456789Z"
HOUR = "route=web/year=2026/month=11/day=21/hour=02"
EVENT_ID = "0123456789abcdef" * 2
FAILURE = Failure("49660", "not_base64", sha256(b"raw").hexdigest(), 3, "KeyError", "decode.py:12")


@pytest.fixture
def s3(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    s3_client.cache_clear()
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client
    s3_client.cache_clear()


@pytest.fixture
def store(s3):  # noqa: ARG001 - the bucket, by its name
    return open_store(bucket=BUCKET, route="web")


def versions(s3):
    return [(found["Key"], found["Size"]) for found in s3.list_object_versions(Bucket=BUCKET).get("Versions", [])]


def read(s3, key):
    return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


class Refusing:
    """An S3 that raises what it is given, call after call, and takes what comes after."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def put_object(self, **_):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": ""}}, "PutObject")


def silence():
    return ConnectTimeoutError(endpoint_url="https://s3")


def over(client, *, clock=lambda: 0.0):
    return S3Store(bucket=BUCKET, route="web", client=lambda: client, clock=clock)


def test_original_lies_under_its_event_id_and_is_whole(store, s3):
    uri = store.put_original(EVENT_ID, b'{"body":"long"}\n', TIME)
    key = f"oversize/{HOUR}/{EVENT_ID}.json.gz"
    assert uri == f"s3://{BUCKET}/{key}"
    assert gzip.decompress(read(s3, key)) == b'{"body":"long"}\n'


def test_original_that_comes_again_is_the_same_object(store, s3):
    """Delivery is at least once; a second version of each copy would be paid for."""
    first = store.put_original(EVENT_ID, b"whole", TIME)
    assert store.put_original(EVENT_ID, b"whole", TIME) == first
    assert len(versions(s3)) == 1


def test_reasons_of_a_batch_are_lines_that_the_data_finds(store, s3):
    other = Failure("49661", "no_data", sha256(b"").hexdigest(), 0)
    assert store.put_reasons([FAILURE, other], "a1b2c3d4-0000-4000-8000-000000000000", TIME)
    lines = read(s3, f"reasons/{HOUR}/a1b2c3d4-0000-4000-8000-000000000000.jsonl").splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "recordId": "49660",
            "sha256": sha256(b"raw").hexdigest(),
            "reason": "not_base64",
            "bytes": 3,
            "error": "KeyError",
            "place": "decode.py:12",
        },
        {
            "recordId": "49661",
            "sha256": sha256(b"").hexdigest(),
            "reason": "no_data",
            "bytes": 0,
            "error": "",
            "place": "",
        },
    ]


def test_batch_without_failures_puts_nothing(store, s3):
    assert store.put_reasons([], "id", TIME)
    assert versions(s3) == []


@pytest.mark.parametrize("invocation_id", [None, 7, "", "../../logs/route=web/x", "a/b", "a" * 65, "ä"])
def test_invocation_id_that_is_none_names_no_object(store, s3, invocation_id):
    assert store.put_reasons([FAILURE], invocation_id, TIME)
    [(key, _)] = versions(s3)
    assert key.startswith(f"reasons/{HOUR}/")
    assert key.count("/") == HOUR.count("/") + 2
    assert len(key.rpartition("/")[2]) == len(sha256().hexdigest() + ".jsonl")


def test_refusal_fails_the_record_alone_and_says_why_in_the_log(caplog):
    client = Refusing(refused("AccessDenied"))
    store = over(client)
    with pytest.raises(RecordError, match="original_not_stored"):
        store.put_original(EVENT_ID, b"whole", TIME)
    assert [record.error for record in caplog.records] == ["AccessDenied"]
    assert store.put_original(EVENT_ID, b"whole", TIME).startswith("s3://")


def test_refusal_of_reasons_is_told_and_nothing_is_raised(caplog):
    assert over(Refusing(refused("SlowDown"))).put_reasons([FAILURE], "id", TIME) is False
    assert [record.error for record in caplog.records] == ["SlowDown"]


def test_only_an_original_that_is_there_already_counts_as_stored():
    assert over(Refusing(refused("PreconditionFailed"))).put_original(EVENT_ID, b"whole", TIME)
    assert not over(Refusing(refused("PreconditionFailed"))).put_reasons([FAILURE], "id", TIME)


def test_bucket_that_does_not_answer_is_left_alone_for_a_while():
    """Waiting for it once per record would use up the time of the function, and fail the whole batch."""
    now = [100.0]
    client = Refusing(silence())
    store = over(client, clock=lambda: now[0])
    for _ in range(50):
        with pytest.raises(RecordError, match="original_not_stored"):
            store.put_original(EVENT_ID, b"whole", TIME)
        assert not store.put_reasons([FAILURE], "id", TIME)
    assert client.calls == 1
    now[0] += REST_SECONDS
    assert store.put_original(EVENT_ID, b"whole", TIME)


def test_nothing_that_goes_wrong_fails_a_batch_that_is_done(caplog):
    assert over(Refusing(ImportError("no boto3"))).put_reasons([FAILURE], "id", TIME) is False
    assert [record.error for record in caplog.records] == ["ImportError"]


@pytest.mark.usefixtures("s3")
def test_client_gives_up_long_before_the_function_must():
    """Its time is 60 s, and one call may be for one record of many."""
    s3_client.cache_clear()
    config = s3_client().meta.config
    s3_client.cache_clear()
    assert config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout) <= 10


@pytest.mark.usefixtures("s3")
def test_bucket_that_is_not_there_is_a_refusal():
    with pytest.raises(RecordError, match="original_not_stored"):
        open_store(bucket="another", route="web").put_original(EVENT_ID, b"whole", TIME)


def test_without_a_bucket_nothing_is_cut_and_reasons_are_not_stored():
    store = open_store(bucket="", route="web")
    assert isinstance(store, NoStore)
    with pytest.raises(RecordError, match="original_not_stored"):
        store.put_original(EVENT_ID, b"whole", TIME)
    assert store.put_reasons([], "id", TIME)
    assert not store.put_reasons([FAILURE], "id", TIME)


def test_opening_a_store_loads_no_sdk():
    """It would double a cold start, and most batches need neither."""
    code = (
        "import sys\n"
        "from lambdas.transform import oversize, resend, store\n"
        "store.open_store(bucket='b', route='r')\n"
        "print({'boto3', 'botocore.session', 'botocore.client', 'botocore.exceptions'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert ran.stdout.strip() == "set()"
