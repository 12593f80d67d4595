"""Tracers in S3: each object read once, however it is compressed and cut, up to a bound that is told."""

import gzip
import json
import time

import pytest

from loadtest.canary import objects
from loadtest.canary.judging import begin
from loadtest.canary.objects import Budget, Objects
from loadtest.canary.settings import first_of
from tests.loadtest.canary.stage import BUCKET, REST, SETTINGS, WEB, document, settings_of

DUE = 1_795_000_000_000_000_000
ONE = first_of(29_000_000)


@pytest.fixture
def reader(client):
    return Objects(client, BUCKET, run=SETTINGS.run)


def look(reader, state, budget=None, *, since=None, route=WEB):
    """Every new copy's number, and the budget."""
    now = time.time()
    budget = budget or Budget(1 << 20, lambda: True)
    new = reader.new(route, state, since=now - 60 if since is None else since, now=now)
    return [copy.marker.sequence - ONE for copy in reader.read(route, state, new, budget, share=budget.left)]


def test_a_document_is_found_with_its_id_and_the_objects_time(reader, bucket):
    before = time.time()
    bucket.deliver(WEB, {"body": "another"}, document(WEB, ONE, due=DUE, event_id="f" * 32))
    state = begin(before)
    [new] = reader.new(WEB, state, since=before - 60, now=time.time())
    [copy] = reader.read(WEB, state, [new], Budget(1 << 20, lambda: True), share=1 << 20)
    assert copy.marker == (SETTINGS.run, WEB.source, ONE, DUE)
    assert copy.event_id == "f" * 12
    assert before - 2 <= copy.readable_at <= time.time() + 1


def test_each_object_is_read_once(reader, bucket):
    state = begin(time.time())
    bucket.deliver(WEB, document(WEB, ONE, due=DUE))
    assert look(reader, state) == [0]
    bucket.deliver(WEB, document(WEB, ONE + 1, due=DUE), name="two")
    assert look(reader, state) == [1]
    assert look(reader, state) == []


def test_hour_folders_are_read_from_the_oldest_that_is_awaited_and_then_forgotten(reader, bucket):
    """The object's own time is now, as after hours in which S3 could not be written."""
    state = begin(time.time())
    then = time.time() - 2 * 3600
    bucket.deliver(WEB, document(WEB, ONE, due=DUE), at=then)
    assert look(reader, state) == []
    assert look(reader, state, since=then) == [0]
    assert len(state.read) == 1
    assert look(reader, state) == []
    assert state.read == {}


def test_what_became_readable_before_anything_was_sent_is_not_read(reader, bucket):
    bucket.deliver(WEB, document(WEB, ONE, due=DUE))
    assert look(reader, begin(time.time()), since=time.time() + 2) == []


@pytest.mark.parametrize("size", [2, 7, 64])
def test_lines_are_found_wherever_blocks_and_members_are_cut(reader, bucket, monkeypatch, size):
    monkeypatch.setattr(objects, "_READ_BYTES", size)
    lines = [json.dumps(document(WEB, ONE + at, due=DUE)).encode() + b"\n" for at in range(5)]
    whole = gzip.compress(b"x" * 50 + b"\n" + lines[0] + lines[1][:40]) + gzip.compress(lines[1][40:] + lines[2])
    bucket.deliver(WEB, raw=whole)
    bucket.deliver(WEB, raw=b"".join(lines[3:]).rstrip(b"\n"), name="plain")
    assert sorted(look(reader, begin(time.time()))) == [0, 1, 2, 3, 4]


def test_two_markers_of_a_line_are_two_and_a_foreign_line_is_none(reader, bucket):
    two = document(WEB, ONE, due=DUE) | {"also": SETTINGS.marker(WEB, ONE + 1, DUE).decode()}
    pasted = document(WEB, ONE + 2, due=DUE) | {"tag": "web-person"}
    other_route, other_run = document(REST, ONE + 3, due=DUE), settings_of(WEB, run=7)
    foreign = document(WEB, ONE + 4, due=DUE, settings=other_run)
    broken = json.dumps(document(WEB, ONE + 5, due=DUE)).encode()[:-3]
    lines = [json.dumps(each).encode() for each in (two, pasted, other_route, foreign)]
    bucket.deliver(WEB, raw=b"\n".join([*lines, broken, b'["' + SETTINGS.marker(WEB, ONE + 6, DUE) + b'"]']))
    assert look(reader, begin(time.time())) == [0, 1]


def test_what_is_beyond_the_bound_is_told_and_never_read(reader, bucket):
    state = begin(time.time())
    bucket.deliver(WEB, document(WEB, ONE, due=DUE))
    bucket.deliver(WEB, document(WEB, ONE + 1, due=DUE), name="two")
    [one, two] = reader.new(WEB, state, since=time.time() - 60, now=time.time())
    budget = Budget(one.size, lambda: True)
    assert look(reader, state, budget) == [0]
    assert (budget.read, budget.skipped) == (one.size, two.size)
    assert state.blind_until == two.at
    assert look(reader, state) == []


def test_a_share_bounds_a_route_and_time_bounds_all(reader, bucket):
    bucket.deliver(WEB, document(WEB, ONE, due=DUE))
    for budget, share in ((Budget(1 << 20, lambda: True), 1), (Budget(1 << 20, lambda: False), 1 << 20)):
        state = begin(time.time())
        new = reader.new(WEB, state, since=time.time() - 60, now=time.time())
        assert list(reader.read(WEB, state, new, budget, share=share)) == []
        assert budget.skipped == new[0].size
        assert state.blind_until > 0


@pytest.mark.parametrize("damage", [lambda data: data[:-12], lambda data: data[:40] + b"\x00" * 30 + data[70:]])
def test_an_object_that_cannot_be_read_is_told(reader, bucket, damage):
    good = gzip.compress(json.dumps([document(WEB, ONE, due=DUE), list(range(500))]).encode())
    bucket.deliver(WEB, raw=damage(good))
    state, budget = begin(time.time()), Budget(1 << 20, lambda: True)
    assert look(reader, state, budget) == []
    assert budget.skipped > 0
    assert state.blind_until > 0


def test_what_failed_is_found_by_its_data_with_its_reason(reader, bucket):
    packed = b"\n".join(json.dumps({"log": SETTINGS.marker(WEB, ONE + at, DUE).decode()}).encode() for at in (0, 1))
    bucket.fail(WEB, packed)
    bucket.fail(WEB, json.dumps(document(WEB, ONE + 2, due=DUE)).encode(), reason="AmazonOpenSearchService-failed")
    bucket.put("failed/route=web/reason=processing-failed/" + "year=2026/odd", b"no json\n[1]\n")
    budget = Budget(1 << 20, lambda: True)
    wanted = frozenset({ONE, ONE + 2, ONE + 9})
    found = reader.failed(WEB, wanted, budget, since=time.time() - 60)
    assert found == {ONE: "processing-failed", ONE + 2: "AmazonOpenSearchService-failed"}
    assert reader.failed(REST, wanted, budget, since=time.time() - 60) == {}
