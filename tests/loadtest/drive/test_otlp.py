"""OTLP by HTTP: a request is acknowledged by a 2xx, and is sent again, the same, until then."""

from collections import Counter
from typing import Any

import pytest

from loadtest.journal import Journal
from loadtest.marker import find
from loadtest.messages import text_of
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile


def plan_of(**load: object) -> Plan:
    said = {"name": "web", "tag": "web", "client": "otlp", "messages_per_second": 400, "size": {"median": 200}} | load
    return make_plan(Profile.model_validate({"name": "test", "seconds": 0.5, "loads": [said]}), run=3)


def acknowledged(journal: Journal) -> dict[int, list[int]]:
    """By source, in the order of the acknowledgements."""
    return {
        source: [number for first, end in ranges for number in range(first, end)]
        for source, ranges in journal.acknowledged.items()
    }


@pytest.mark.parametrize("compress", [False, True])
def test_every_record_arrives_once_and_as_the_plan_says(sending: Any, collector: Any, *, compress: bool) -> None:
    plan = plan_of(compress=compress, connections=2, formats={"json": 1, "hostile": 1})
    with collector() as target:
        journal = sending(plan, {"web": target.address}).wait()
    records = [record for body in target.bodies for record in target.records(body)]
    found: set[tuple[int, int]] = set()
    for record in records:
        text, at = record["body"]["stringValue"], int(record["timeUnixNano"])
        (marker,) = find(text.encode())
        assert (text, at) == (text_of(plan, plan.sources[marker.source], marker.sequence, at), marker.due_unix_nano)
        found.add((marker.source, marker.sequence))
    assert len(found) == len(records) == sum(map(plan.count, plan))
    assert acknowledged(journal) == {source.number: list(range(plan.count(source))) for source in plan}


def test_a_request_that_is_not_taken_is_sent_again_the_same(sending: Any, collector: Any) -> None:
    answers = iter([(503, b"busy"), (429, b""), (200, b'{"partialSuccess":{"rejectedLogRecords":3}}')])
    plan = plan_of()
    with collector(lambda _: next(answers, (200, b"{}"))) as target:
        journal = sending(plan, {"web": target.address}).wait()
    assert len(target.bodies) >= 4
    assert len(set(target.bodies[:4])) == 1
    assert max(Counter(target.bodies[4:]).values(), default=1) == 1
    assert acknowledged(journal) == {0: list(range(200))}


def test_a_request_that_is_never_taken_is_given_up_and_not_acknowledged(sending: Any, collector: Any) -> None:
    with collector(lambda _: (400, b"no")) as target:
        journal = sending(plan_of(), {"web": target.address}, give_up_after=3).wait()
    assert journal.acknowledged == {}
    assert "the server answered 400 no" in journal.errors[0]
