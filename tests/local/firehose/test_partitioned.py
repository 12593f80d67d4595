import json
from datetime import UTC, datetime

import pytest

from local.firehose import BufferHints

NAME = "sluice-test-web"
PREFIX = "logs/tenant=!{partitionKeyFromLambda:tenant}/hour=!{timestamp:HH}/"
TAKES_ALL = BufferHints(size_bytes=3 * 1024 * 1024, interval_seconds=0)


def answer_with(keys):
    """A transformer that answers every record with `keys(data)` as its partition keys."""

    def respond(event):
        return {
            "records": [
                {"recordId": each["recordId"], "result": "Ok", "data": each["data"], **metadata(keys, each)}
                for each in event["records"]
            ]
        }

    def metadata(keys, each):
        found = keys(each["data"])
        return {} if found is None else {"metadata": {"partitionKeys": found}}

    return respond


@pytest.fixture
def partitioned(firehose, stream, function):
    def build(keys, **destination):
        function.respond = answer_with(keys)
        settings = {"prefix": PREFIX, "hints": BufferHints(size_bytes=100, interval_seconds=60), **destination}
        return firehose(stream(batch=TAKES_ALL, partitioned=True, **settings))

    return build


def by_folder(bucket) -> dict[str, list[bytes]]:
    folders: dict[str, list[bytes]] = {}
    for key, body in bucket.objects.items():
        folders.setdefault(key.rpartition("/")[0], []).append(body)
    return folders


TENANTS = {"YQ==": {"tenant": "one"}, "Yg==": {"tenant": "two"}, "Yw==": {"tenant": "one"}}


def test_a_record_goes_to_the_folder_of_its_keys_and_hour(partitioned, bucket, clock):
    hour = f"{datetime.fromtimestamp(clock.now(), UTC):%H}"
    running = partitioned(TENANTS.get)
    running.put(NAME, [b"a", b"b", b"c"])
    running.drain()
    assert by_folder(bucket) == {f"logs/tenant=one/hour={hour}": [b"ac"], f"logs/tenant=two/hour={hour}": [b"b"]}


def test_each_partition_has_a_buffer_of_its_own(partitioned, bucket, clock):
    running = partitioned(lambda data: {"tenant": "one" if data.startswith("eHh4") else "two"})
    running.put(NAME, [b"x" * 60, b"b"])
    running.work()
    assert bucket.objects == {}
    clock.advance(59)
    running.put(NAME, [b"x" * 40])
    running.work()
    assert list(by_folder(bucket).values()) == [[b"x" * 100]], "full by its own size"
    clock.advance(1)
    running.work()
    assert [b"b"] in by_folder(bucket).values(), "due by its own first record"


def test_a_new_hour_is_a_new_partition(partitioned, bucket, clock):
    running = partitioned(lambda _data: {"tenant": "one"})
    running.put(NAME, [b"a"])
    running.work()
    clock.advance(3600)
    running.put(NAME, [b"b"])
    running.drain()
    assert sorted(by_folder(bucket).values()) == [[b"a"], [b"b"]]


@pytest.mark.parametrize(
    "keys",
    [None, {}, {"other": "x"}, {"tenant": ""}, {"tenant": None}, {"tenant": ["a"]}, "one", {"tenant": "x" * 600}],
    ids=["no metadata", "no keys", "another key", "empty", "null", "a list", "no object", "too long"],
)
def test_a_record_without_its_keys_goes_to_the_error_output(partitioned, bucket, keys):
    running = partitioned(lambda _data: keys)
    running.put(NAME, [b"a"])
    running.drain()

    ((key, body),) = bucket.objects.items()
    assert key.startswith("failed/partitioning-failed/")
    line = json.loads(body)
    assert (line["errorCode"], line["rawData"], line["attemptsMade"]) == (
        "DynamicPartitioning.MetadataExtractionFailed",
        "YQ==",
        1,
    )
    if keys != {"tenant": "x" * 600}:
        assert line["errorMessage"] == "partitionKeys values must not be null or empty"
    counts = running.counts()[NAME]
    assert (counts.delivered, counts.pending) == (0, 0)
    assert counts.failed == {"DynamicPartitioning.MetadataExtractionFailed": 1}


@pytest.mark.parametrize(("value", "folder"), [(7, "7"), (1.5, "1.5"), (True, "true")])
def test_a_key_may_be_a_number_or_a_boolean(partitioned, bucket, value, folder):
    running = partitioned(lambda _data: {"tenant": value})
    running.put(NAME, [b"a"])
    running.drain()
    (key,) = bucket.objects
    assert key.startswith(f"logs/tenant={folder}/")


def test_a_key_that_looks_like_an_expression_is_a_name(partitioned, bucket):
    running = partitioned(lambda _data: {"tenant": "!{timestamp:yyyy}!{firehose:random-string}"})
    running.put(NAME, [b"a", b"b"])
    running.drain()
    ((key, body),) = bucket.objects.items()
    assert key.startswith("logs/tenant=!{timestamp:yyyy}!{firehose:random-string}/")
    assert body == b"ab"


def test_500_partitions_are_open_at_a_time_and_not_one_more(partitioned, bucket, clock):
    running = partitioned(lambda data: {"tenant": data})
    running.put(NAME, [b"%d" % number for number in range(500)])
    running.put(NAME, [b"500"])
    running.put(NAME, [b"0"])
    running.work()
    clock.advance(60)
    running.work()

    assert len(by_folder(bucket)) == 501
    ((key, body),) = ((key, body) for key, body in bucket.objects.items() if key.startswith("failed/"))
    assert key.startswith("failed/activePartitionExceeded/")
    line = json.loads(body)
    assert line["errorMessage"] == "The number of active partitions has exceeded the configured limit"
    counts = running.counts()[NAME]
    assert (counts.delivered, counts.failed) == (501, {"DynamicPartitioning.ActivePartitionsLimitExceeded": 1})

    running.put(NAME, [b"500"])
    running.drain()
    assert running.counts()[NAME].delivered == 502, "what was written made room"


def test_a_partition_that_s3_refuses_stays_open(partitioned, bucket, clock):
    bucket.refusals = 1_000_000
    running = partitioned(lambda data: {"tenant": data})
    running.put(NAME, [b"%d" % number for number in range(500)])
    running.work()
    clock.advance(60)
    running.work()
    running.put(NAME, [b"500"])
    running.work()
    bucket.refusals = 0
    clock.advance(60)
    running.drain()
    assert running.counts()[NAME].failed == {"DynamicPartitioning.ActivePartitionsLimitExceeded": 1}


def test_failures_of_the_function_and_of_partitions_lie_apart(partitioned, function, bucket):
    running = partitioned(None)
    function.respond = lambda event: {
        "records": [
            {"recordId": each["recordId"], "result": "Ok" if each["data"] == "YQ==" else "ProcessingFailed", "data": ""}
            for each in event["records"]
        ]
    }
    running.put(NAME, [b"a", b"b"])
    running.drain()
    assert sorted(key.split("/")[1] for key in bucket.objects) == ["partitioning-failed", "processing-failed"]
