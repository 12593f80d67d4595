import gzip
from datetime import timedelta

import duckdb
import pytest

from query import objects
from query.documents import Question, UnreachableError, merge
from query.language import parse
from query.objects import hours
from query.times import TimeRange
from tests.query.stage import BUCKET, NOW, at_ns, bucket_of, document, put_object, stored

HOUR = TimeRange(at_ns("2026-11-21T11:20:00Z"), at_ns("2026-11-21T11:40:00Z"))


@pytest.fixture(autouse=True)
def emptied(s3):
    yield
    for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=found["Key"])


def asked(text="", **options):
    return Question(query=parse(text), range=HOUR, **options)


def bodies(backend, question):
    return [found.document["body"] for found in merge([backend], question)]


def test_the_hours_are_those_of_the_time_and_of_what_may_arrive_later():
    late = timedelta(hours=2)
    assert [hour[-8:-1] for hour in hours(HOUR, now_ns=at_ns("2026-11-25T00:00:00Z"), late=late)] == [
        "hour=11",
        "hour=12",
        "hour=13",
    ]
    assert [hour[-8:-1] for hour in hours(HOUR, now_ns=at_ns(NOW), late=late)] == ["hour=11", "hour=12"]
    # A quarter of an hour before, an older record may have opened the object.
    early = TimeRange(at_ns("2026-11-21T00:05:00Z"), at_ns("2026-11-21T00:06:00Z"))
    assert next(hours(early, now_ns=at_ns(NOW), late=late)) == "year=2026/month=11/day=20/hour=23/"


def test_only_objects_of_those_hours_and_routes_are_read(s3):
    put_object(s3, document("in time"), document("too early", time="2026-11-21T11:19:59.999999999Z"))
    put_object(s3, document("late"), hour="2026/11/21/12")
    put_object(s3, document("too late"), hour="2026/11/21/13")
    put_object(s3, document("before"), hour="2026/11/21/10")
    put_object(s3, document("another's"), route="shopping")
    there = stored(s3, now="2026-11-25T00:00:00Z", late_hours=1)
    assert sorted(bodies(there, asked())) == ["in time", "late"]


def test_partitions_are_found_by_looking(s3):
    for tenant in ("a", "b'; DROP TABLE x; --"):
        put_object(s3, document(tenant), inside=f"tenant={tenant}/level=info/")
    there = stored(s3, keys=2)
    assert sorted(bodies(there, asked())) == ["a", "b'; DROP TABLE x; --"]
    assert there.census(asked()).newest == "2026-11-21 11:00 UTC"


def test_keys_and_values_are_never_sql(s3):
    key = "x'), (SELECT 1); ATTACH '[a-z]*.gz"
    put_object(s3, document("a'); DROP TABLE x; --"), document("b $v0 {} ? "), name=key)
    assert bodies(stored(s3), asked('"\'); DROP TABLE x"')) == ["a'); DROP TABLE x; --"]
    assert bodies(stored(s3), asked('"$v0 {} ?"')) == ["b $v0 {} ? "]
    assert bodies(stored(s3), asked('"%\' OR 1=1"')) == []


def test_a_value_without_letters_or_digits_narrows_nothing_and_fails_nothing(s3):
    put_object(s3, document("first", mark="o-1"), document("second", mark="—"))
    assert sorted(bodies(stored(s3), asked('mark:(o-1,"—")'))) == ["first", "second"]
    assert bodies(stored(s3), asked('second mark:(o-1,"—")')) == ["second"]


def test_more_than_the_limit_is_not_read(s3):
    put_object(s3, document("x"))
    with pytest.raises(UnreachableError, match=r"1 objects of 0.00 GiB .* raise --scan-limit"):
        bodies(stored(s3, scan_limit=10), asked())


