"""The oracle finds exactly what was done to the records: no more, no less."""

import base64
import json
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.ledger import Sent
from loadtest.verify import Delivery, verify

AT = 1_763_693_240_000_000_000
DESTINATIONS = {"web": "s3", "api": "s3"}
FATES = ["delivered", "twice", "twice otherwise", "altered", "failed", "failed and delivered", "lost", "misrouted"]
HARMLESS = {"delivered", "twice", "failed", "failed and delivered"}


def rfc3339(nanoseconds: int) -> str:
    return f"2025-11-21T02:47:20.{nanoseconds - AT:09}Z"


def sent(n: int, tag: str = "web.1", *, acknowledged: bool = True) -> Sent:
    return Sent(
        source="c1",
        time_unix_nano=AT + n,
        tag=tag,
        text=f"line {n}",
        client="docker",
        sent_at=1000.0,
        acknowledged_at=1000.5 if acknowledged else None,
    )


def document(record: Sent, **changes):
    return {
        "observedTimestamp": rfc3339(record.time_unix_nano),
        "resource": {"container": {"id": record.source}},
        "body": record.text,
        "tag": record.tag,
        "event_id": f"{record.time_unix_nano:032x}",
    } | changes


def delivery(record: Sent, readable_at: float = 1001.0, route: str | None = None, **changes) -> Delivery:
    return Delivery(document(record, **changes), readable_at, route)


def failure(*records: Sent) -> dict[str, str]:
    lines = [
        {"_tag": r.tag, "_time": rfc3339(r.time_unix_nano), "container_id": r.source, "log": r.text} for r in records
    ]
    raw = "\n".join(map(json.dumps, lines)) + "\n\n"
    return {"errorCode": "Lambda.ProcessingFailed", "rawData": base64.b64encode(raw.encode()).decode()}


def account(ledger, deliveries=(), failures=(), dropped=None):
    return verify(
        ledger,
        deliveries,
        failures,
        dropped=dropped or {},
        route_of=lambda tag: tag.split(".")[0],
        destinations=DESTINATIONS,
    )


def route(found, name="web"):
    return next(one for one in found.routes if one.name == name)


@dataclass
class Run:
    """What was sent, and what was done to it."""

    ledger: list[Sent] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    done: Counter = field(default_factory=Counter)

    def add(self, tag: str, fate: str) -> None:
        record = sent(len(self.ledger), tag)
        self.ledger.append(record)
        self.done[tag.split(".", maxsplit=1)[0], fate] += 1
        good = delivery(record, route=tag.split(".", maxsplit=1)[0])
        copies = {
            "delivered": [good],
            "twice": [good, good],
            "twice otherwise": [good, delivery(record, event_id="f" * 32 + str(record.time_unix_nano))],
            "altered": [delivery(record, body=record.text + "!")],
            "failed and delivered": [good],
            "misrouted": [delivery(record, route="elsewhere")],
        }
        self.deliveries += copies.get(fate, [])
        if fate.startswith("failed"):
            self.failures.append(failure(record))


@given(
    fates=st.lists(st.tuples(st.sampled_from(["web.1", "web.2", "api.1"]), st.sampled_from(FATES)), max_size=30),
    order=st.randoms(),
)
def test_the_account_is_exactly_what_was_done(fates, order):
    run = Run()
    for tag, fate in fates:
        run.add(tag, fate)
    order.shuffle(run.deliveries)

    found = account(run.ledger, run.deliveries, run.failures)

    for name in DESTINATIONS:
        one, done = route(found, name), {fate: run.done[name, fate] for fate in FATES}
        assert one.sent == one.acknowledged == sum(done.values())
        assert one.failed == done["failed"]
        assert one.lost == done["lost"]
        assert one.delivered == one.sent - one.failed - one.lost
        assert one.duplicated == done["twice"]
        assert one.violations == {
            "duplicated_otherwise": done["twice otherwise"],
            "altered": done["altered"],
            "misrouted": done["misrouted"],
            "unexpected": 0,
            "shared_event_id": 0,
        }
    assert found.complete == (bool(fates) and {fate for _, fate in fates} <= HARMLESS)


