"""Documents that are sent once more arrive once each, with their own keys, and nothing is sent for what was sent."""

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
from lambdas.transform.groups import Group
from lambdas.transform.handler import _route, handler
from lambdas.transform.limits import (
    MAX_DOCUMENT_BYTES,
    MAX_KINESIS_PUT_BYTES,
    MAX_PUT_BYTES,
    MAX_PUT_RECORD_BYTES,
    MAX_PUT_RECORDS,
)
from lambdas.transform.pipeline import make_pipeline
from lambdas.transform.resend import ATTEMPTS, BUDGET_SECONDS, MARKER, PAUSE_SECONDS, Resender
from lambdas.transform.settings import Settings
from lambdas.transform.spec import PartitionKey
from lambdas.transform.streams import DataStream, firehose_client, kinesis_client

ARN = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/shop-dev-web"
KINESIS = "arn:aws:kinesis:eu-west-1:111122223333:stream/shop-dev-web"
KEY = b"the function's own secret"
NOW = "2026-11-21T02:36:31.000000000Z"
ENVELOPE = len(MARKER) + 32 + len(b'","documents":1,"keys":{}}\n')
WEB = (("service", "web"),)
SHOP = (("service", "shop"),)


class Stream:
    """A stream: keeps what it accepts. Each call is answered by the next of `answers`, then by acceptance.

    An answer is an exception to raise or the positions that are refused.
    """

    name = "shop-dev-web"

    def __init__(self, *answers, most_bytes=MAX_PUT_BYTES, beside=0):
        self.answers = deque(answers)
        self.most_bytes = most_bytes
        self.beside = beside
        self.calls = []
        self.accepted = []

    def put(self, records):
        self.calls.append(list(records))
        answer = self.answers.popleft() if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        self.accepted += [each for position, each in enumerate(records) if position not in answer]
        return [each for position, each in enumerate(records) if position in answer]


def make_resender(stream, *, key=KEY, names=(), pauses=None, clock=lambda: 0.0):
    pause = [].append if pauses is None else pauses.append
    return Resender(stream=stream, key=lambda: key, names=names, pause=pause, clock=clock)


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": ""}}, "PutRecordBatch")


def document(number):
    return json.dumps({"body": f"line {number}"}) + "\n"


def group(*lines, keys=(), documents=None):
    made = Group(keys)
    made.lines, made.documents = list(lines), len(lines) if documents is None else documents
    return made


def send(*lines, stream=None, **options):
    """Send each line by itself, as for OpenSearch. Return what the stream has accepted."""
    stream = stream or Stream()
    make_resender(stream, **options).send([group(line) for line in lines])
    return stream.accepted


def read(resender, record):
    returned = resender.read(record)
    return None if returned is None else "".join(returned.lines)


def test_a_group_comes_back_with_its_documents_its_keys_and_its_number():
    stream = Stream()
    resender = make_resender(stream, names=["service"])
    resender.send([group(document(1), document(2), keys=WEB), group(document(3), keys=SHOP)])
    first, second = map(resender.read, stream.accepted)
    assert ("".join(first.lines), first.documents, first.keys) == (document(1) + document(2), 2, WEB)
    assert ("".join(second.lines), second.documents, second.keys) == (document(3), 1, SHOP)


def test_an_envelope_is_lines_of_json_for_whoever_finds_it_in_a_failure_store():
    [record] = send(document(1), key=b"any")
    head, line = record.decode().splitlines()
    assert set(json.loads(head)) == {"_sluice_resent", "documents", "keys"}
    assert line + "\n" == document(1)


def test_only_what_this_function_sent_is_handed_on_unread():
    one, two = send(document(1), document(2))
    assert make_resender(Stream(), key=b"another's").read(one) is None
    resender = make_resender(Stream())
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
        one.replace(b'"documents":1', b'"documents":2'),
        one.replace(b'"keys":{}', b'"keys":{"a":"b"}'),
        MARKER + b"0" * 32 + b'","documents":1,"keys":{}}\n{}\n',
        one.replace(b'"_sluice_resent"', b'"_tag":"x","_sluice_resent"'),
    ]
    assert [record for record in forged if resender.read(record) is not None] == []
    assert read(resender, one) == document(1)