def test_what_cannot_be_read_is_left_out_and_told(s3):
    put_object(s3, document("good"))
    whole = gzip.compress(b"x" * 1000)
    s3.put_object(Bucket=BUCKET, Key="logs/route=shop/year=2026/month=11/day=21/hour=11/cut.gz", Body=whole[:-10])
    s3.put_object(Bucket=BUCKET, Key="logs/route=shop/year=2026/month=11/day=21/hour=11/empty.gz", Body=b"")
    lines = gzip.compress(b'no json\n[1]\n\n{"a": \xff}\n{"@timestamp": 5}\n')
    s3.put_object(Bucket=BUCKET, Key="logs/route=shop/year=2026/month=11/day=21/hour=11/odd.gz", Body=lines)
    there = stored(s3)
    assert bodies(there, asked()) == ["good"]
    assert there.notes.told == ["1 of 3 objects could not be read, and are left out"]


def test_objects_without_gzip_and_in_parquet_are_read_the_same(s3, tmp_path):
    told = document("one", level="error", service="web", order_id="o-1", size=5)
    file = tmp_path / "x.parquet"
    duckdb.sql(
        "SELECT '2026-11-21T11:30:00.000000000Z' AS event_time, '2026-11-21T11:30:01.000000000Z' AS observedtimestamp, "
        "{'text': 'ERROR', 'number': 17} AS severity, NULL::VARCHAR AS traceid, 'web.a' AS tag, 'e2' AS event_id, "
        """'{"service":{"name":"web"}}' AS resource, 'two' AS body, '{"order_id":"o-1","a.b":5}' AS attributes"""
    ).write_parquet(str(file))
    folder = "logs/route=shop/year=2026/month=11/day=21/hour=11/"
    s3.put_object(Bucket=BUCKET, Key=folder + "a", Body=file.read_bytes())
    s3.put_object(Bucket=BUCKET, Key=folder + "b", Body=str(told).replace("'", '"').encode())
    put_object(s3, document("three"))
    there = stored(s3)
    assert sorted(bodies(there, asked("error service:web order_id:o-*"))) == ["one", "two"]
    (found,) = merge([there], asked("a.b>4"))
    assert found.document == {
        "@timestamp": "2026-11-21T11:30:00.000000000Z",
        "observedTimestamp": "2026-11-21T11:30:01.000000000Z",
        "severity": {"text": "ERROR", "number": 17},
        "tag": "web.a",
        "event_id": "e2",
        "resource": {"service": {"name": "web"}},
        "body": "two",
        "attributes": {"order_id": "o-1", "a.b": 5},
    }
    assert there.census(asked()).documents == 3


def test_an_answer_that_the_first_look_leaves_short_is_completed(s3, monkeypatch):
    monkeypatch.setattr("query.lines._FIRST_PAGE", 4)
    # Each line has both words; one in ten has them in this order.
    lines = [document("b a" if number % 10 else "a b", event_id=f"{number:032x}") for number in range(100)]
    put_object(s3, *lines)
    assert len(bodies(stored(s3), asked('"a b"', limit=7))) == 7
    assert len(bodies(stored(s3), asked('"a b"', limit=None))) == 10


def test_duckdb_reads_nothing_but_the_copies(s3):
    put_object(s3, document("x"))
    there = stored(s3)
    assert bodies(there, asked()) == ["x"]
    (lines,) = there._lines.values()
    with pytest.raises(duckdb.PermissionException):
        lines._duckdb().execute("SELECT * FROM read_text('/etc/hostname')")
    copies = lines._folder
    there.close()
    assert not copies.exists()


def test_a_bucket_that_is_not_there_is_told(s3):
    there = objects.StoredBackend(
        objects.Bucket(s3, bucket="no-such-bucket", routes=[objects.StoredRoute(name="a", prefix="a/")]),
        now_ns=at_ns(NOW),
    )
    with pytest.raises(UnreachableError, match="s3://no-such-bucket cannot be read"):
        bodies(there, asked())
    assert bucket_of(s3).newest_hour() is None
