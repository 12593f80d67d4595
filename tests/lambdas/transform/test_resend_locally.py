"""Through the project's own Firehose: batches, buffers, folders, and the same function as often as it is called."""

import base64
import json
import re
from collections import Counter
from hashlib import md5

import pytest

from lambdas.transform.batch import transform_batch
from lambdas.transform.pipeline import make_pipeline
from lambdas.transform.resend import Resender
from lambdas.transform.settings import Settings
from lambdas.transform.spec import PartitionKey
from lambdas.transform.streams import Clients, find_stream
from local.firehose import (
    BufferHints,
    Firehose,
    KinesisSource,
    LambdaProcessor,
    ManualClock,
    S3Destination,
    StreamConfig,
)
from local.firehose.sources.direct_put import Refused
from local.firehose.sources.kinesis import KinesisRecord, Page, Shard

ARN = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/shop-dev-web"
KINESIS = "arn:aws:kinesis:eu-west-1:111122223333:stream/shop-dev-web"
NOW = "2026-11-21T02:36:31.000000000Z"
EACH = Settings(resends=True)
KEYS = (PartitionKey("service", "attributes.service", frozenset({"web", "shop"})),)
FOLDERS = Settings(resends=True, partition_by=KEYS)
FOLDER = re.compile(r"logs/service=(web|shop|other|none)/")


class LocalClient:
    """boto3's call on the project's own Firehose, without the wire between."""

    def __init__(self, firehose):
        self.firehose = firehose

    def put_record_batch(self, *, DeliveryStreamName, Records):  # noqa: N803 - boto3's own
        results = self.firehose.put(DeliveryStreamName, [record["Data"] for record in Records])
        failed = [isinstance(result, Refused) for result in results]
        answers = [{"ErrorCode": "ServiceUnavailableException"} if each else {"RecordId": "id"} for each in failed]
        return {"FailedPutCount": sum(failed), "RequestResponses": answers}


class Run:
    """A route's function behind a Firehose, what it answered, and which objects there are."""

    def __init__(self, settings, *, kinesis=None):
        self.kinesis = kinesis
        self.names = [key.name for key in settings.partition_by]
        self.pipeline = make_pipeline(settings)
        self.objects, self.answered, self.tallies = {}, [], []
        prefix = "logs/" + "".join(f"{name}=!{{partitionKeyFromLambda:{name}}}/" for name in self.names)
        config = StreamConfig(
            name="shop-dev-web",
            arn=ARN,
            source=kinesis and KinesisSource(KINESIS, start="TRIM_HORIZON"),
            processor=LambdaProcessor("arn:function", hints=BufferHints(size_bytes=1024 * 1024, interval_seconds=60)),
            destination=S3Destination(
                bucket="sluice-logs",
                prefix=prefix,
                error_prefix="failed/!{firehose:error-output-type}/",
                partitioned=bool(self.names),
                hints=BufferHints(size_bytes=64 * 1024 * 1024, interval_seconds=60),
            ),
        )
        self.clock = ManualClock()
        self.firehose = Firehose(
            [config], invoke=self.invoke, put_object=self.put_object, shards=kinesis, clock=self.clock
        )

    def invoke(self, _, payload):
        event = json.loads(payload)
        clients = Clients(firehose=lambda _: LocalClient(self.firehose), kinesis=lambda _: self.kinesis)
        stream = find_stream(event, clients=clients)
        resender = Resender(stream=stream, key=lambda: b"k", names=self.names, pause=self.clock.advance)
        response, tally = transform_batch(event, pipeline=self.pipeline, now=NOW, resender=resender)
        self.answered += [base64.b64decode(answer.get("data", "")).decode() for answer in response["records"]]
        self.tallies.append(tally.counts)
        return json.dumps(response).encode()

    def put_object(self, *, key, body, **_):
        self.objects[key] = body

    def documents(self):
        return [json.loads(line) for body in self.objects.values() for line in body.splitlines()]

    def balance(self):
        """The account of all invocations: no line is unaccounted for, and what was sent came back."""
        assert [each.unaccounted for each in self.tallies] == [0] * len(self.tallies)
        sums = Counter()
        for each in self.tallies:
            sums.update(lines=each.lines, documents=each.documents, resent=each.resent, returned=each.returned)
        assert sums["resent"] == sums["returned"]
        return sums