@pytest.mark.parametrize("names", [[], ["team"], ["service", "team"], ["team", "service"]])
def test_documents_that_were_sent_with_other_keys_than_the_route_has_fail(names):
    stream = Stream()
    sender = make_resender(stream, names=["service"])
    sender.send([group(document(1), keys=WEB)])
    with pytest.raises(RecordError, match="other_partition_keys"):
        make_resender(Stream(), names=names).read(stream.accepted[0])


def test_without_a_key_anybody_could_forge():
    with pytest.raises(ValueError, match="anybody"):
        send(document(1), key=b"")


def test_the_key_is_asked_for_when_it_is_needed_and_once():
    asked = []

    def key():
        asked.append(1)
        return KEY

    resender = Resender(stream=Stream(), key=key)
    assert resender.read(b"a line") is None
    assert asked == []
    resender.send([group(document(number)) for number in range(3)])
    assert asked == [1]


def test_key_of_any_length_is_used_whole():
    [record] = send(document(1), key=b"k" * 100 + b"1")
    assert read(make_resender(None, key=b"k" * 100 + b"1"), record) == document(1)
    assert read(make_resender(None, key=b"k" * 100 + b"2"), record) is None


def test_call_takes_as_many_records_as_both_services_do():
    stream = Stream()
    send(*map(document, range(MAX_PUT_RECORDS)), stream=stream)
    assert [len(call) for call in stream.calls] == [500]
    stream = Stream()
    send(*map(document, range(MAX_PUT_RECORDS + 1)), stream=stream)
    assert [len(call) for call in stream.calls] == [500, 1]


@pytest.mark.parametrize(("extra", "calls"), [(0, [8]), (1, [7, 1])])
@pytest.mark.parametrize(("most", "beside"), [(MAX_PUT_BYTES, 0), (MAX_KINESIS_PUT_BYTES, 32)])
def test_call_takes_as_many_bytes_as_its_service_does(most, beside, extra, calls):
    stream = Stream(most_bytes=most, beside=beside)
    size = most // 8 - beside
    sizes = [*[size] * 7, size + extra]
    send(*["d" * (size - ENVELOPE) for size in sizes], stream=stream)
    assert [len(call) for call in stream.calls] == calls
    assert sum(len(record) + beside for record in stream.accepted) == most + extra


def test_record_at_the_limit_is_sent_and_one_past_it_fails():
    assert [len(record) for record in send("d" * (MAX_PUT_RECORD_BYTES - ENVELOPE))] == [1000 * 1024]
    with pytest.raises(RecordError, match="not_resent"):
        send("d" * (MAX_PUT_RECORD_BYTES - ENVELOPE + 1))


def test_every_document_within_its_own_limit_can_be_sent_with_the_longest_keys():
    stream = Stream()
    keys = tuple((letter * 32, "v" * 64) for letter in "abc")
    make_resender(stream).send([group("d" * (MAX_DOCUMENT_BYTES - 1) + "\n", keys=keys)])
    assert len(stream.accepted) == 1
    assert len(stream.accepted[0]) + DataStream.beside <= 1024 * 1024


@pytest.mark.parametrize(("extra", "records"), [(0, 1), (1, 2)])
def test_a_group_larger_than_a_record_is_several_and_loses_nothing(extra, records):
    stream, names = Stream(), ["service"]
    envelope = ENVELOPE + len(b'"service":"web"')
    room = MAX_PUT_RECORD_BYTES - envelope - len("\n\n")
    lines = ["a" * 400_000 + "\n", "b" * (room - 400_000 + extra) + "\n"]
    make_resender(stream, names=names).send([group(*lines, keys=WEB)])
    returned = [make_resender(None, names=names).read(record) for record in stream.accepted]
    assert len(returned) == records
    assert max(map(len, stream.accepted)) <= MAX_PUT_RECORD_BYTES
    assert "".join(line for each in returned for line in each.lines) == "".join(lines)
    assert [each.keys for each in returned] == [WEB] * records
    assert sum(each.documents for each in returned) == 2


