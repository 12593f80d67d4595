"""A consumer that is really killed, on shards that are really split and merged: the emulator's Kinesis and S3."""

import json
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator

from local.emulator import Emulator
from local.firehose import (
    BufferHints,
    FileCheckpoints,
    Firehose,
    KinesisSource,
    LambdaProcessor,
    S3Destination,
    StreamConfig,
    deployed_streams,
    s3_writer,
    shard_reader,
)

ROOT = Path(__file__).parents[3]
REGION = "eu-central-1"
BUCKET, STREAM = "sluice-killed", "sluice-killed"
PATIENCE = 300


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    work = tmp_path_factory.mktemp("emulator")
    with Emulator(work=work, node_modules=ROOT / "node_modules", region=REGION) as running:
        yield running


def transform(_arn: str, payload: bytes) -> bytes:
    """Answer a record's sequence and subsequence number, and fail every seventh."""
    records = []
    for record in json.loads(payload)["records"]:
        at = record["kinesisRecordMetadata"]
        failed = int(b64decode(record["data"])) % 7 == 0
        records.append(
            {
                "recordId": record["recordId"],
                "result": "ProcessingFailed" if failed else "Ok",
                "data": b64encode(f"{at['sequenceNumber']}/{at['subsequenceNumber']}\n".encode()).decode(),
            }
        )
    return json.dumps({"records": records}).encode()


def config(stream_arn: str) -> StreamConfig:
    return StreamConfig(
        name=STREAM,
        arn=f"arn:aws:firehose:{REGION}:000000000000:deliverystream/{STREAM}",
        source=KinesisSource(stream_arn, start="TRIM_HORIZON"),
        processor=LambdaProcessor("arn:f", hints=BufferHints(size_bytes=8, interval_seconds=0.1)),
        destination=S3Destination(
            bucket=BUCKET,
            prefix="logs/!{timestamp:yyyy}/",
            error_prefix="failed/!{firehose:error-output-type}/",
            hints=BufferHints(size_bytes=400, interval_seconds=0.3),
        ),
    )


CONSUMER = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import boto3
from local.firehose import FileCheckpoints, Firehose, s3_writer, shard_reader
from test_kinesis_emulator import config, transform
stream_arn, work = sys.argv[1], Path(sys.argv[2])
def invoke(arn, payload):
    (work / "transforming").touch()
    time.sleep(0.05)
    return transform(arn, payload)
with Firehose([config(stream_arn)], invoke=invoke, put_object=s3_writer(boto3.client("s3")),
        shards=shard_reader(boto3.client("kinesis")), checkpoints=FileCheckpoints(work / "checkpoints")):
    time.sleep(600)