LINES = [
    json.dumps({"log": f"line {number}", "service": ("web", "shop", "x/../y", None)[number * 5 // 3 % 4]})
    for number in range(1201)
]


def in_own_folders(run):
    """Every document lies where its own field says, told another way; give how many lie where."""
    found = Counter()
    for key, body in run.objects.items():
        for line in body.splitlines():
            said = json.loads(line)["attributes"].get("service")
            expected = said if said in ("web", "shop") else "other" if said else "none"
            assert FOLDER.match(key)[1] == expected
            found[expected] += 1
    return found


def test_packed_record_reaches_a_destination_one_document_to_a_record():
    """1,201 lines in one record, 1,201 records out."""
    run = Run(EACH)
    run.firehose.put("shop-dev-web", ["\n".join(LINES).encode()])
    assert run.firehose.drain()
    assert sorted(json.loads(answer)["body"] for answer in run.answered) == sorted(
        json.loads(line)["log"] for line in LINES
    )
    assert all(answer.count("\n") == 1 for answer in run.answered)
    assert all(key.startswith("logs/") for key in run.objects)
    counts = run.firehose.counts()["shop-dev-web"]
    assert (counts.delivered, counts.failed, counts.dropped) == (1201, {}, 0)
    assert run.balance()["resent"] == 1200


def test_packed_record_reaches_a_folder_for_each_of_its_keys_and_stays_packed():
    """1,201 lines in one record, four groups: four records out, each whole in its folder."""
    run = Run(FOLDERS)
    run.firehose.put("shop-dev-web", ["\n".join(LINES).encode()])
    assert run.firehose.drain()
    assert set(in_own_folders(run)) == {"web", "shop", "other", "none"}
    assert sorted(each["body"] for each in run.documents()) == sorted(json.loads(line)["log"] for line in LINES)
    counts = run.firehose.counts()["shop-dev-web"]
    assert (counts.delivered, counts.failed, counts.dropped) == (4, {}, 0)
    assert run.balance()["documents"] == 1201


class Kinesis:
    """A data stream of some shards: PutRecords as boto3 calls it, and what the local Firehose reads it by.

    Each of its first calls refuses the records at the `refused` positions, as a shard that is too busy does.
    """

    def __init__(self, *, shards=3, refused=()):
        self.records = [[] for _ in range(shards)]
        self.refused = list(refused)

    def put_records(self, *, StreamName, Records):  # noqa: N803 - boto3's own
        assert StreamName == "shop-dev-web"
        assert len(Records) <= 500
        assert sum(len(each["Data"]) + len(each["PartitionKey"]) for each in Records) <= 5 * 1024 * 1024
        refused = self.refused.pop(0) if self.refused else ()
        answers = []
        for position, record in enumerate(Records):
            if position in refused:
                answers.append({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate"})
                continue
            shard = int(md5(record["PartitionKey"].encode()).hexdigest(), 16) * len(self.records) >> 128
            self.put(record["Data"], shard=shard)
            answers.append({"SequenceNumber": "1", "ShardId": str(shard)})
        return {"FailedRecordCount": len(refused), "Records": answers}

    def put(self, data, *, shard=0):
        here = self.records[shard]
        here.append(KinesisRecord(f"{shard + 1}{len(here):010d}", "key", data, 1_795_228_590_123))

    def shards(self, stream_arn):
        assert stream_arn == KINESIS
        return [Shard(str(number)) for number in range(len(self.records))]

    def iterator(self, stream_arn, shard_id, *, after, since):  # noqa: ARG002 - the reader's signature
        return f"{shard_id}/{0 if after is None else int(after[-10:]) + 1}"

    def read(self, iterator):
        shard, at = map(int, iterator.split("/"))
        records = self.records[shard][at:]
        return Page(records, f"{shard}/{at + len(records)}", 0)


@pytest.mark.parametrize(("settings", "records"), [(EACH, 1201), (FOLDERS, 4)], ids=["one each", "folders"])
@pytest.mark.parametrize("refused", [(), ({0, 1, 499}, {0})], ids=["quiet", "busy"])
def test_where_firehose_reads_a_data_stream_what_is_sent_once_more_goes_there(settings, records, refused):
    kinesis = Kinesis(refused=[{each for each in some if each < records - 1} for some in refused])
    kinesis.put("\n".join(LINES).encode())
    run = Run(settings, kinesis=kinesis)
    for _ in range(2):  # what the function puts into the data stream while the first drains is read by the second
        assert run.firehose.drain()
        run.clock.advance(1)
    assert sorted(each["body"] for each in run.documents()) == sorted(json.loads(line)["log"] for line in LINES)
    assert run.balance()["documents"] == 1201
    counts = run.firehose.counts()["shop-dev-web"]
    assert (counts.delivered, counts.failed, counts.dropped) == (records, {}, 0)
    assert records < 100 or all(kinesis.records), "chance spreads them over all shards"
    if settings.partition_by:
        assert set(in_own_folders(run)) == {"web", "shop", "other", "none"}
