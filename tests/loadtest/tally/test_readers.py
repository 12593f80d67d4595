"""What lies in a place is given to the tally once, as what it is."""

import gzip
import io
import json
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws

from loadtest.tally.readers import (
    BucketObjects,
    FolderObjects,
    Found,
    ObjectReader,
    UnreadableObjectError,
    blocks,
    read_into,
)
from loadtest.tally.search import SearchReader
from loadtest.tally.streams import StreamReader

BUCKET = "shop-logs"


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


@pytest.fixture
def s3(aws):
    client = aws("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def put(s3, key, data=b"{}\n"):
    s3.put_object(Bucket=BUCKET, Key=key, Body=data)


def seen(reader):
    return [(found.route, found.failed, b"".join(found.lines)) for found in reader.poll()]


def test_objects_are_read_once_and_say_what_they_are(s3):
    reader = ObjectReader(BucketObjects(s3, bucket=BUCKET))
    put(s3, "logs/route=web/year=2026/a.gz", gzip.compress(b"1\n") + gzip.compress(b"2\n"))
    put(s3, "failed/route=web/reason=processing-failed/b", b"3")
    put(s3, "failed/other", b"4\n")
    put(s3, "oversize/route=web/c", b"5\n")
    first = [("web", None, b"1\n2\n"), (None, "unknown", b"4\n"), ("web", "processing-failed", b"3")]
    assert seen(reader) == first
    assert seen(reader) == []
    put(s3, "logs/route=api/d", b"6\n")
    assert seen(reader) == [("api", None, b"6\n")]


def test_an_object_that_was_not_read_to_its_end_is_given_again(s3):
    reader = ObjectReader(BucketObjects(s3, bucket=BUCKET))
    put(s3, "logs/a")
    next(iter(reader.poll()))
    assert len(seen(reader)) == 1


def test_an_object_is_readable_when_it_is_read_or_when_it_was_written(s3):
    put(s3, "logs/a")
    written = s3.head_object(Bucket=BUCKET, Key="logs/a")["LastModified"].timestamp()
    [now] = ObjectReader(BucketObjects(s3, bucket=BUCKET), clock=lambda: 12.0).poll()
    [later] = ObjectReader(BucketObjects(s3, bucket=BUCKET), modified=True).poll()
    assert (now.readable_at, later.readable_at) == (12.0, written)


def test_folders_of_earlier_hours_are_not_even_listed(s3):
    at = datetime(2026, 3, 1, 0, 20, tzinfo=UTC)
    before = [
        "year=2025/month=12/day=31/hour=23",
        "year=2026/month=02/day=27/hour=23",
        "year=2026/month=02/day=28/hour=22",
    ]
    after = [
        "year=2026/month=02/day=28/hour=23",
        "year=2026/month=03/day=01/hour=00",
        "year=2027/month=01/day=01/hour=00",
    ]
    for hour in before + after:
        put(s3, f"logs/route=web/service=orders/{hour}/a")
        put(s3, f"failed/route=web/reason=processing-failed/{hour}/a")
    asked = []
    s3.meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: asked.append(params["Prefix"])
    )
    found = [each.key for each in BucketObjects(s3, bucket=BUCKET, since=at.timestamp()).list()]
    assert found == [
        *(f"logs/route=web/service=orders/{hour}/a" for hour in after),
        *(f"failed/route=web/reason=processing-failed/{hour}/a" for hour in after),
    ]
    assert not any(hour in prefix for hour in before for prefix in asked)
    assert not any("year=2025" in prefix for prefix in asked)


def test_a_listing_of_many_pages_is_read_to_its_end(s3):
    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=2))
    for number in range(5):
        put(s3, f"logs/route=web/year=2026/month=03/day=01/hour=0{number}/a")
    objects = BucketObjects(s3, bucket=BUCKET, since=datetime(2026, 3, 1, tzinfo=UTC).timestamp())
    assert len(list(objects.list())) == 5


def test_a_folder_is_read_as_a_bucket_is(tmp_path):
    def write(key, data):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(data)

    reader = ObjectReader(FolderObjects(tmp_path))
    write("logs/route=web/a.gz", gzip.compress(b"1\n"))
    write("failed/route=web/reason=x/b", b"2\n")
    write("reasons/route=web/c", b"3\n")
    assert seen(reader) == [("web", "x", b"2\n"), ("web", None, b"1\n")]
    write("plain.jsonl", b"4")
    assert seen(reader) == [(None, None, b"4")]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize("packed", [False, True])
