"""The function as Lambda calls it: what is sent is looked for, told once, and in CloudWatch's form."""

import json
import time

import boto3
import pytest

from loadtest.canary import handler as module
from loadtest.canary import looking
from loadtest.canary.handler import handler
from loadtest.canary.judging import Verdict
from loadtest.canary.kept import Kept, RouteState, SentMinute, SentRoute, State, Tracer
from loadtest.canary.looking import Looked, look
from loadtest.canary.settings import first_of
from loadtest.canary.telling import lines
from tests.loadtest.canary.stage import BUCKET, FOUND, REST, SETTINGS, WEB, document, settings_of


class Context:
    @staticmethod
    def get_remaining_time_in_millis():
        return 200_000


@pytest.fixture
def function(client, monkeypatch, aggregator):
    """Calls the handler with the environment that the stack gives it, and answers; `told` are its lines."""
    server = aggregator()
    told = {
        "run": SETTINGS.run,
        "host": "127.0.0.1",
        "ports": [server.port],
        "per_minute": 2,
        "margin": 5,
        "read_bytes": 1 << 20,
        "routes": [
            [each.name, each.tag, each.kind, each.place, each.expected, each.found_after] for each in (WEB, REST)
        ],
    }
    monkeypatch.setenv("SLUICE_CANARY", json.dumps(told))
    monkeypatch.setenv("SLUICE_SYSTEM", "shop-prod")
    monkeypatch.setenv("SLUICE_BUCKET", BUCKET)
    monkeypatch.setattr(boto3, "client", lambda _service: client)
    return lambda **event: handler(event, Context())


def metrics(text):
    """By metric and route, the values of what was printed."""
    found = {}
    for line in map(json.loads, text.splitlines()):
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Sluice/Canary"
            for dimensions in directive["Dimensions"]:
                assert all(isinstance(line[name], str) for name in dimensions)
            for metric in directive["Metrics"]:
                found.setdefault((metric["Name"], line.get("Route")), []).append(line[metric["Name"]])
    return found


