"""The counting mode, in its own process, as boto3 and a plain client speak to it."""

import base64
import subprocess
import sys
import time

import boto3
import orjson
import psutil
import pytest
import urllib3
from botocore.config import Config

from loadtest.marker import Marker
from local.firehose import make_certificate
from local.firehose.counting import counting
from local.firehose.counting_worker import SEGMENT_BYTES

STREAM = "sluice-test-web"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate, tmp_path):
    with counting(certificate, folder=tmp_path / "counts", markers=True) as server:
        yield server


@pytest.fixture
def client(server):
    return boto3.client(
        "firehose",
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id="dummy",
        aws_secret_access_key="dummy",
        verify=str(server.ca_file),
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


def lines(*numbers: int, source: int = 1) -> bytes:
    return b"".join(b'{"log":"GET %s 200"}\n' % Marker(7, source, each, 5).encode() for each in numbers)


def test_a_batch_and_a_record_are_answered_as_firehose_answers_and_counted(client, server):
    answered = client.put_record_batch(
        DeliveryStreamName=STREAM, Records=[{"Data": lines(0, 1)}, {"Data": lines(2)}, {"Data": b"without"}]
    )
    assert (answered["FailedPutCount"], answered["Encrypted"]) == (0, False)
    ids = [each["RecordId"] for each in answered["RequestResponses"]]
    ids.append(client.put_record(DeliveryStreamName="another", Record={"Data": lines(3)})["RecordId"])
    assert len(set(ids)) == 4
    counts = server.counts()
    assert (counts.calls, counts.refused, counts.records, counts.lines) == (2, 0, 4, 4)
    assert counts.bytes == len(lines(0, 1, 2, 3)) + len(b"without")


def test_markers_of_what_was_taken_come_once_by_stream_and_live(client, server):
    assert list(server.poll()) == []
    before = time.time()
    client.put_record_batch(DeliveryStreamName=STREAM, Records=[{"Data": lines(0, 1)}, {"Data": lines(2)}])
    (first,) = server.poll()
    assert (first.stream, first.data.split()) == (STREAM, [Marker(7, 1, each, 5).encode() for each in range(3)])
    assert before <= first.at <= time.time()
    client.put_record(DeliveryStreamName="another", Record={"Data": lines(9, source=2)})
    client.put_record(DeliveryStreamName="another", Record={"Data": b"without"})
    (second,) = server.poll()
    assert (second.stream, second.data) == ("another", Marker(7, 2, 9, 5).encode())
    assert list(server.poll()) == []


def test_markers_wait_over_segments_and_after_the_end_and_take_no_disk_once_polled(certificate, tmp_path):
    record = {"Data": base64.b64encode(lines(*range(15_000))).decode()}
    body = orjson.dumps({"DeliveryStreamName": STREAM, "Records": [record] * 4})
    with counting(certificate, folder=tmp_path / "counts", markers=True) as server:
        pool = urllib3.PoolManager(ca_certs=str(server.ca_file))
        for _ in range(10):
            answer = pool.request(
                "POST", server.url, body=body, headers={"X-Amz-Target": "Firehose_20150804.PutRecordBatch"}
            )
            assert answer.status == 200, answer.data
    taken = list(server.poll())
    assert [len(each.data.split()) for each in taken] == [60_000] * 10
    assert sum(len(each.data) for each in taken) > SEGMENT_BYTES
    assert len(list(server.folder.glob("taken-*"))) == 1


def test_blocked_it_throttles_and_takes_nothing_until_it_is_unblocked(client, server):
    server.block()
    for _ in range(2):
        with pytest.raises(client.exceptions.ServiceUnavailableException):
            client.put_record(DeliveryStreamName=STREAM, Record={"Data": lines(0)})
    assert list(server.poll()) == []
    server.unblock()
    client.put_record(DeliveryStreamName=STREAM, Record={"Data": lines(1)})
    counts = server.counts()
    assert (counts.calls, counts.refused, counts.lines) == (1, 2, 1)


def test_what_firehose_refuses_is_refused_and_not_counted(client, server):
    full = [{"Data": b"x" * 1_024_000}] * 4 + [{"Data": b"x" * 98_304}]
    assert client.put_record_batch(DeliveryStreamName=STREAM, Records=full)["FailedPutCount"] == 0
    with pytest.raises(client.exceptions.InvalidArgumentException, match="4 MB"):
        client.put_record_batch(DeliveryStreamName=STREAM, Records=[*full, {"Data": b"x"}])
    with pytest.raises(client.exceptions.ClientError, match="ValidationException"):
        client.put_record_batch(DeliveryStreamName=STREAM, Records=[{"Data": b"x"}] * 501)
    with pytest.raises(client.exceptions.ClientError, match="UnknownOperationException"):
        client.list_delivery_streams()
    assert (server.counts().records, server.counts().refused) == (5, 3)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"DeliveryStreamName":"a","Record":{"Data":"*"}}', b'{"Record":{"Data":1}}']
)
def test_what_is_no_put_is_refused_and_the_connection_goes_on(server, body):
    pool = urllib3.PoolManager(ca_certs=str(server.ca_file), maxsize=1)
    told = {"X-Amz-Target": "Firehose_20150804.PutRecord"}
    answer = pool.request("POST", server.url, body=body, headers=told)
    assert (answer.status, answer.json()["__type"]) == (400, "SerializationException")
    good = b'{"DeliveryStreamName":"a","Record":{"Data":"eA=="}}'
    assert pool.request("POST", server.url, body=good, headers=told).status == 200
    assert pool.connection_from_url(server.url).num_connections == 1


def test_without_markers_it_only_counts(certificate, tmp_path):
    with counting(certificate, folder=tmp_path) as server:
        pool = urllib3.PoolManager(ca_certs=str(server.ca_file))
        body = orjson.dumps({"DeliveryStreamName": "a", "Record": {"Data": base64.b64encode(lines(1)).decode()}})
        pool.request("POST", server.url, body=body, headers={"X-Amz-Target": "Firehose_20150804.PutRecord"})
        assert server.counts().lines == 1
        assert list(server.poll()) == []


def test_a_folder_is_for_one_run(certificate, tmp_path):
    with counting(certificate, folder=tmp_path), pytest.raises(FileExistsError, match="another run"):
        counting(certificate, folder=tmp_path).__enter__()


def test_it_ends_with_its_block_and_with_who_started_it(certificate, tmp_path):
    with counting(certificate, folder=tmp_path / "one") as server:
        pass
    assert not psutil.pid_exists(server.pid)
    orphaning = """
import os, pathlib, signal, sys
from local.firehose import Certificate
from local.firehose.counting import counting
folder, *files = map(pathlib.Path, sys.argv[1:])
print(counting(Certificate(*files), folder=folder).__enter__().pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    files = (certificate.ca_file, certificate.chain_file, certificate.key_file)
    command = [sys.executable, "-c", orphaning, tmp_path / "two", *files]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    orphan = int(told.stdout)
    deadline = time.monotonic() + 120
    while psutil.pid_exists(orphan) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(orphan)
