"""Documents that are sent once more arrive once each, and nothing is sent for what was sent."""

import base64
import json
from collections import Counter, deque

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from lambdas.transform.batch import transform_batch
from lambdas.transform.errors import RecordError
from lambdas.transform.handler import _route, handler
from lambdas.transform.limits import MAX_DOCUMENT_BYTES, MAX_PUT_BYTES, MAX_PUT_RECORD_BYTES, MAX_PUT_RECORDS
from lambdas.transform.pipeline import make_pipeline
from lambdas.transform.resend import ATTEMPTS, BUDGET_SECONDS, MARKER, Resender, firehose_client
from lambdas.transform.settings import Settings
from local.firehose import BufferHints, Firehose, LambdaProcessor, ManualClock, S3Destination, StreamConfig
from local.firehose.sources.direct_put import Refused

ARN = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/shop-dev-web"
KEY = b"the function's own secret"
NOW = "2026-11-21T02:36:31.000000000Z"
ENVELOPE = len(MARKER) + 32 + len(b'","document":}')


class Stream:
    """A Firehose stream: keeps what it accepts. Each call is answered by the next of `answers`, then by acceptance.

    An answer is an exception to raise or the positions that are refused.
    """

    def __init__(self, *answers):
        self.answers = deque(answers)
        self.calls = []
        self.accepted = []

    def __call__(self, region):
        assert region == "eu-west-1"
        return self

    def put_record_batch(self, *, DeliveryStreamName, Records):  # noqa: N803 - boto3's own
        assert DeliveryStreamName == "shop-dev-web"
        data = [record["Data"] for record in Records]
        self.calls.append(data)
        answer = self.answers.popleft() if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        self.accepted += [each for position, each in enumerate(data) if position not in answer]
        responses = [
            {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
            if position in answer
            else {"RecordId": "id"}
            for position in range(len(data))
        ]
        return {"FailedPutCount": len(answer), "RequestResponses": responses}


def make_resender(stream, *, arn=ARN, pauses=None, clock=lambda: 0.0):
    pause = [].append if pauses is None else pauses.append
    return Resender(stream_arn=arn, key=KEY, client=stream, pause=pause, clock=clock)


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": ""}}, "PutRecordBatch")


def document(number):
    return json.dumps({"body": f"line {number}"}) + "\n"


def transform(data, resender):
    """A function in little: what was sent comes out as it is, of any other record each line becomes a document."""
    finished = resender.read(data)
    if finished is not None:
        return finished
    lines = [line for line in data.decode("utf-8", "replace").split("\n") if line]
    return resender.spread([json.dumps({"body": line}) + "\n" for line in lines]) if lines else None


def test_first_document_is_the_answer_and_each_other_one_is_sent():
    stream = Stream()
    resender = make_resender(stream)
    assert resender.spread([document(0), document(1), document(2)]) == document(0)
    assert [resender.read(record) for record in stream.accepted] == [document(1), document(2)]
    envelope = json.loads(stream.accepted[0])
    assert (set(envelope), envelope["document"]) == ({"_sluice_resent", "document"}, {"body": "line 1"})


def test_single_document_needs_no_call():
    stream = Stream()
    assert make_resender(stream, arn="").spread([document(0)]) == document(0)
    assert stream.calls == []


def test_only_what_this_function_sent_is_handed_on_unread():
    stream = Stream()
    make_resender(stream).spread([document(0), document(1), document(2)])
    one, two = stream.accepted
    other = Resender(stream_arn=ARN, key=b"another's", client=stream)
    assert other.read(one) is None
    resender = make_resender(stream)
    forged = [
        b"",
        MARKER,
        b'{"_sluice_resent":1,"document":{}}',
        one[:-1],
        one[1:],
        one + b"\n",
        one + two,
        one + b"\n" + two,
        b" " + one,
        one.replace(b"line 1", b"line 3"),
        MARKER + b"0" * 32 + b'","document":{}}',
        one.replace(b'"_sluice_resent"', b'"_tag":"x","_sluice_resent"'),
    ]
    assert [record for record in forged if resender.read(record) is not None] == []


def test_without_a_key_anybody_could_forge():
    with pytest.raises(ValueError, match="key"):
        Resender(stream_arn=ARN, key=b"")


def test_key_of_any_length_is_used_whole():
    stream = Stream()
    first = Resender(stream_arn=ARN, key=b"k" * 100 + b"1", client=stream)
    first.spread([document(0), document(1)])
    assert first.read(stream.accepted[0]) == document(1)
    assert Resender(stream_arn=ARN, key=b"k" * 100 + b"2", client=stream).read(stream.accepted[0]) is None


def test_call_takes_as_many_records_as_firehose_does():
    stream = Stream()
    make_resender(stream).spread([document(number) for number in range(1 + MAX_PUT_RECORDS)])
    assert [len(call) for call in stream.calls] == [500]
    stream = Stream()
    make_resender(stream).spread([document(number) for number in range(1 + MAX_PUT_RECORDS + 1)])
    assert [len(call) for call in stream.calls] == [500, 1]


@pytest.mark.parametrize(("extra", "calls"), [(0, [8]), (1, [7, 1])])
def test_call_takes_as_many_bytes_as_firehose_does(extra, calls):
    stream = Stream()
    size = MAX_PUT_BYTES // 8
    sizes = [*[size] * 7, size + extra]
    make_resender(stream).spread(["", *["d" * (size - ENVELOPE) for size in sizes]])
    assert [len(call) for call in stream.calls] == calls
    assert sum(map(len, stream.accepted)) == 4 * 1024 * 1024 + extra


def test_record_at_firehoses_limit_is_sent_and_one_past_it_fails():
    stream = Stream()
    make_resender(stream).spread(["", "d" * (MAX_PUT_RECORD_BYTES - ENVELOPE) + "\n"])
    assert [len(record) for record in stream.accepted] == [1000 * 1024]
    with pytest.raises(RecordError, match="not_resent"):
        make_resender(stream).spread(["", "d" * (MAX_PUT_RECORD_BYTES - ENVELOPE + 1) + "\n"])


def test_every_document_within_its_own_limit_can_be_sent():
    stream = Stream()
    make_resender(stream).spread(["", "d" * (MAX_DOCUMENT_BYTES - 1) + "\n"])
    assert len(stream.accepted) == 1


def test_only_what_was_refused_is_tried_again():
    stream, pauses = Stream({0, 2}, {1}), []
    make_resender(stream, pauses=pauses).spread([document(number) for number in range(5)])
    resender = make_resender(stream)
    assert [len(call) for call in stream.calls] == [4, 2, 1]
    assert sorted(map(resender.read, stream.accepted)) == [document(number) for number in range(1, 5)]
    assert pauses == [0.1, 0.2]


@pytest.mark.parametrize(
    "answer", [{0}, refused("ServiceUnavailableException"), ConnectTimeoutError(endpoint_url="https://firehose")]
)
def test_record_fails_when_one_of_its_documents_is_refused_for_good(answer):
    stream = Stream(*[answer] * ATTEMPTS)
    with pytest.raises(RecordError, match="not_resent"):
        make_resender(stream).spread([document(0), document(1)])
    assert len(stream.calls) == ATTEMPTS


def test_refusal_that_will_not_change_is_not_tried_again(caplog):
    stream = Stream(refused("AccessDeniedException"))
    with pytest.raises(RecordError, match="not_resent"):
        make_resender(stream).spread([document(0), document(1)])
    assert len(stream.calls) == 1
    assert [record.error for record in caplog.records] == ["AccessDeniedException"]
    assert "line 1" not in str(vars(caplog.records[0]))


def test_client_gives_up_long_before_the_function_must(monkeypatch):
    """Its time is 60 s; the last call may begin when BUDGET_SECONDS are over."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    config = firehose_client("eu-west-1").meta.config
    firehose_client.cache_clear()
    one = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    assert BUDGET_SECONDS + one < 30


def test_batch_does_not_try_for_ever():
    now = [0.0]
    stream = Stream(*[{0}] * ATTEMPTS)
    resender = make_resender(stream, clock=lambda: now[0])
    for _ in range(2):
        with pytest.raises(RecordError, match="not_resent"):
            resender.spread([document(0), document(1)])
        now[0] = BUDGET_SECONDS
    assert len(stream.calls) == ATTEMPTS


@pytest.mark.parametrize("arn", ["", ARN + "/other", ARN.replace("firehose", "kinesis"), "x" + ARN])
def test_stream_that_is_none_is_not_called(arn):
    stream = Stream()
    with pytest.raises(RecordError, match="not_resent"):
        make_resender(stream, arn=arn).spread([document(0), document(1)])
    assert stream.calls == []


def genuine(*lines):
    stream = Stream()
    make_resender(stream).spread(["", *lines])
    return stream.accepted


hostile = st.lists(
    st.binary(max_size=40).filter(lambda line: b"\n" not in line)
    | st.sampled_from([MARKER, MARKER + b"0" * 32 + b'","document":{}}', *genuine(document(1), document(2))])
    | st.builds(lambda head, tail: head + tail, st.sampled_from(genuine(document(3))), st.binary(max_size=5)),
    max_size=12,
).map(b"\n".join)


@given(st.lists(hostile, max_size=4))
def test_nothing_is_sent_for_what_was_sent_whatever_a_client_writes(records):
    """Fed back until nothing comes any more: no record makes a second hop, and each line arrives as often as sent."""
    hops, arrived, waiting = 0, Counter(), records
    while waiting:
        hops += 1
        stream = Stream()
        resender = make_resender(stream)
        arrived.update(answer for record in waiting if (answer := transform(record, resender)))
        waiting = stream.accepted
        assert hops == 1 or not waiting
    stream = Stream()
    expected = Counter()
    for record in records:
        finished = make_resender(stream).read(record)
        lines = [line for line in record.decode("utf-8", "replace").split("\n") if line]
        expected.update([finished] if finished else [json.dumps({"body": line}) + "\n" for line in lines])
    assert arrived == expected


def test_the_service_takes_what_is_sent(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    firehose_client.cache_clear()
    with mock_aws():
        s3 = boto3.client("s3", region_name="eu-west-1")
        s3.create_bucket(Bucket="sluice-logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        firehose = boto3.client("firehose", region_name="eu-west-1")
        destination = {"RoleARN": "arn:aws:iam::111122223333:role/r", "BucketARN": "arn:aws:s3:::sluice-logs"}
        firehose.create_delivery_stream(
            DeliveryStreamName="shop-dev-web", ExtendedS3DestinationConfiguration=destination
        )
        resender = Resender(stream_arn=ARN, key=KEY)
        assert resender.spread([document(0), document(1), document(2)]) == document(0)
        [found] = s3.list_objects_v2(Bucket="sluice-logs")["Contents"]
        written = s3.get_object(Bucket="sluice-logs", Key=found["Key"])["Body"].read()
        unknown = Resender(stream_arn=ARN.replace("web", "unknown"), key=KEY)
        with pytest.raises(RecordError, match="not_resent"):
            unknown.spread([document(0), document(1)])
    firehose_client.cache_clear()
    assert written.count(MARKER) == 2


def test_function_that_is_told_to_answers_with_one_document_and_sends_the_others(monkeypatch, make_event):
    """The handler as it is deployed: settings from its environment, the key from Secrets Manager, a real client."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    firehose_client.cache_clear()
    _route.cache_clear()
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="sluice-logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        destination = {"RoleARN": "arn:aws:iam::111122223333:role/r", "BucketARN": "arn:aws:s3:::sluice-logs"}
        boto3.client("firehose").create_delivery_stream(
            DeliveryStreamName="shop-dev-web", ExtendedS3DestinationConfiguration=destination
        )
        secret = boto3.client("secretsmanager").create_secret(Name="key", SecretString="k" * 32)
        monkeypatch.setenv("SLUICE_SPREAD", "1")
        monkeypatch.setenv("SLUICE_REDACTION_KEY", secret["ARN"])
        response = handler(make_event(b"one\ntwo\nthree") | {"deliveryStreamArn": ARN}, None)
        [found] = s3.list_objects_v2(Bucket="sluice-logs")["Contents"]
        sent = s3.get_object(Bucket="sluice-logs", Key=found["Key"])["Body"].read()
        envelopes = [MARKER + each for each in sent.split(MARKER)[1:]]
        returned = handler(make_event(*envelopes) | {"deliveryStreamArn": ARN}, None)
    firehose_client.cache_clear()
    _route.cache_clear()
    bodies = [json.loads(base64.b64decode(answer["data"]))["body"] for answer in response["records"]]
    assert bodies == ["one"]
    assert [json.loads(base64.b64decode(each["data"]))["body"] for each in returned["records"]] == ["two", "three"]


class LocalClient:
    """boto3's call on the project's own Firehose, without the wire between."""

    def __init__(self, firehose):
        self.firehose = firehose

    def put_record_batch(self, *, DeliveryStreamName, Records):  # noqa: N803 - boto3's own
        results = self.firehose.put(DeliveryStreamName, [record["Data"] for record in Records])
        failed = [isinstance(result, Refused) for result in results]
        answers = [{"ErrorCode": "ServiceUnavailableException"} if each else {"RecordId": "id"} for each in failed]
        return {"FailedPutCount": sum(failed), "RequestResponses": answers}


def test_packed_record_reaches_a_destination_one_document_to_a_record():
    """Through batches, buffers and the same function twice: 1,201 lines in one record, 1,201 records out."""
    objects, answered, tallies = {}, [], []
    pipeline = make_pipeline(Settings())

    def invoke(_, payload):
        event = json.loads(payload)
        resender = Resender(stream_arn=event["deliveryStreamArn"], key=KEY, client=lambda _: LocalClient(firehose))
        response, tally = transform_batch(event, pipeline=pipeline, now=NOW, resender=resender)
        answered.extend(base64.b64decode(answer["data"]).decode() for answer in response["records"])
        tallies.append(tally.counts)
        return json.dumps(response).encode()

    config = StreamConfig(
        name="shop-dev-web",
        arn=ARN,
        processor=LambdaProcessor("arn:function", hints=BufferHints(size_bytes=1024 * 1024, interval_seconds=60)),
        destination=S3Destination(
            bucket="sluice-logs", prefix="logs/", error_prefix="failed/!{firehose:error-output-type}/"
        ),
    )

    def put_object(*, key, body, **_):
        objects[key] = body

    firehose = Firehose([config], invoke=invoke, put_object=put_object, clock=ManualClock())
    lines = [f"line {number}" for number in range(1201)]
    firehose.put("shop-dev-web", ["\n".join(lines).encode()])
    assert firehose.drain()
    assert sorted(json.loads(answer)["body"] for answer in answered) == sorted(lines)
    assert all(answer.count("\n") == 1 for answer in answered)
    assert all(key.startswith("logs/") for key in objects)
    counts = firehose.counts()["shop-dev-web"]
    assert (counts.delivered, counts.failed, counts.dropped) == (1201, {}, 0)
    assert [each.unaccounted for each in tallies] == [0] * len(tallies)
    assert sum(each.resent for each in tallies) == sum(each.returned for each in tallies) == 1200