@pytest.mark.parametrize(
    ("name", "deliveries"),
    [
        ("lost", []),
        ("duplicated_otherwise", [delivery(sent(0)), delivery(sent(0), event_id="another")]),
        ("unexpected", [delivery(sent(0)), delivery(sent(99))]),
        ("unexpected", [delivery(sent(0)), delivery(sent(0), observedTimestamp="soon")]),
        ("altered", [delivery(sent(0), body="line")]),
        ("altered", [delivery(sent(0), tag="web.2")]),
        ("altered", [delivery(sent(0), event_id=None)]),
        ("misrouted", [delivery(sent(0), route="api")]),
    ],
)
def test_each_violation_alone_makes_the_account_incomplete(name, deliveries):
    found = account([sent(0)], deliveries)

    one = route(found)
    assert {kind: n for kind, n in {"lost": one.lost, **one.violations}.items() if n} == {name: 1}
    assert not found.complete


def test_an_event_id_that_two_records_share_is_a_violation():
    found = account([sent(0), sent(1)], [delivery(sent(n), event_id="same") for n in range(2)])

    assert route(found).shared_event_id == 1
    assert not found.complete


def test_an_account_of_nothing_is_not_complete():
    assert not account([]).complete


def test_records_in_the_failure_store_are_found_in_packed_raw_data():
    found = account([sent(n) for n in range(3)], [], [failure(sent(0), sent(1)), failure(sent(2), sent(0))])

    assert (route(found).failed, route(found).lost) == (3, 0)
    assert found.complete


def refused(found: dict[str, object]) -> dict[str, str]:
    """What Firehose stores of a document that OpenSearch did not take."""
    return {"errorCode": "400", "rawData": base64.b64encode(json.dumps(found).encode()).decode()}


def test_a_document_that_opensearch_refused_is_its_line_failed():
    """And every line that it held; its time may have been moved, as OpenSearch's form does with one it cannot say."""
    lines = [sent(n) for n in range(4)]
    joined = document(lines[0], body="line 0\nline 1", attributes={"log.record.lines": 2, "log.iostream": "stdout"})
    moved = document(lines[2], observedTimestamp="2262-04-11T23:47:16.854775807Z")
    moved["overflow"] = [{"at": "/observedTimestamp", "text": rfc3339(lines[2].time_unix_nano)}]
    found = account(lines, [delivery(lines[3])], [refused(joined), refused(moved)])
    assert (route(found).failed, route(found).delivered, route(found).lost) == (3, 1, 0)
    assert found.unreadable == 0


@pytest.mark.parametrize(
    "broken", [{}, {"rawData": "%%%"}, {"rawData": base64.b64encode(b"not json").decode()}, {"rawData": None}]
)
def test_an_unreadable_failure_record_makes_the_account_incomplete(broken):
    found = account([sent(0)], [delivery(sent(0))], [broken])

    assert found.unreadable == 1
    assert not found.complete


def test_what_a_route_dropped_explains_no_more_than_is_missing_and_only_there():
    ledger = [sent(0), sent(1), sent(2), sent(3, "api.1")]

    found = account(ledger, [delivery(sent(0))], dropped={"web": 5})

    assert (route(found).dropped, route(found).lost) == (2, 0)
    assert (route(found, "api").dropped, route(found, "api").lost) == (0, 1)


def test_latency_is_from_sent_to_first_readable():
    ledger = [sent(n) for n in range(200)]
    deliveries = [delivery(one, 1000.0 + n / 1000) for n, one in enumerate(ledger, start=1)]
    late = [delivery(ledger[0], 5000.0)]

    latency = route(account(ledger, deliveries + late)).latency

    assert [round(ms) for ms in (latency.p50, latency.p99, latency.max)] == [100, 198, 200]


def test_the_report_has_the_shape_that_readers_rely_on():
    found = account([sent(0), sent(1, acknowledged=False)], [delivery(sent(0))])

    report = json.loads(json.dumps(found.to_json(seconds=1.23456)))

    assert (report["seconds"], report["complete"]) == (1.235, False)
    assert [one["name"] for one in report["routes"]] == ["api", "web"]
    web = report["routes"][1]
    del web["violations"]
    assert web == {
        "name": "web",
        "destination": "s3",
        "sent": 2,
        "acknowledged": 1,
        "delivered": 1,
        "failed": 0,
        "dropped": 0,
        "lost": 1,
        "duplicated": 0,
        "latency_ms": {"p50": 1000.0, "p99": 1000.0, "max": 1000.0},
    }
    assert report["routes"][0]["latency_ms"] == {"p50": None, "p99": None, "max": None}