def test_what_is_sent_is_found_and_told(function, bucket, capsys):
    assert function(do="verify")["routes"]["web"]["delivered"] == 0
    answer = function(do="send", time="2026-11-21T12:00:00Z")
    assert answer["routes"]["web"] == {"sent": 2, "acknowledged": 2}
    minute = int(time.time() // 60)
    now = time.time_ns()
    bucket.deliver(WEB, document(WEB, first_of(minute), due=now), document(WEB, first_of(minute) + 1, due=now))
    capsys.readouterr()
    assert function(do="verify")["routes"]["web"]["delivered"] == 2
    told = metrics(capsys.readouterr().out)
    assert told["Delivered", "web"] == [2]
    assert told["Judged", "web"] == [2]
    assert told["Lost", "web"] == told["Duplicated", "web"] == [0]
    assert len(told["Latency", "web"][0]) == 2
    assert told["Delivered", "catch-all"] == [0]
    assert told["NotSent", None] == [0]
    assert ("Failed", "web") not in told


def test_the_minute_is_that_of_the_event(function, kept):
    function(do="send", time="2026-11-21T12:00:59Z")
    assert kept.sent(1_795_262_400 // 60) is not None
    assert function(do="send", time="2026-11-21T12:00:00Z") == {"sent": False}


def test_another_event_is_refused(function):
    with pytest.raises(ValueError, match="send or verify"):
        function(do="dance")


def test_of_two_looks_at_once_one_tells(client, kept, bucket, monkeypatch):
    minute = int(time.time() // 60)
    bucket.deliver(WEB, document(WEB, first_of(minute), due=time.time_ns()))
    settings = settings_of(WEB)
    save = Kept.save
    inner = []

    def interrupted(self, state):
        if not inner:
            inner.append(None)
            inner[0] = look(settings, kept, client, search=None)
        return save(self, state)

    monkeypatch.setattr(Kept, "save", interrupted)
    assert look(settings, kept, client, search=None) is None
    assert inner[0] is not None
    assert inner[0].verdicts[0].delivered == 1
    assert look(settings, kept, client, search=None).verdicts[0].delivered == 0


def lost_minute(kept, *, since):
    """A minute that was sent and acknowledged, whose time is over."""
    numbers = frozenset({first_of(since), first_of(since) + 1})
    kept.tell_sent(since, SentMinute(since * 60.0, {each.name: SentRoute(2, numbers) for each in (WEB, REST, FOUND)}))
    state = State({each.name: RouteState(since=since) for each in (WEB, REST, FOUND)})
    assert kept.save(state)
    return numbers


def test_what_is_nowhere_is_lost_and_named_by_its_marker(client, kept):
    since = int(time.time() // 60) - 5
    one, two = sorted(lost_minute(kept, since=since))
    settings = settings_of(WEB)
    kept.tell_sent(since, SentMinute(since * 60.0, {"web": SentRoute(2, frozenset({one}))}))
    looked = look(settings, kept, client, search=None)
    line = json.loads(next(iter(lines(settings, looked))))
    assert line["lost"] == [settings.marker(WEB, one, 0)[:23].decode()]
    assert settings.marker(WEB, two, 0)[:23].decode() in line["notSent"]
    assert look(settings, kept, client, search=None).verdicts[0].lost == []


def test_a_tracer_that_failed_is_told_with_its_reason(client, kept, bucket):
    since = int(time.time() // 60) - 5
    one, two = sorted(lost_minute(kept, since=since))
    bucket.fail(WEB, SETTINGS.marker(WEB, one, 0))
    verdict = look(settings_of(WEB), kept, client, search=None).verdicts[0]
    assert (verdict.failed, verdict.lost) == ({one: "processing-failed"}, [two])


def test_where_the_failure_store_cannot_be_read_nothing_is_lost(client, kept, bucket):
    lost_minute(kept, since=int(time.time() // 60) - 5)
    bucket.fail(WEB, b"x" * 500)
    settings = settings_of(WEB, read_bytes=100)
    looked = look(settings, kept, client, search=None)
    assert (looked.verdicts[0].lost, len(looked.verdicts[0].unchecked)) == ([], 2)
    told = metrics("\n".join(lines(settings, looked)))
    assert told["Unchecked", "web"] == [2]
    assert told["SkippedBytes", None][0] > 500
    assert told["Judged", "web"] == [0], "which is what the alarm about a blind canary looks at"


def test_the_largest_route_does_not_starve_the_others(client, kept, bucket):
    minute = int(time.time() // 60)
    noise = [{"body": f"{at:x}" * 3} for at in range(3000)]
    bucket.deliver(WEB, *noise, document(WEB, first_of(minute), due=time.time_ns()))
    bucket.deliver(REST, document(REST, first_of(minute), due=time.time_ns()))
    looked = look(settings_of(WEB, REST, read_bytes=1000), kept, client, search=None)
    assert {verdict.route.name: verdict.delivered for verdict in looked.verdicts} == {"web": 0, "catch-all": 1}
    assert looked.skipped > 1000


def test_what_a_small_route_leaves_of_its_share_is_the_large_ones(client, kept, bucket):
    minute = int(time.time() // 60)
    noise = "".join(f"{at * 7919 % 10007:x}" for at in range(400))
    bucket.deliver(WEB, document(WEB, first_of(minute), due=time.time_ns(), also=noise))
    bucket.deliver(REST, document(REST, first_of(minute), due=time.time_ns()))
    found = client.list_objects_v2(Bucket=BUCKET, Prefix="logs/")["Contents"]
    looked = look(settings_of(WEB, REST, read_bytes=sum(each["Size"] for each in found)), kept, client, search=None)
    assert [verdict.delivered for verdict in looked.verdicts] == [1, 1]
    assert looked.skipped == 0


def test_a_search_that_does_not_answer_stops_only_its_own_route(client, kept):
    lost_minute(kept, since=int(time.time() // 60) - 8)
    settings = settings_of(WEB, FOUND)

    def refuse(_path, _body):
        return 503, b"no"

    looked = look(settings, kept, client, search=refuse)
    assert [len(verdict.lost) for verdict in looked.verdicts] == [2, 0]
    assert "503" in looked.troubles["found"]
    told = metrics("\n".join(lines(settings, looked)))
    assert ("Judged", "found") not in told
    assert ("Judged", "web") in told


def test_a_search_is_asked_and_what_it_finds_each_time_is_counted_once(client, kept):
    minute = int(time.time() // 60)
    found = document(FOUND, first_of(minute), due=time.time_ns(), attributes={"log.record.delay": 1})
    answer = json.dumps({"hits": {"hits": [{"_source": found}]}}).encode()
    settings = settings_of(FOUND)
    looks = [look(settings, kept, client, search=lambda _path, _body: (200, answer)).verdicts[0] for _ in range(2)]
    assert [(verdict.delivered, verdict.duplicated) for verdict in looks] == [(1, 0), (0, 0)]
    assert looks[0].latencies == [pytest.approx(1 + FOUND.found_after, abs=0.01)]


def test_more_latencies_than_a_line_takes_are_several_lines():
    verdict = Verdict(WEB, delivered=250, latencies=[1.0] * 250)
    told = metrics("\n".join(lines(SETTINGS, Looked((verdict,), 0, 0, {}))))
    assert [len(values) for values in told["Latency", "web"]] == [100, 100, 50]
    assert told["Delivered", "web"] == [250]


def test_the_state_survives_being_kept(kept):
    state = State({"web": RouteState(5, {7: Tracer("found", ["a", "b"])}, {"f/": {"k"}}, 3.5)})
    assert kept.save(state)
    again = kept.load()
    assert again.routes == state.routes
    assert kept.save(again)
    assert not kept.save(State(again.routes, "other")), "somebody else's state is newer"
    assert not kept.save(State({})), "there is one already"


def test_the_reserve_is_left_of_the_functions_time():
    assert module.RESERVE_SECONDS >= looking.SLACK_SECONDS / 2
