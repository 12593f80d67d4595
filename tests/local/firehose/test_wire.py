import base64
import json

import pytest

from local.firehose import (
    BufferHints,
    Faults,
    Firehose,
    KinesisSource,
    OpenSearchDestination,
    Quotas,
    S3Destination,
    StreamConfig,
)
from local.firehose.described import read_description
from local.firehose.describing import describe
from local.firehose.wire import answer

NAME = "sluice-test-web"


def call(firehose, operation: str, request: object) -> tuple[int, dict]:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    response = answer(firehose, target=f"Firehose_20150804.{operation}", body=body)
    return response.status, json.loads(response.body)


def batch(*records: bytes) -> dict:
    return {
        "DeliveryStreamName": NAME,
        "Records": [{"Data": base64.b64encode(data).decode()} for data in records],
    }


def single(data: bytes) -> dict:
    return {"DeliveryStreamName": NAME, "Record": {"Data": base64.b64encode(data).decode()}}


def test_a_batch_is_answered_record_by_record(firehose):
    running = firehose(quotas=Quotas(records_per_second=2, requests_per_second=9, bytes_per_second=99))

    status, answered = call(running, "PutRecordBatch", batch(b"a", b"b", b"c"))

    first, second, third = answered["RequestResponses"]
    assert (status, answered["FailedPutCount"]) == (200, 1)
    assert first["RecordId"] != second["RecordId"]
    assert third == {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}


def test_a_single_record_over_the_quota_is_503(firehose):
    running = firehose(quotas=Quotas(records_per_second=1, requests_per_second=9, bytes_per_second=99))

    status, answered = call(running, "PutRecord", single(b"a"))
    assert (status, set(answered)) == (200, {"RecordId", "Encrypted"})
    status, answered = call(running, "PutRecord", single(b"b"))
    assert (status, answered["__type"]) == (503, "ServiceUnavailableException")


@pytest.mark.parametrize(
    ("operation", "request_body", "code"),
    [
        ("PutRecordBatch", {**batch(b"a"), "DeliveryStreamName": "nobody"}, "ResourceNotFoundException"),
        ("PutRecord", {**single(b"a"), "DeliveryStreamName": "nobody"}, "ResourceNotFoundException"),
        ("DescribeDeliveryStream", {"DeliveryStreamName": "nobody"}, "ResourceNotFoundException"),
        ("PutRecordBatch", batch(), "ValidationException"),
        ("PutRecordBatch", {"Records": []}, "ValidationException"),
        ("PutRecordBatch", {"DeliveryStreamName": NAME}, "SerializationException"),
        ("PutRecordBatch", {"DeliveryStreamName": NAME, "Records": ["x"]}, "SerializationException"),
        ("PutRecordBatch", {"DeliveryStreamName": NAME, "Records": [{"Data": "?"}]}, "SerializationException"),
        ("PutRecord", {"DeliveryStreamName": NAME}, "SerializationException"),
        ("PutRecord", b"{", "SerializationException"),
        ("PutRecord", [], "SerializationException"),
        ("ListDeliveryStreams", {"Limit": 0}, "ValidationException"),
        ("ListDeliveryStreams", {"Limit": 10_001}, "ValidationException"),
        ("CreateDeliveryStream", {}, "UnknownOperationException"),
    ],
)
def test_a_wrong_call_is_400_under_awss_name_for_it(firehose, operation, request_body, code):
    running = firehose()
    status, answered = call(running, operation, request_body)
    assert (status, answered["__type"]) == (400, code)
    assert running.counts()[NAME].incoming == 0


def test_a_call_that_names_no_target_is_refused(firehose):
    assert answer(firehose(), target="", body=b"{}").status == 400


@pytest.mark.parametrize(
    ("faults", "status", "body_has"),
    [
        (Faults(throttle=True), 503, b"ServiceUnavailableException"),
        (Faults(status=500), 500, b"InternalFailure"),
        (Faults(status=503), 503, b"InternalFailure"),
        (Faults(empty=True), 200, b""),
    ],
)
def test_a_fault_answers_in_place_of_taking_anything(firehose, faults, status, body_has):
    running = firehose()
    running.inject(faults)
    for operation, request in (("PutRecord", single(b"a")), ("PutRecordBatch", batch(b"a"))):
        body = json.dumps(request).encode()
        response = answer(running, target=f"Firehose_20150804.{operation}", body=body)
        assert response.status == status
        assert body_has in response.body
        assert bool(response.body) == bool(body_has)
    assert running.counts()[NAME].incoming == 0
    assert call(running, "ListDeliveryStreams", {})[0] == 200, "faults are of the puts"


def test_a_call_that_hangs_is_taken_all_the_same(firehose, clock):
    running = firehose()
    running.inject(Faults(hang_seconds=20))
    began = clock.now()

    status, _ = call(running, "PutRecord", single(b"a"))

    assert (status, clock.now() - began) == (200, 20)
    assert running.counts()[NAME].incoming == 1


def test_streams_are_listed_by_name_in_pages(stream, function, bucket):
    streams = [stream(name=name) for name in ("c", "a", "b")]
    running = Firehose(streams, invoke=function.invoke, put_object=bucket.put_object)

    assert call(running, "ListDeliveryStreams", {"Limit": 2})[1] == {
        "DeliveryStreamNames": ["a", "b"],
        "HasMoreDeliveryStreams": True,
    }
    _, rest = call(running, "ListDeliveryStreams", {"ExclusiveStartDeliveryStreamName": "b"})
    assert rest == {"DeliveryStreamNames": ["c"], "HasMoreDeliveryStreams": False}


def test_a_description_reads_back_as_the_configuration(firehose, stream):
    config = stream(batch=None, compression="GZIP", hints=BufferHints(size_bytes=64 * 1024**2, interval_seconds=60))
    _, answered = call(firehose(config), "DescribeDeliveryStream", {"DeliveryStreamName": NAME})
    assert read_description(answered["DeliveryStreamDescription"]) == config


BACKUP = S3Destination(bucket="sluice-logs", error_prefix="failed/!{firehose:error-output-type}/")


@pytest.mark.parametrize(
    "change",
    [
        {"source": KinesisSource("arn:of:the:stream", start=1_700_000_000.5)},
        {"source": KinesisSource("arn:of:the:stream")},
        {"destination": OpenSearchDestination(endpoint="https://e", index="i", backup=BACKUP, rotation="OneWeek")},
        {
            "destination": S3Destination(
                bucket="sluice-logs",
                prefix="!{partitionKeyFromLambda:t}/",
                error_prefix="failed/!{firehose:error-output-type}/",
                partitioned=True,
                hints=BufferHints(size_bytes=64 * 1024**2, interval_seconds=60),
            )
        },
    ],
    ids=["data stream", "data stream from now", "OpenSearch", "partitions"],
)
def test_every_kind_of_stream_reads_back_from_its_description(change):
    config = StreamConfig(**{"name": NAME, "arn": "arn:of:it", "destination": BACKUP, "version": "3", **change})
    assert read_description(describe(config)) == config
