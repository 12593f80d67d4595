"""A minute's tracers go once, through every route, and what was acknowledged is kept."""

import json

from loadtest.canary import sending
from loadtest.canary.sending import send
from loadtest.canary.settings import first_of
from loadtest.marker import find
from local.process import free_port
from tests.loadtest.canary.stage import BUCKET, REST, SETTINGS, WEB, settings_of
from tests.loadtest.conftest import ack

MINUTE = 29_000_000
NUMBERS = {first_of(MINUTE), first_of(MINUTE) + 1}


def to(*servers, **other):
    return settings_of(WEB, REST, ports=tuple(getattr(server, "port", server) for server in servers), **other)


def test_each_route_gets_its_tracers_under_its_tag(aggregator, kept):
    server = aggregator()
    sent = send(to(server), kept, minute=MINUTE)
    assert {name: set(of.acknowledged) for name, of in sent.routes.items()} == {"web": NUMBERS, "catch-all": NUMBERS}
    assert kept.sent(MINUTE) == sent
    found = {(tag, *find(record["log"].encode())) for tag, _, record in server.entries()}
    assert len(found) == 4
    for tag, marker in found:
        route = {"web-c": WEB, "rest": REST}[tag]
        assert (marker.run, marker.source) == (SETTINGS.run, route.source)
        assert marker.sequence in NUMBERS
    assert {at for _, at, _ in server.entries()} == {marker.due_unix_nano for _, marker in found}
    assert all(json.loads(record["log"])["level"] == "info" for _, _, record in server.entries())


def test_a_minute_is_sent_by_one_of_two_invocations(aggregator, kept):
    server = aggregator()
    assert send(to(server), kept, minute=MINUTE) is not None
    assert send(to(server), kept, minute=MINUTE) is None
    assert len(server.received) == 4
    assert send(to(server), kept, minute=MINUTE + 1) is not None


def test_an_invocation_that_dies_has_sent_nothing_that_is_known(kept):
    assert kept.claim(MINUTE, at=0)
    assert kept.sent(MINUTE) is None
    assert not kept.claim(MINUTE, at=0)


def test_listeners_take_turns_and_one_that_is_gone_costs_the_others_nothing(aggregator, kept, monkeypatch):
    monkeypatch.setattr(sending, "GIVE_UP_SECONDS", 3)
    server = aggregator()
    sent = send(to(free_port(), server), kept, minute=MINUTE)
    [mine] = {number for number in NUMBERS if number % 2 == 1}
    assert {name: set(of.acknowledged) for name, of in sent.routes.items()} == {"web": {mine}, "catch-all": {mine}}
    assert {of.count for of in sent.routes.values()} == {2}


def test_what_is_not_acknowledged_is_not_said_to_be(aggregator, kept, monkeypatch):
    monkeypatch.setattr(sending, "GIVE_UP_SECONDS", 3)
    server = aggregator(lambda received: ack(received.chunk) if received.message[0] == WEB.tag else b"")
    sent = send(to(server), kept, minute=MINUTE)
    assert {name: len(of.acknowledged) for name, of in sent.routes.items()} == {"web": 2, "catch-all": 0}


def test_nothing_is_sent_that_cannot_be_claimed(aggregator, kept, client):
    server = aggregator()
    client.delete_bucket(Bucket=BUCKET)
    try:
        send(to(server), kept, minute=MINUTE)
    except client.exceptions.NoSuchBucket:
        assert server.received == []
    else:
        raise AssertionError("the bucket is gone")
