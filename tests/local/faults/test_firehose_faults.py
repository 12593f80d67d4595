"""A fault of the API says how many calls it hit, and one that answers an error may have taken the records."""

import json
from base64 import b64encode

import pytest

from local.firehose import Faults, Firehose, ManualClock, S3Destination, StreamConfig
from local.firehose.wire import TARGET_PREFIX, answer


@pytest.fixture
def firehose() -> Firehose:
    arn = "arn:aws:firehose:us-east-1:0:deliverystream/s"
    config = StreamConfig(name="s", arn=arn, destination=S3Destination(bucket="bucket"))
    return Firehose([config], invoke=lambda _arn, event: event, put_object=lambda **_object: None, clock=ManualClock())


def put(firehose: Firehose, records: int = 1) -> int:
    data = [{"Data": b64encode(b"a record").decode()}] * records
    body = json.dumps({"DeliveryStreamName": "s", "Records": data}).encode()
    return answer(firehose, target=f"{TARGET_PREFIX}PutRecordBatch", body=body).status


@pytest.mark.parametrize(
    ("faults", "status", "taken"),
    [
        (Faults(throttle=True), 503, 0),
        (Faults(status=500), 500, 0),
        (Faults(status=500, taken=True), 500, 3),
        (Faults(empty=True), 200, 0),
        (Faults(hang_seconds=40), 200, 3),
    ],
)
def test_every_call_is_hit_and_counted(firehose: Firehose, faults: Faults, status: int, taken: int) -> None:
    firehose.inject(faults)
    assert firehose.struck == 0
    assert [put(firehose) for _ in range(3)] == [status] * 3
    assert firehose.struck == 3
    assert firehose.counts()["s"].incoming == taken


def test_a_call_of_which_no_record_was_refused_is_not_counted(firehose: Firehose) -> None:
    firehose.inject(Faults(fail_every=7))
    struck = [(put(firehose, 3), firehose.struck)[1] for _ in range(5)]
    assert struck == [0, 0, 1, 1, 2]


def test_the_count_begins_anew_with_each_fault_and_ends_with_it(firehose: Firehose) -> None:
    firehose.inject(Faults(throttle=True))
    put(firehose)
    firehose.inject(Faults())
    assert (put(firehose), firehose.struck) == (200, 0)