def test_parts_of_one_document_are_together_one_document_wherever_they_are():
    """Three parts of 700 KB of one document, and another one: an envelope for each, two documents in all."""
    stream = Stream()
    part = "p" * 700_000 + "\n"
    make_resender(stream).send([group(part, part, part, part, documents=2)])
    assert [make_resender(None).read(record).documents for record in stream.accepted] == [1, 1, 0, 0]


def test_only_what_was_refused_is_tried_again():
    stream, pauses = Stream({0, 2}, {1}), []
    resender = make_resender(stream, pauses=pauses)
    resender.send([group(document(number)) for number in range(1, 5)])
    assert [len(call) for call in stream.calls] == [4, 2, 1]
    assert sorted(read(resender, record) for record in stream.accepted) == [document(each) for each in range(1, 5)]
    assert pauses == [0.1, 0.2]


@pytest.mark.parametrize(
    "answer", [{0}, refused("ServiceUnavailableException"), ConnectTimeoutError(endpoint_url="https://firehose")]
)
def test_record_fails_when_one_of_its_groups_is_refused_for_good(answer):
    stream, pauses = Stream(*[answer] * ATTEMPTS), []
    with pytest.raises(RecordError, match="not_resent"):
        send(document(1), stream=stream, pauses=pauses)
    assert len(stream.calls) == ATTEMPTS
    assert sum(pauses) > 1, "a shard's and a stream's quotas are of a second"


@pytest.mark.parametrize("code", ["AccessDeniedException", "KMSAccessDeniedException", "ResourceNotFoundException"])
def test_refusal_that_will_not_change_is_not_tried_again(caplog, code):
    stream = Stream(refused(code))
    with pytest.raises(RecordError, match="not_resent"):
        send(document(1), stream=stream)
    assert len(stream.calls) == 1
    assert [(record.error, record.stream) for record in caplog.records] == [(code, "shop-dev-web")]
    assert "line 1" not in str(vars(caplog.records[0]))


def test_batch_does_not_try_for_ever():
    now = [0.0]
    stream = Stream(*[{0}] * ATTEMPTS)
    resender = make_resender(stream, clock=lambda: now[0])
    for _ in range(2):
        with pytest.raises(RecordError, match="not_resent"):
            resender.send([group(document(1))])
        now[0] = BUDGET_SECONDS
    assert len(stream.calls) == ATTEMPTS
    assert PAUSE_SECONDS * 2 ** (ATTEMPTS - 2) < 2


def test_without_a_stream_nothing_is_said_to_be_sent():
    with pytest.raises(RecordError, match="not_resent"):
        make_resender(None).send([group(document(1))])


KEYS = (PartitionKey("service", "attributes.service", frozenset({"web", "shop"})),)
ROUTES = {
    "stored": (make_pipeline(Settings(steps=())), ()),
    "one each": (make_pipeline(Settings(steps=(), resends=True)), ()),
    "partitioned": (make_pipeline(Settings(steps=(), resends=True, partition_by=KEYS)), ("service",)),
}


def run(records, *, route, stream):
    """A batch of records by their ids."""
    pipeline, names = ROUTES[route]
    members = [{"recordId": name, "data": base64.b64encode(data).decode()} for name, data in records.items()]
    resender = make_resender(stream, names=names)
    return transform_batch({"records": members}, pipeline=pipeline, now=NOW, resender=resender)


def lines_of(response):
    return [line for answer in response["records"] for line in base64.b64decode(answer.get("data", "")).splitlines()]