"""


class Producer:
    """Puts numbered records, one by one and in aggregates, and remembers what Kinesis acknowledged."""

    def __init__(self, emulator: Emulator) -> None:
        self._kinesis = emulator.client("kinesis")
        self._kinesis.create_stream(StreamName=STREAM, ShardCount=2)
        self.arn = self._kinesis.describe_stream(StreamName=STREAM)["StreamDescription"]["StreamARN"]
        self.acknowledged: dict[str, int] = {}
        self._count = 0

    def put(self, count: int) -> None:
        for _ in range(count):
            self._put(b"%d" % self._next(), member=0)
            packed = RecordAggregator()
            for _ in range(3):
                packed.add_user_record(f"key-{self._count}", b"%d" % self._next())
            self._put(bytes(packed.clear_and_get().get_contents()[2]), member=3)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _put(self, data: bytes, *, member: int) -> None:
        answer = self._kinesis.put_record(StreamName=STREAM, PartitionKey=f"key-{self._count}", Data=data)
        for number in range(max(member, 1)):
            self.acknowledged[f"{answer['SequenceNumber']}/{number}"] = self._count - max(member - 1 - number, 0)

    def split(self) -> None:
        shard = max(self._open(), key=lambda each: self._range(each)[1] - self._range(each)[0])
        low, high = self._range(shard)
        self._kinesis.split_shard(
            StreamName=STREAM, ShardToSplit=shard["ShardId"], NewStartingHashKey=str((low + high) // 2)
        )

    def merge(self) -> None:
        one, two = sorted(self._open(), key=self._range)[:2]
        self._kinesis.merge_shards(StreamName=STREAM, ShardToMerge=one["ShardId"], AdjacentShardToMerge=two["ShardId"])

    def _open(self) -> list[dict]:
        shards = self._kinesis.list_shards(StreamName=STREAM)["Shards"]
        return [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]

    @staticmethod
    def _range(shard: dict) -> tuple[int, int]:
        return int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"])


def kill_in_the_middle(emulator: Emulator, stream_arn: str, work: Path, *, after: int) -> None:
    """Start a consumer and kill it, with SIGKILL, while it transforms its `after`th batch."""
    busy = work / "transforming"
    environment = {**emulator.environment, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CONSUMER, stream_arn, str(work)]
    with (work / "consumer.log").open("ab") as log:
        consumer = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE
        for _ in range(after):
            busy.unlink(missing_ok=True)
            while not busy.exists():
                assert time.monotonic() < deadline, (work / "consumer.log").read_text()
                assert consumer.poll() is None, (work / "consumer.log").read_text()
                time.sleep(0.005)
    finally:
        consumer.kill()
        consumer.wait()


def objects(emulator: Emulator, prefix: str) -> Iterator[bytes]:
    s3 = emulator.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        for found in page.get("Contents", []):
            yield s3.get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read()


def test_a_consumer_killed_mid_batch_on_shards_that_change_loses_nothing(emulator: Emulator, tmp_path: Path):
    emulator.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    producer = Producer(emulator)
    producer.put(30)
    kill_in_the_middle(emulator, producer.arn, tmp_path, after=12)
    producer.put(10)
    producer.split()
    producer.put(30)
    kill_in_the_middle(emulator, producer.arn, tmp_path, after=20)
    producer.merge()
    producer.put(30)
    producer.split()
    producer.put(10)
    kill_in_the_middle(emulator, producer.arn, tmp_path, after=30)
    saved = FileCheckpoints(tmp_path / "checkpoints").load(STREAM)
    assert saved is not None
    assert saved.shards, "the killed ones got somewhere"

    last = Firehose(
        [config(producer.arn)],
        invoke=transform,
        put_object=s3_writer(emulator.client("s3")),
        shards=shard_reader(emulator.client("kinesis")),
        checkpoints=FileCheckpoints(tmp_path / "checkpoints"),
    )
    with last:
        assert last.drain(timeout=PATIENCE)

    delivered = [line.decode() for body in objects(emulator, "logs/") for line in body.split()]
    failed = [
        int(b64decode(json.loads(line)["rawData"]))
        for body in objects(emulator, "failed/processing-failed/")
        for line in body.splitlines()
    ]
    expected = {sequence for sequence, number in producer.acknowledged.items() if number % 7}
    assert set(delivered) == expected
    assert set(failed) == {number for number in producer.acknowledged.values() if number % 7 == 0}
    assert last.counts()[STREAM].incoming < len(producer.acknowledged), "it went on where the others were"


def test_a_deployed_stream_reads_what_was_put_since_its_deployment(emulator: Emulator):
    cloudformation, kinesis = emulator.client("cloudformation"), emulator.client("kinesis")
    template = {
        "Resources": {
            "Buffer": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "deployed", "ShardCount": 2}},
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "sluice-deployed"}},
            "Web": {
                "Type": "AWS::KinesisFirehose::DeliveryStream",
                "Properties": {
                    "DeliveryStreamName": "deployed",
                    "DeliveryStreamType": "KinesisStreamAsSource",
                    "KinesisStreamSourceConfiguration": {
                        "KinesisStreamARN": {"Fn::GetAtt": ["Buffer", "Arn"]},
                        "RoleARN": "arn:aws:iam::000000000000:role/r",
                    },
                    "ExtendedS3DestinationConfiguration": {
                        "BucketARN": {"Fn::GetAtt": ["Bucket", "Arn"]},
                        "RoleARN": "arn:aws:iam::000000000000:role/r",
                    },
                },
            },
        }
    }
    cloudformation.create_stack(StackName="delivery", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="delivery", WaiterConfig={"Delay": 1})
    kinesis.put_record(StreamName="deployed", PartitionKey="k", Data=b"before the Firehose\n")

    streams = deployed_streams(cloudformation, emulator.client("firehose"), stacks=["delivery"])
    written: list[bytes] = []
    firehose = Firehose(
        streams,
        invoke=transform,
        put_object=lambda *, body, **_rest: written.append(body),
        shards=shard_reader(kinesis),
    )
    with firehose:
        kinesis.put_record(StreamName="deployed", PartitionKey="k", Data=b"after it\n")
        assert firehose.drain(timeout=PATIENCE)
    assert b"".join(written) == b"before the Firehose\nafter it\n"


SEARCH = {
    "DomainARN": "arn:aws:es:eu-central-1:000000000000:domain/sluice",
    "IndexName": "sluice-web",
    "IndexRotationPeriod": "OneDay",
    "RoleARN": "arn:aws:iam::000000000000:role/r",
    "S3BackupMode": "FailedDocumentsOnly",
    "VpcConfiguration": {
        "RoleARN": "arn:aws:iam::000000000000:role/r",
        "SubnetIds": ["subnet-1"],
        "SecurityGroupIds": ["sg-1"],
    },
    "S3Configuration": {
        "BucketARN": {"Fn::GetAtt": ["Bucket", "Arn"]},
        "RoleARN": "arn:aws:iam::000000000000:role/r",
        "ErrorOutputPrefix": "failed/!{firehose:error-output-type}/",
    },
}


def test_a_deployed_stream_to_opensearch_is_read_with_its_backup(emulator: Emulator):
    cloudformation = emulator.client("cloudformation")
    template = {
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "sluice-backup"}},
            "Web": {
                "Type": "AWS::KinesisFirehose::DeliveryStream",
                "Properties": {
                    "DeliveryStreamName": "search",
                    "AmazonopensearchserviceDestinationConfiguration": SEARCH,
                },
            },
        }
    }
    cloudformation.create_stack(StackName="search", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="search", WaiterConfig={"Delay": 1})
    (read,) = deployed_streams(
        cloudformation,
        emulator.client("firehose"),
        stacks=["search"],
        endpoints={SEARCH["DomainARN"]: "http://127.0.0.1:9"},
    )
    assert (read.destination.endpoint, read.destination.index) == ("http://127.0.0.1:9", "sluice-web")
    assert read.destination.backup.bucket == "sluice-backup"
