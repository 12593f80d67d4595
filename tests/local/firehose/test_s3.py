import re
from datetime import UTC, datetime

import pytest

from local.firehose import BufferHints

NAME = "sluice-test-web"


@pytest.fixture
def untransformed(firehose, stream):
    """A Firehose without a transformer, so that only the S3 buffer delays."""

    def build(**destination):
        hints = BufferHints(size_bytes=100, interval_seconds=300)
        return firehose(stream(batch=None, **{"hints": hints, **destination}))

    return build


def test_an_object_is_written_when_its_size_is_reached_not_one_byte_before(untransformed, bucket):
    running = untransformed()
    running.put(NAME, [b"x" * 99])
    running.work()
    assert bucket.objects == {}

    running.put(NAME, [b"y", b"z"])
    running.work()
    assert bucket.bodies("") == [b"x" * 99 + b"y"]
    assert running.counts()[NAME].pending == 1


def test_an_object_is_written_when_its_first_record_has_waited(untransformed, bucket, clock):
    running = untransformed()
    running.put(NAME, [b"a"])
    running.work()
    clock.advance(299)
    running.put(NAME, [b"b"])
    running.work()
    assert bucket.objects == {}

    clock.advance(1)
    running.work()
    assert bucket.bodies("") == [b"ab"]


def test_without_buffering_a_record_is_written_at_once(untransformed, bucket):
    running = untransformed(hints=BufferHints(size_bytes=100, interval_seconds=0))
    running.put(NAME, [b"a"])
    running.work()
    assert bucket.bodies("") == [b"a"]


def test_the_transformed_bytes_fill_the_buffer(firehose, stream, function, bucket):
    function.respond = lambda event: function.answer(event, data="eHh4eHh4eHh4eA==")  # ten x for each record
    batch = BufferHints(size_bytes=1, interval_seconds=60)
    running = firehose(stream(batch=batch, hints=BufferHints(size_bytes=20, interval_seconds=300)))
    running.put(NAME, [b"1", b"2", b"3"])
    running.work()
    assert bucket.bodies("") == [b"x" * 20]


def test_the_name_has_the_time_of_the_oldest_record_not_of_writing(untransformed, bucket, clock):
    arrived = datetime.fromtimestamp(clock.now(), UTC)
    running = untransformed(prefix="logs/!{timestamp:yyyy/MM/dd/HH}/")
    running.put(NAME, [b"oldest"])
    clock.advance(7200)
    running.put(NAME, [b"newest"])
    running.drain()

    (key,) = bucket.objects
    assert key.startswith(f"logs/{arrived:%Y/%m/%d/%H}/{NAME}-1-{arrived:%Y-%m-%d-%H-%M-%S}-")


@pytest.mark.parametrize(
    ("settings", "ending", "encoding"),
    [
        ({"compression": "UNCOMPRESSED"}, r"[0-9a-f]{12}", None),
        ({"compression": "GZIP"}, r"[0-9a-f]{12}\.gz", "gzip"),
        ({"compression": "GZIP", "file_extension": ".json.gz"}, r"[0-9a-f]{12}\.json\.gz", "gzip"),
    ],
)
def test_compression_and_extension(untransformed, bucket, settings, ending, encoding):
    running = untransformed(**settings)
    running.put(NAME, [b"a\n", b"b\n"])
    running.drain()

    (key,) = bucket.objects
    assert re.search(ending + "$", key)
    assert bucket.encodings[key] == encoding
    assert bucket.delivered() == b"a\nb\n"


def test_a_delimiter_stands_between_records_only(untransformed, bucket):
    running = untransformed(delimiter=b"\n")
    running.put(NAME, [b"a", b"b"])
    running.drain()
    assert bucket.delivered() == b"a\nb"


def test_the_default_prefix_is_the_hour(untransformed, bucket, clock):
    running = untransformed(prefix="", error_prefix="")
    running.put(NAME, [b"a"])
    running.drain()
    (key,) = bucket.objects
    assert key.startswith(f"{datetime.fromtimestamp(clock.now(), UTC):%Y/%m/%d/%H/}{NAME}-1-")


def test_failed_records_get_objects_of_their_own_under_the_reason(firehose, stream, function, bucket):
    def answer_by_content(event):
        results = {"b2s=": "Ok", "bm8=": "ProcessingFailed"}
        return {
            "records": [
                {"recordId": each["recordId"], "result": results[each["data"]], "data": each["data"]}
                for each in event["records"]
            ]
        }

    function.respond = answer_by_content
    running = firehose(stream(compression="GZIP"))
    running.put(NAME, [b"ok", b"no", b"ok"])
    running.drain()

    assert bucket.delivered() == b"okok"
    assert [line["rawData"] for line in bucket.errors()] == ["bm8="]
    (error_key,) = (key for key in bucket.objects if key.startswith("failed/"))
    assert error_key.startswith(f"failed/processing-failed/{NAME}-1-")
    counts = running.counts()[NAME]
    assert (counts.delivered, counts.failed) == (2, {"Lambda.ProcessingFailedStatus": 1})


def test_a_write_that_fails_is_repeated_under_the_same_name_with_growing_pauses(untransformed, bucket, clock):
    bucket.refusals = 3
    began = clock.now()
    running = untransformed()
    running.put(NAME, [b"a"])
    assert running.drain()

    assert len(set(bucket.attempted)) == 1
    assert len(bucket.attempted) == 4
    assert clock.now() - began == 1 + 2 + 4
    assert bucket.delivered() == b"a"


def test_an_object_that_cannot_be_written_stays_pending_and_those_behind_it_wait(untransformed, bucket, clock):
    bucket.refusals = 1_000_000
    running = untransformed()
    running.put(NAME, [b"x" * 100, b"y" * 100, b"z"])
    assert not running.drain(timeout=3600)
    counts = running.counts()[NAME]
    assert (counts.pending, counts.delivered, counts.pending_bytes) == (3, 0, 201)

    bucket.refusals = 0
    clock.advance(30)
    running.work()
    running.drain()
    assert running.counts()[NAME].pending == 0
    assert sorted(bucket.bodies("")) == [b"x" * 100, b"y" * 100, b"z"]