def test_blocks_are_whole_lines(size, packed):
    data = b"one\ntwo\n\nthree and more\nfour"
    body = io.BytesIO(gzip.compress(data) if packed else data)
    found = list(blocks("a", body, size=size))
    assert b"".join(found) == data
    assert all(block.endswith(b"\n") for block in found[:-1])
    assert found[-1].endswith(b"four")
    assert body.closed


def test_an_object_that_is_cut_off_stops_the_account_and_is_named():
    whole = gzip.compress(b"".join(b"%d\n" % number for number in range(9999)))
    with pytest.raises(UnreadableObjectError, match="logs/a cannot be read to its end"):
        list(blocks("logs/a", io.BytesIO(whole[:-20])))


def test_what_is_found_is_delivered_failed_or_counted(run):
    class Place:
        def poll(self):
            yield Found("frontend", 1_800_000_001.0, None, iter([line(0, 0), line(0, 1)]))
            yield Found("frontend", 1_800_000_002.0, None, iter([run.text(0, 2).encode()]), raw=True)
            yield Found("backend", 1_800_000_003.0, "processing-failed", iter([b'{"rawData": "!"}']))

    def line(*message):
        return json.dumps(run.document(*message)).encode() + b"\n"

    assert read_into(run.tally, [Place(), Place()]) == 6
    result = run.close()
    assert (result.total.delivered, result.total.duplicated, result.unreadable) == (3, 3, 2)
    assert result.total.misrouted == 0


def test_a_stream_is_read_from_a_time_on_in_all_its_shards(aws, run):
    client = aws("kinesis")
    client.create_stream(StreamName="logs", ShardCount=2)

    def send(*numbers):
        for number in numbers:
            client.put_record(StreamName="logs", Data=run.text(0, number).encode(), PartitionKey=str(number))

    reader = StreamReader(client, stream="logs", route="frontend", since=0, clock=lambda: 1_800_000_001.0)
    send(*range(8))
    assert read_into(run.tally, [reader]) == 2
    assert run.tally.delivered == 8
    assert read_into(run.tally, [reader]) == 0
    send(8, 9)
    read_into(run.tally, [reader])
    read_into(run.tally, [StreamReader(client, stream="logs", route="frontend", since=4e9)])
    result = run.close()
    assert (result.total.delivered, result.total.duplicated, result.total.misrouted) == (10, 0, 0)


def test_a_streams_records_are_readable_when_they_arrived_for_who_comes_later(aws):
    client = aws("kinesis")
    client.create_stream(StreamName="logs", ShardCount=1)
    client.put_record(StreamName="logs", Data=b"one", PartitionKey="a")
    [found] = StreamReader(client, stream="logs", route=None, since=0, modified=True, clock=lambda: 1.0).poll()
    assert abs(found.readable_at - datetime.now(UTC).timestamp()) < 60
    assert (found.raw, list(found.lines)) == (True, [b"one"])


class Search:
    """An OpenSearch of one shard for each index, as far as a reader asks."""

    def __init__(self, indices):
        self._indices, self.cat = indices, self

    def shards(self, **_):
        return [{"index": name, "shard": "0", "prirep": "p", "state": "STARTED"} for name in self._indices]

    def search(self, *, index, body, **_):
        after = body["query"]["bool"]["filter"][0]["range"]["_seq_no"]["gt"]
        hits = [
            {"_source": each, "sort": [number]} for number, each in enumerate(self._indices[index]) if number > after
        ]
        return {"hits": {"hits": hits[: body["size"]]}}


def test_documents_of_a_search_are_read_back_into_their_form(run):
    kept = run.document(0, 1) | {"numbers": {"n": 1}, "body": "", "overflow": [{"at": "/body", "text": run.text(0, 1)}]}
    wide = run.document(0, 2, attributes={"n": 10**30})
    indices = {"shop-dev-frontend-2026-11-21": [run.document(0, 0), kept], "shop-dev-frontend-000001": [wide]}
    reader = SearchReader(Search(indices), prefix="shop-dev")
    assert [found.route for found in reader.poll()] == ["frontend", "frontend"]
    indices["shop-dev-frontend-000001"].append(run.document(2, 3))
    read_into(run.tally, [reader, SearchReader(Search(indices), prefix="shop-dev")])
    result = run.close()
    assert (result.total.delivered, result.total.altered, result.total.duplicated) == (4, 0, 1)
    assert [load.misrouted for load in result.loads] == [0, 1]