def service_of(line):
    """Which folder a document belongs in, worked out another way."""
    said = json.loads(line).get("attributes", {}).get("service")
    if said in ("web", "shop"):
        return said
    return "other" if isinstance(said, str) and said else "none"


def sent_for(route, *lines):
    stream = Stream()
    run({"1": b"\n".join(lines)}, route=route, stream=stream)
    assert stream.accepted
    return stream.accepted


SAID = [
    b'{"log":"a","service":"web"}',
    b'{"log":"b","service":"shop"}',
    b'{"log":"c"}',
    b'{"log":"d","service":["web"]}',
    b'{"log":"e","service":"../x"}',
    b'{"log":"f","service":""}',
    b'{"log":"g","service":"web"}',
    b"plain",
]
SENT = {route: sent_for(route, *SAID[:4]) for route in ("one each", "partitioned")}
FORGED = MARKER + b"0" * 32 + b'","documents":9,"keys":{}}'


@st.composite
def hostile(draw, route):
    """Records with lines, envelopes of this route and of another, halves of them, and several in one."""
    sent = [each for envelopes in SENT.values() for each in envelopes]
    line = (
        st.sampled_from(SAID)
        | st.binary(max_size=40).filter(lambda line: b"\n" not in line)
        | st.sampled_from([MARKER, FORGED, *sent])
        | st.builds(lambda head, tail: head + tail, st.sampled_from(SENT[route]), st.binary(max_size=5))
    )
    record = st.lists(line, max_size=8).map(b"\n".join) | st.sampled_from(sent)
    return {str(number): each for number, each in enumerate(draw(st.lists(record, max_size=4)))}


@pytest.mark.parametrize("route", SENT)
@given(data=st.data())
def test_nothing_is_sent_for_what_was_sent_whatever_a_client_writes(route, data):
    """Fed back until nothing comes any more: no record makes a second hop, and each line arrives as often as sent."""
    waiting = data.draw(hostile(route))
    other = next(name for name in SENT if name != route)
    finished = [line for each in waiting.values() if each in SENT[route] for line in each.splitlines()[1:]]
    foreign = [each for each in waiting.values() if each in SENT[other]]
    fresh = {name: each for name, each in waiting.items() if each not in SENT[route] + SENT[other]}
    plain, _ = run(fresh, route="stored", stream=None)

    hops, arrived, failed, sent = 0, [], [], 0
    while waiting:
        hops += 1
        stream = Stream()
        response, tally = run(waiting, route=route, stream=stream)
        for answer in response["records"]:
            lines = base64.b64decode(answer.get("data", "")).splitlines()
            arrived += lines
            keys = answer.get("metadata", {}).get("partitionKeys", {})
            assert len(lines) <= 1 if route == "one each" else {service_of(each) for each in lines} <= {*keys.values()}
        failed += [failure.reason for failure in tally.failures]
        assert tally.counts.unaccounted == 0
        assert hops == 1 or tally.counts.returned == sent
        sent = tally.counts.resent
        assert hops == 1 or not stream.accepted
        waiting = {f"again {number}": each for number, each in enumerate(stream.accepted)}

    assert Counter(arrived) == Counter(finished + lines_of(plain))
    assert failed == ["other_partition_keys"] * len(foreign)
    assert sent == 0


def test_a_record_whose_documents_agree_is_answered_whole_and_nothing_is_sent():
    stream = Stream()
    response, tally = run({"1": b"\n".join([SAID[0], SAID[6]])}, route="partitioned", stream=stream)
    [answer] = response["records"]
    assert answer["metadata"] == {"partitionKeys": {"service": "web"}}
    assert len(lines_of(response)) == 2
    assert (stream.calls, tally.counts.resent) == ([], 0)


