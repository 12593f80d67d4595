"""A stream to OpenSearch, put together: from a data stream through the function into an index, or into the backup."""

import json
from base64 import b64decode, b64encode

import pytest

from local.firehose import (
    BufferHints,
    Firehose,
    KinesisSource,
    LambdaProcessor,
    MemoryCheckpoints,
    OpenSearchDestination,
    S3Destination,
    StreamConfig,
)
from local.firehose.sources.kinesis import KinesisRecord, Page, Shard

NAME = "sluice-test-web"
ENDPOINT = "http://127.0.0.1:9"


class OneShard:
    """A data stream of one shard that holds these records, as sequence numbers 1 to n."""

    def __init__(self, *held: bytes) -> None:
        self.held = [KinesisRecord(str(number), "k", data, 0) for number, data in enumerate(held, start=1)]

    def shards(self, _stream_arn: str) -> list[Shard]:
        return [Shard("shard-0")]

    def iterator(self, _stream_arn: str, _shard_id: str, *, after: str | None, **_rest: object) -> str:
        return after or "0"

    def read(self, iterator: str) -> Page:
        return Page(self.held[int(iterator) :], str(len(self.held)), behind_ms=0)


@pytest.fixture
def search(function, bucket, clock):
    """A Firehose to an OpenSearch that refuses every document with `no` in it; returns it with its checkpoints."""

    def post(body: bytes) -> tuple[int, bytes]:
        documents = body.splitlines()[1::2]
        items = [{"index": {"status": 400 if b"no" in each else 201, "error": {"type": "x"}}} for each in documents]
        return 200, json.dumps({"errors": True, "items": items}).encode()

    def post_bulk(endpoint: str):
        assert endpoint == ENDPOINT
        return post

    def build(*held: bytes) -> tuple[Firehose, MemoryCheckpoints]:
        checkpoints = MemoryCheckpoints()
        config = StreamConfig(
            name=NAME,
            arn=f"arn:aws:firehose:eu-west-1:000000000000:deliverystream/{NAME}",
            source=KinesisSource("arn:stream", start="TRIM_HORIZON"),
            processor=LambdaProcessor("arn:aws:lambda:eu-west-1:000000000000:function:transform"),
            destination=OpenSearchDestination(
                endpoint=ENDPOINT,
                index="web",
                rotation="NoRotation",
                retry_seconds=0,
                hints=BufferHints(size_bytes=100, interval_seconds=60),
                backup=S3Destination(bucket="sluice-logs", error_prefix="failed/!{firehose:error-output-type}/"),
            ),
        )
        firehose = Firehose(
            [config],
            invoke=function.invoke,
            put_object=bucket.put_object,
            post_bulk=post_bulk,
            shards=OneShard(*held),
            checkpoints=checkpoints,
            clock=clock,
        )
        return firehose, checkpoints

    return build


def test_documents_arrive_and_their_records_are_settled(search, bucket):
    firehose, checkpoints = search(b'{"a":1}', b'{"a":2}')
    assert firehose.drain(timeout=600)
    counts = firehose.counts()[NAME]
    assert (counts.delivered, counts.failed, counts.pending) == (2, {}, 0)
    assert checkpoints.load(NAME).shards == {"shard-0": "2"}
    assert bucket.objects == {}


def test_a_document_that_fails_lies_in_the_backup_and_its_record_is_settled(search, bucket):
    firehose, checkpoints = search(b'{"a":"no"}', b'{"a":2}')
    assert firehose.drain(timeout=600)
    ((key, body),) = bucket.objects.items()
    assert key.startswith("failed/AmazonOpenSearchService-failed/")
    assert b64decode(json.loads(body)["rawData"]) == b'{"a":"no"}'
    counts = firehose.counts()[NAME]
    assert (counts.delivered, sum(counts.failed.values()), counts.pending) == (1, 1, 0)
    assert checkpoints.load(NAME).shards == {"shard-0": "2"}


def test_what_the_function_fails_lies_apart_from_what_opensearch_refuses(search, function, bucket):
    refused, failed = b'{"a":"no"}', b'{"a":"broken"}'

    def respond(event):
        broken = b64encode(failed).decode()
        return {
            "records": [
                {
                    **function.answer({"records": [each]}, "ProcessingFailed" if each["data"] == broken else "Ok")[
                        "records"
                    ][0]
                }
                for each in event["records"]
            ]
        }

    function.respond = respond
    firehose, _ = search(refused, failed)
    assert firehose.drain(timeout=600)
    assert sorted(key.split("/")[1] for key in bucket.objects) == [
        "AmazonOpenSearchService-failed",
        "processing-failed",
    ]
