"""The API as boto3 speaks it, over TLS verified against the authority that the server made."""

import socket
from threading import Thread
from wsgiref.simple_server import make_server

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, SSLError

from local.firehose import Faults, Firehose, make_certificate, serve

NAME = "sluice-test-web"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def running(stream, function, bucket):
    with Firehose([stream()], invoke=function.invoke, put_object=bucket.put_object) as firehose:
        yield firehose


@pytest.fixture
def server(running, certificate):
    with serve(running, certificate=certificate) as server:
        yield server


def connect(server, *, verify: str | bool, attempts: int = 1):
    return boto3.client(
        "firehose",
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id="dummy",
        aws_secret_access_key="dummy",
        verify=verify,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


@pytest.fixture
def client(server):
    return connect(server, verify=str(server.ca_file))


def test_a_batch_goes_all_the_way(client, running, bucket):
    answered = client.put_record_batch(
        DeliveryStreamName=NAME, Records=[{"Data": b"%d\n" % number} for number in range(500)]
    )
    assert answered["FailedPutCount"] == 0
    assert client.put_record(DeliveryStreamName=NAME, Record={"Data": b"last\n"})["RecordId"]

    assert running.drain(timeout=120)
    assert bucket.delivered().split() == [b"%d" % number for number in range(500)] + [b"last"]


def test_a_full_call_of_4_mib_fits_through(client, running):
    records = [{"Data": b"x" * 1_024_000}] * 4 + [{"Data": b"x" * 98_304}]
    assert client.put_record_batch(DeliveryStreamName=NAME, Records=records)["FailedPutCount"] == 0
    with pytest.raises(client.exceptions.InvalidArgumentException, match="4 MB"):
        client.put_record_batch(DeliveryStreamName=NAME, Records=[*records, {"Data": b"x"}])
    assert running.counts()[NAME].incoming == 5


def test_streams_can_be_found(client):
    assert client.list_delivery_streams()["DeliveryStreamNames"] == [NAME]
    description = client.describe_delivery_stream(DeliveryStreamName=NAME)["DeliveryStreamDescription"]
    assert description["DeliveryStreamStatus"] == "ACTIVE"


def test_errors_arrive_as_the_sdks_exceptions(client, running):
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.put_record(DeliveryStreamName="nobody", Record={"Data": b"x"})
    running.inject(Faults(throttle=True))
    with pytest.raises(client.exceptions.ServiceUnavailableException):
        client.put_record(DeliveryStreamName=NAME, Record={"Data": b"x"})
    running.inject(Faults(status=500))
    with pytest.raises(ClientError, match="InternalFailure"):
        client.put_record(DeliveryStreamName=NAME, Record={"Data": b"x"})


def test_who_does_not_know_the_authority_is_not_served(server):
    with pytest.raises(SSLError):
        connect(server, verify=True).list_delivery_streams()


def test_a_port_that_is_taken_is_an_error(running, certificate, server):
    with (
        pytest.raises(OSError, match=str(server.port)),
        serve(running, certificate=certificate, port=server.port),
    ):
        pass


def test_the_server_is_gone_after_its_block(running, certificate):
    with serve(running, certificate=certificate) as server:
        connect(server, verify=str(server.ca_file)).list_delivery_streams()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port))


def test_a_hanging_call_does_not_keep_the_firehose_from_stopping(stream, function, bucket):
    firehose = Firehose([stream()], invoke=function.invoke, put_object=bucket.put_object)
    hanging = Thread(target=firehose.hang, args=(3600,), daemon=True)
    with firehose:
        hanging.start()
    hanging.join(120)
    assert not hanging.is_alive()


def test_calls_of_kinesis_are_handed_on(running, certificate):
    """A Fluent Bit is told one address for all of AWS."""
    seen = []

    def kinesis(environ, start_response):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        seen.append((environ["HTTP_X_AMZ_TARGET"], environ["HTTP_AUTHORIZATION"][:4], body))
        answer = b'{"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1", "ShardId": "s"}]}'
        start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(answer)))])
        return [answer]

    with make_server("127.0.0.1", 0, kinesis) as behind:
        thread = Thread(target=behind.handle_request)
        thread.start()
        with serve(running, certificate=certificate, kinesis=f"http://127.0.0.1:{behind.server_port}") as server:
            client = boto3.client(
                "kinesis",
                endpoint_url=server.url,
                region_name="eu-west-1",
                aws_access_key_id="dummy",
                aws_secret_access_key="dummy",
                verify=str(server.ca_file),
            )
            answered = client.put_records(StreamName="web", Records=[{"Data": b"line", "PartitionKey": "p"}])
        thread.join()
    assert answered["FailedRecordCount"] == 0
    [(target, scheme, body)] = seen
    assert (target, scheme) == ("Kinesis_20131202.PutRecords", "AWS4")
    assert b'"StreamName": "web"' in body