def test_a_record_is_answered_with_its_largest_group_and_each_other_one_is_sent_as_one():
    stream = Stream()
    lines = [SAID[1], SAID[0], SAID[2], SAID[6], SAID[2], SAID[2]]
    response, tally = run({"1": b"\n".join(lines)}, route="partitioned", stream=stream)
    [answer] = response["records"]
    assert answer["metadata"] == {"partitionKeys": {"service": "none"}}
    assert [json.loads(line)["body"] for line in lines_of(response)] == ["c", "c", "c"]
    returned = [make_resender(None, names=["service"]).read(record) for record in stream.accepted]
    assert [(each.keys, each.documents) for each in returned] == [(SHOP, 1), (WEB, 2)]
    assert (tally.counts.lines, tally.counts.documents, tally.counts.resent) == (6, 3, 3)
    assert (tally.counts.partition_none, tally.counts.partition_other) == (3, 0)


def test_the_first_document_is_the_answer_where_there_is_one_each():
    stream = Stream()
    response, tally = run({"1": b"\n".join(SAID[:3])}, route="one each", stream=stream)
    assert [json.loads(line)["body"] for line in lines_of(response)] == ["a"]
    assert [json.loads(record.splitlines()[1])["body"] for record in stream.accepted] == ["b", "c"]
    assert all("metadata" not in answer for answer in response["records"])
    assert (tally.counts.documents, tally.counts.resent) == (1, 2)


@pytest.mark.parametrize("route", SENT)
def test_a_record_of_which_not_all_could_be_sent_fails_alone(route):
    stream = Stream(refused("AccessDeniedException"))
    response, tally = run({"1": b"\n".join(SAID[:3]), "2": SAID[0]}, route=route, stream=stream)
    assert [answer["result"] for answer in response["records"]] == ["ProcessingFailed", "Ok"]
    assert [failure.reason for failure in tally.failures] == ["not_resent"]
    assert (tally.counts.unaccounted, tally.counts.resent) == (0, 0)


def test_nothing_is_sent_for_a_record_whose_answer_has_no_room():
    """Or its groups would arrive now, and once more when the record is replayed."""
    large = [b'{"log":"%b","service":"web"}' % ("é" * 450_000).encode()] * 3
    stream = Stream()
    records = {"1": b"\n".join(large), "2": b"\n".join([*large, SAID[1]])}
    response, tally = run(records, route="partitioned", stream=stream)
    assert [answer["result"] for answer in response["records"]] == ["Ok", "ProcessingFailed"]
    assert [failure.reason for failure in tally.failures] == ["response_too_large"]
    assert stream.calls == []


def test_a_pipeline_that_divides_loses_nothing_when_there_is_nobody_to_send():
    record = base64.b64encode(b"\n".join(SAID[:3])).decode()
    event = {"records": [{"recordId": "1", "data": record}]}
    response, tally = transform_batch(event, pipeline=ROUTES["one each"][0], now=NOW)
    assert [answer["result"] for answer in response["records"]] == ["ProcessingFailed"]
    assert [failure.reason for failure in tally.failures] == ["not_resent"]


def test_without_the_secret_only_what_needs_it_fails():
    def key():
        raise RecordError("no_redaction_key")

    resender = Resender(stream=Stream(), key=key)
    datas = [b"one", b"two\nthree", SENT["one each"][0]]
    members = [{"recordId": str(at), "data": base64.b64encode(data).decode()} for at, data in enumerate(datas)]
    response, tally = transform_batch({"records": members}, pipeline=ROUTES["one each"][0], now=NOW, resender=resender)
    assert [answer["result"] for answer in response["records"]] == ["Ok", "ProcessingFailed", "ProcessingFailed"]
    assert {failure.reason for failure in tally.failures} == {"no_redaction_key"}


