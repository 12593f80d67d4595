import pytest

from query.following import FollowedObjects, FollowedSearch
from query.language import parse
from query.times import SECOND_NS
from tests.query.stage import BUCKET, at_ns, bucket_of, datetime_of, document, put_object

START = at_ns("2026-11-21T11:30:00Z")


def at(seconds):
    from query.times import timestamp  # noqa: PLC0415

    return timestamp(START + int(seconds * SECOND_NS))


def told(followed, seconds):
    return [found.document["body"] for found in followed.poll(START + int(seconds * SECOND_NS))]


def seen(body, seconds, **options):
    return document(body, time=at(seconds), **options)


def test_each_document_is_shown_once_and_late_ones_when_they_come(indices):
    followed = FollowedSearch(indices.backend(), parse("-noise"), start_ns=START)
    indices.put(seen("before", -10), seen("b", 21), seen("a", 20), seen("noise", 20))
    assert told(followed, 30) == ["a", "b"]
    assert told(followed, 32) == []
    indices.put(seen("late", 3), seen("beside", 20.5), seen("c", 40), index="2026-11-22")
    assert told(followed, 45) == ["late", "beside", "c"]
    assert told(followed, 46) == []


def test_what_comes_twice_is_shown_once_however_late(indices):
    followed = FollowedSearch(indices.backend(), parse(""), start_ns=START)
    twice = seen("a", 1)
    indices.put(twice, twice)
    assert told(followed, 5) == ["a"]
    indices.put(twice)
    assert told(followed, 500) == []


def test_only_intervals_that_grew_are_read_again(indices, monkeypatch):
    backend = indices.backend()
    followed = FollowedSearch(backend, parse(""), start_ns=START)
    indices.put(*(seen(str(number), number) for number in range(60)))
    assert len(told(followed, 60)) == 60
    read = []
    pages = backend.pages

    def counted(*arguments, **options):
        for hits in pages(*arguments, **options):
            read.extend(hits)
            yield hits

    monkeypatch.setattr(backend, "pages", counted)
    indices.put(seen("x", 31.5))
    assert told(followed, 61) == ["x"]
    assert len(read) == 6


def test_what_is_older_than_the_window_is_forgotten_and_not_shown(indices):
    followed = FollowedSearch(indices.backend(), parse(""), start_ns=START)
    indices.put(seen("a", 1), seen("b", 300))
    assert told(followed, 301) == ["a", "b"]
    assert told(followed, 700) == []
    assert sum(map(len, followed._shown.values())) == 1
    indices.put(seen("too late", 2), seen("in time", 302))
    assert told(followed, 701) == ["in time"]


def test_memory_is_bounded_and_says_so(indices):
    followed = FollowedSearch(indices.backend(), parse(""), start_ns=START, most_remembered=10)
    indices.put(*(seen(str(number), number) for number in range(30)))
    assert len(told(followed, 30)) == 30
    assert sum(map(len, followed._shown.values())) <= 10
    assert "more documents come than can be remembered" in followed.notes.told[0]
    assert told(followed, 31) == []


@pytest.fixture
def written(s3, monkeypatch):
    """Objects get the time of writing that a test says, since the fake bucket knows only the real one."""
    from query import objects  # noqa: PLC0415

    times: dict[str, str] = {}
    listed = objects.Bucket._listed

    def dated(self, prefix):
        for found in listed(self, prefix):
            yield objects.StoredObject(found.key, found.size, datetime_of(times[found.key]))

    monkeypatch.setattr(objects.Bucket, "_listed", dated)

    def write(*documents, seconds, hour="2026/11/21/11"):
        times[put_object(s3, *documents, hour=hour, route="followed")] = at(seconds)

    yield write
    for key in times:
        s3.delete_object(Bucket=BUCKET, Key=key)


def test_objects_are_read_once_when_they_are_written(s3, written):
    followed = FollowedObjects(bucket_of(s3, "followed"), parse("-noise"), start_ns=START)
    written(seen("before", 5), seconds=-10)
    again = seen("a", 1)
    written(seen("b", 2), again, seen("noise", 3), seconds=10)
    assert told(followed, 20) == ["a", "b"]
    assert told(followed, 21) == []
    # An object opened in the last hour, and a document that was there already.
    written(seen("c", 30), again, seconds=40, hour="2026/11/21/10")
    written(seen("d", 1900), seconds=1950, hour="2026/11/21/12")
    assert told(followed, 50) == []
    assert told(followed, 1960) == ["d"]


def test_remembered_ids_of_objects_are_bounded(s3, written):
    followed = FollowedObjects(bucket_of(s3, "followed"), parse(""), start_ns=START, most_remembered=3)
    written(*(seen(str(number), number) for number in range(9)), seconds=10)
    assert len(told(followed, 20)) == 9
    assert len(followed._shown) == 3
