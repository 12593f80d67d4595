"""Both kinds of stream: found by what an event says, put to by their own call, told what they refused."""

import boto3
import pytest
from moto import mock_aws

from lambdas.transform.limits import MAX_KINESIS_PUT_BYTES, MAX_PUT_BYTES
from lambdas.transform.resend import BUDGET_SECONDS
from lambdas.transform.streams import (
    OWN,
    Clients,
    DataStream,
    DeliveryStream,
    find_stream,
    firehose_client,
    kinesis_client,
)

FIREHOSE = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/shop-dev-web"
KINESIS = "arn:aws:kinesis:eu-west-1:111122223333:stream/shop-dev-web"


class Client:
    """Either service: keeps what it was called with and answers as it was told to."""

    def __init__(self, answer):
        self.answer = answer
        self.called = []

    def __call__(self, region):
        assert region == "eu-west-1"
        return self

    def put_record_batch(self, **told):
        self.called.append(told)
        return self.answer

    put_records = put_record_batch


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    firehose_client.cache_clear()
    kinesis_client.cache_clear()
    with mock_aws():
        yield
    firehose_client.cache_clear()
    kinesis_client.cache_clear()


def test_an_event_says_which_stream_its_records_came_from():
    assert find_stream({"deliveryStreamArn": FIREHOSE}) == DeliveryStream("eu-west-1", "shop-dev-web", OWN.firehose)
    from_kinesis = {"deliveryStreamArn": FIREHOSE, "sourceKinesisStreamArn": KINESIS}
    assert find_stream(from_kinesis) == DataStream("eu-west-1", "shop-dev-web", OWN.kinesis)


@pytest.mark.parametrize("source", [None, ""])
def test_a_source_that_is_empty_is_none(source):
    event = {"deliveryStreamArn": FIREHOSE, "sourceKinesisStreamArn": source}
    assert isinstance(find_stream(event), DeliveryStream)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"deliveryStreamArn": ""},
        {"deliveryStreamArn": "x" + FIREHOSE},
        {"deliveryStreamArn": FIREHOSE + "/other"},
        {"deliveryStreamArn": KINESIS},
        {"deliveryStreamArn": FIREHOSE, "sourceKinesisStreamArn": FIREHOSE},
        {"deliveryStreamArn": FIREHOSE, "sourceKinesisStreamArn": KINESIS + ":other"},
        {"deliveryStreamArn": FIREHOSE, "sourceKinesisStreamArn": 7},
    ],
)
def test_a_stream_that_is_none_is_not_found_and_no_other_is_put_to_instead(event):
    assert find_stream(event) is None


def test_firehose_is_given_data_and_says_what_it_refused():
    answers = [{"RecordId": "id"}, {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}]
    client = Client({"FailedPutCount": 1, "RequestResponses": answers})
    assert DeliveryStream("eu-west-1", "web", client).put([b"one", b"two"]) == [b"two"]
    assert client.called == [{"DeliveryStreamName": "web", "Records": [{"Data": b"one"}, {"Data": b"two"}]}]


def test_kinesis_is_given_data_and_keys_and_says_what_it_refused():
    refusal = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded for shard."}
    accepted = {"SequenceNumber": "1", "ShardId": "shardId-000000000000", "ErrorCode": None, "ErrorMessage": None}
    client = Client({"FailedRecordCount": 1, "Records": [refusal, accepted]})
    assert DataStream("eu-west-1", "web", client).put([b"one", b"two"]) == [b"one"]
    [told] = client.called
    assert (told["StreamName"], [record["Data"] for record in told["Records"]]) == ("web", [b"one", b"two"])


def test_nothing_was_refused_when_the_service_says_so():
    assert DeliveryStream("eu-west-1", "web", Client({"FailedPutCount": 0, "RequestResponses": []})).put([b"x"]) == []
    assert DataStream("eu-west-1", "web", Client({"FailedRecordCount": 0, "Records": []})).put([b"x"]) == []


def test_partition_keys_are_chances_and_new_ones_each_time():
    client = Client({"FailedRecordCount": 0, "Records": []})
    stream = DataStream("eu-west-1", "web", client)
    for _ in range(2):
        stream.put([b"x"] * 500)
    keys = [record["PartitionKey"] for told in client.called for record in told["Records"]]
    assert len(set(keys)) == 1000
    assert {len(key) for key in keys} == {stream.beside}


def test_a_call_takes_what_its_service_documents():
    assert (DeliveryStream.most_bytes, DeliveryStream.beside) == (MAX_PUT_BYTES, 0) == (4 * 1024 * 1024, 0)
    assert DataStream.most_bytes == MAX_KINESIS_PUT_BYTES == 5 * 1024 * 1024


@pytest.mark.parametrize("make", [firehose_client, kinesis_client])
def test_client_gives_up_long_before_the_function_must(aws, make):  # noqa: ARG001 - credentials
    """Its time is 60 s; the last call may begin when BUDGET_SECONDS are over."""
    config = make("eu-west-1").meta.config
    one = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    assert BUDGET_SECONDS + one < 30


def test_kinesis_takes_what_is_put(aws):  # noqa: ARG001 - moto
    """Its own client against moto: the form of the call is the service's."""
    kinesis = boto3.client("kinesis", region_name="eu-west-1")
    kinesis.create_stream(StreamName="shop-dev-web", ShardCount=2)
    stream = find_stream({"deliveryStreamArn": FIREHOSE, "sourceKinesisStreamArn": KINESIS})
    assert stream.put([b"record %d" % number for number in range(40)]) == []
    shards = [shard["ShardId"] for shard in kinesis.list_shards(StreamName="shop-dev-web")["Shards"]]
    found = []
    for shard in shards:
        begin = kinesis.get_shard_iterator(StreamName="shop-dev-web", ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        found.append([record["Data"] for record in kinesis.get_records(ShardIterator=begin)["Records"]])
    assert {data for each in found for data in each} == {b"record %d" % number for number in range(40)}
    assert all(found), "chance spreads them over all shards"


def test_clients_can_be_others():
    client = Client({"FailedRecordCount": 0, "Records": []})
    stream = find_stream({"sourceKinesisStreamArn": KINESIS}, clients=Clients(firehose=client, kinesis=client))
    stream.put([b"x"])
    assert len(client.called) == 1