@pytest.mark.parametrize("route", SENT)
def test_a_document_that_is_split_is_one_document_over_both_ways(route):
    """1.5 MB of one line and a short one: no part is counted as a document, here or when it comes back."""
    settings = Settings(resends=True, oversize="split", partition_by=KEYS if route == "partitioned" else ())
    names, pipeline, stream = ROUTES[route][1], make_pipeline(settings), Stream()
    text = b"\n".join([SAID[1], b'{"log":"%b","service":"web"}' % (b"x" * 1_500_000), SAID[6], SAID[0]])
    sums, waiting, bodies = Counter(), [text], []
    while waiting:
        members = [{"recordId": str(at), "data": base64.b64encode(data).decode()} for at, data in enumerate(waiting)]
        resender = make_resender(stream, names=names)
        response, tally = transform_batch({"records": members}, pipeline=pipeline, now=NOW, resender=resender)
        counts = tally.counts
        assert counts.unaccounted == 0
        sums.update(lines=counts.lines, documents=counts.documents, resent=counts.resent, returned=counts.returned)
        bodies += [json.loads(line)["body"] for line in lines_of(response)]
        waiting, stream = stream.accepted, Stream()
    assert sums["lines"] == sums["documents"] == 4
    assert sums["resent"] == sums["returned"] > 0
    assert len("".join(bodies)) == 1_500_000 + len("bga")


def part(ordinal, text, *, last):
    told = {"container_id": "c", "log": text, "service": "web", "partial_message": "true", "partial_id": "p"}
    told |= {"partial_ordinal": str(ordinal), "partial_last": "true" if last else "false"}
    return json.dumps(told | {"_tag": "web", "_time": f"2026-11-21T02:36:00.00000000{ordinal}Z"}).encode()


def test_parts_of_a_line_are_joined_wherever_the_whole_goes():
    pipeline = make_pipeline(Settings(resends=True, partition_by=KEYS))
    datas = [b"\n".join([SAID[1], SAID[1], part(1, "one ", last=False)]), part(2, "line", last=True)]
    members = [{"recordId": str(at), "data": base64.b64encode(data).decode()} for at, data in enumerate(datas)]
    stream = Stream()
    resender = make_resender(stream, names=["service"])
    response, tally = transform_batch({"records": members}, pipeline=pipeline, now=NOW, resender=resender)
    assert [answer["result"] for answer in response["records"]] == ["Ok", "Dropped"]
    [envelope] = stream.accepted
    assert json.loads(envelope.splitlines()[1])["body"] == "one line"
    assert (tally.counts.lines, tally.counts.joined, tally.counts.unaccounted) == (4, 1, 0)


def test_a_part_that_was_sent_once_more_is_not_looked_at_again():
    """Its others may be in the batch with which it comes back; it is finished, and so counted once."""
    pipeline = make_pipeline(Settings(resends=True, partition_by=KEYS))
    stream = Stream()
    sums = Counter()
    first = [b"\n".join([SAID[1], SAID[1], part(1, "one ", last=False)])]
    second = [part(2, "line", last=True)]
    for fresh in (first, second):
        datas = [*stream.accepted, *fresh]
        members = [{"recordId": str(at), "data": base64.b64encode(data).decode()} for at, data in enumerate(datas)]
        resender = make_resender(stream, names=["service"])
        response, tally = transform_batch({"records": members}, pipeline=pipeline, now=NOW, resender=resender)
        assert tally.counts.unaccounted == 0
        sums.update(lines=tally.counts.lines, documents=tally.counts.documents)
    assert [json.loads(line)["body"] for line in lines_of(response)] == ["one ", "line"]
    assert sums == {"lines": 4, "documents": 4}


def test_parts_whose_whole_could_not_be_sent_are_written_as_they_came():
    pipeline = make_pipeline(Settings(resends=True, partition_by=KEYS))
    datas = [b"\n".join([SAID[1], SAID[1], part(1, "one ", last=False)]), part(2, "line", last=True)]
    members = [{"recordId": str(at), "data": base64.b64encode(data).decode()} for at, data in enumerate(datas)]
    resender = make_resender(Stream(refused("AccessDeniedException")), names=["service"])
    response, _ = transform_batch({"records": members}, pipeline=pipeline, now=NOW, resender=resender)
    assert [answer["result"] for answer in response["records"]] == ["ProcessingFailed", "Ok"]
    assert [json.loads(line)["body"] for line in lines_of(response)] == ["line"]


@pytest.fixture
def aws(monkeypatch):
    """moto, with a bucket, a Firehose stream into it, a data stream and a secret."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for cached in (firehose_client, kinesis_client, _route):
        cached.cache_clear()
    with mock_aws():
        boto3.client("s3").create_bucket(
            Bucket="sluice-logs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        destination = {"RoleARN": "arn:aws:iam::111122223333:role/r", "BucketARN": "arn:aws:s3:::sluice-logs"}
        boto3.client("firehose").create_delivery_stream(
            DeliveryStreamName="shop-dev-web", ExtendedS3DestinationConfiguration=destination
        )
        boto3.client("kinesis").create_stream(StreamName="shop-dev-web", ShardCount=1)
        secret = boto3.client("secretsmanager").create_secret(Name="key", SecretString="k" * 32)
        monkeypatch.setenv("SLUICE_SPREAD", "1")
        monkeypatch.setenv("SLUICE_REDACTION_KEY", secret["ARN"])
        yield
    for cached in (firehose_client, kinesis_client, _route):
        cached.cache_clear()


def put_to_firehose():
    s3 = boto3.client("s3")
    [found] = s3.list_objects_v2(Bucket="sluice-logs")["Contents"]
    text = s3.get_object(Bucket="sluice-logs", Key=found["Key"])["Body"].read()
    return [MARKER + each for each in text.split(MARKER)[1:]]


def put_to_kinesis():
    kinesis = boto3.client("kinesis")
    begin = kinesis.get_shard_iterator(
        StreamName="shop-dev-web", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )
    records = kinesis.get_records(ShardIterator=begin["ShardIterator"])["Records"]
    return [record["Data"] for record in records]


@pytest.mark.parametrize(
    ("source", "put"),
    [
        ({"deliveryStreamArn": ARN}, put_to_firehose),
        ({"deliveryStreamArn": ARN, "sourceKinesisStreamArn": KINESIS}, put_to_kinesis),
    ],
    ids=["direct", "kinesis"],
)
def test_function_as_it_is_deployed_answers_with_one_document_and_sends_the_others(aws, make_event, source, put):  # noqa: ARG001 - moto
    """Settings from its environment, the key from Secrets Manager, real clients, the stream that the event names."""
    response = handler(make_event(b"one\ntwo\nthree") | source, None)
    envelopes = put()
    returned = handler(make_event(*envelopes) | source, None)
    assert [json.loads(line)["body"] for line in lines_of(response)] == ["one"]
    assert sorted(json.loads(line)["body"] for line in lines_of(returned)) == ["three", "two"]
    assert [len(base64.b64decode(each["data"]).splitlines()) for each in returned["records"]] == [1, 1]


def test_partitioned_function_as_it_is_deployed_sends_each_document_to_its_folder(aws, make_event, monkeypatch):  # noqa: ARG001 - moto
    keys = [{"name": "service", "field": "attributes.service", "values": ["web", "shop"]}]
    monkeypatch.setenv(
        "SLUICE_RULES", json.dumps({"partition_by": [*keys, {"name": "level", "field": "severity.text"}]})
    )
    source = {"deliveryStreamArn": ARN, "sourceKinesisStreamArn": KINESIS}
    response = handler(make_event(b"\n".join(SAID)) | source, None)
    returned = handler(make_event(*put_to_kinesis()) | source, None)
    found = {}
    for answer in response["records"] + returned["records"]:
        keys = answer["metadata"]["partitionKeys"]
        bodies = [json.loads(line)["body"] for line in base64.b64decode(answer["data"]).splitlines()]
        assert found.setdefault(keys["service"], bodies) is bodies
        assert keys["level"] == "none"
    assert found == {"none": ["c", "d", "f", "plain"], "web": ["a", "g"], "shop": ["b"], "other": ["e"]}
