"""The tally finds, and names, whatever became of a message; each of these is a target that does something wrong."""

import base64
import json
import resource
from collections.abc import Callable
from typing import Any

import pytest

from loadtest.journal import Journal
from loadtest.marker import Marker
from loadtest.tally import Mark, Result

Make = Callable[..., Any]


def found(result: Result) -> dict[str, int]:
    """What of the total is not as it should be."""
    names = (
        *("failed", "dropped", "lost", "lost_acknowledged", "duplicated", "duplicated_otherwise"),
        *("reordered", "altered", "misrouted", "unexpected"),
    )
    return {name: number for name in names if (number := getattr(result.total, name))}


def named(result: Result, kind: str) -> list[tuple[int, int, int]]:
    return [(each.source, each.sequence, each.count) for each in result.examples if each.kind == kind]


def breached(result: Result) -> set[str]:
    return {each.name for each in result.breaches}


def test_all_that_was_sent_and_arrived_is_accounted_for(run):
    run.deliver_all()
    assert run.tally.delivered == 120
    result = run.close()
    assert result.passed
    assert found(result) == {}
    assert (result.total.sent, result.total.acknowledged, result.total.delivered) == (120, 120, 120)
    assert [(load.name, load.route, load.tracer, load.due, load.sent, load.delivered) for load in result.loads] == [
        ("web", "frontend", False, 100, 100, 100),
        ("tracers", "backend", True, 20, 20, 20),
    ]
    assert [(route.name, route.sent) for route in result.routes] == [("frontend", 100), ("backend", 20)]
    assert result.achieved_percent == 100
    assert (result.foreign, result.unreadable, result.examples) == (0, 0, ())


def test_a_message_that_is_nowhere_is_lost_and_named(run):
    run.deliver_all(but=[(0, 7), (0, 8), (2, 3)])
    result = run.close()
    assert found(result) == {"lost": 3, "lost_acknowledged": 3}
    assert [load.lost for load in result.loads] == [2, 1]
    assert named(result, "lost acknowledged") == [(0, 7, 2), (2, 3, 1)]
    assert breached(result) == {"lost", "lost_acknowledged"}


def test_a_lost_message_that_nobody_acknowledged_breaks_no_promise(run):
    run.deliver_all(but=[(0, 7)])
    acknowledged = {0: ((0, 7), (8, 50)), 1: ((0, 50),), 2: ((0, 20),)}
    result = run.close(run.journal(acknowledged=acknowledged))
    assert found(result) == {"lost": 1}
    assert result.total.acknowledged == 119
    assert named(result, "lost") == [(0, 7, 1)]


def test_what_was_not_sent_is_not_missed(run):
    run.deliver_all(but=[(0, number) for number in range(40, 50)])
    result = run.close(run.journal(sent={0: 40, 1: 50, 2: 20}))
    assert found(result) == {}
    assert breached(result) == {"achieved_percent"}
    assert result.achieved_percent == pytest.approx(100 * 110 / 120)


def test_what_is_acknowledged_was_sent_whatever_a_killed_sender_still_said(run):
    journal = run.journal(sent={0: 40, 1: 50, 2: 20}, acknowledged={0: ((0, 45),), 1: ((0, 50),), 2: ((0, 20),)})
    run.deliver_all(but=[(0, 44), *((0, number) for number in range(45, 50))])
    assert found(run.close(journal)) == {"lost": 1, "lost_acknowledged": 1}


def test_a_copy_is_a_copy_by_its_event_id(run):
    run.deliver_all()
    run.deliver(run.document(0, 3), run.document(0, 3), run.document(1, 4, event_id="f" * 32))
    result = run.close()
    assert found(result) == {"duplicated": 2, "duplicated_otherwise": 1}
    assert result.total.delivered == 120
    assert named(result, "duplicated otherwise") == [(1, 4, 1)]
    assert breached(result) == {"duplicated_otherwise"}


def test_copies_in_one_block_are_told_apart_too(run):
    run.deliver_all(but=[(0, 3)])
    copies = [run.document(0, 3), run.document(0, 3), run.document(0, 3, event_id="e" * 32), run.document(0, 3)]
    run.deliver(*copies, after=9.0)
    assert found(run.close()) == {"duplicated": 2, "duplicated_otherwise": 1, "reordered": 1}


@pytest.mark.parametrize("at", [0, 30, -1])
def test_one_byte_that_differs_is_seen(run, at):
    text = run.text(0, 3).replace("line", "LINE")
    changed = text[:at] + "#" + (text[at + 1 :] if at != -1 else "")
    run.deliver_all(but=[(0, 3)])
    run.deliver(run.document(0, 3, body=changed), after=9.0)
    result = run.close()
    assert result.total.altered == 1 or result.total.lost == 1  # the marker itself may be what differs
    assert breached(result) & {"altered", "lost"}
    assert (0, 3, 1) in named(result, "altered") + named(result, "lost acknowledged")


def test_only_every_so_manieth_message_is_looked_at(run):
    run.tally = run.new_tally(check_every=10)
    run.deliver_all(but=[(0, 9), (0, 10), (0, 11)])
    run.deliver(*(run.document(0, number, body=run.text(0, number) + "!") for number in (9, 10, 11)), after=9.0)
    assert named(run.close(), "altered") == [(0, 10, 1)]


def test_a_document_in_another_routes_place_is_misrouted(run):
    run.deliver_all(but=[(0, 3), (2, 4), (2, 5)])
    run.deliver(run.document(0, 3), route="backend", after=9)
    run.deliver(run.document(2, 4), route="backend", after=9)
    run.deliver(run.document(2, 5), route=None, after=9)
    result = run.close()
    assert (result.total.misrouted, named(result, "misrouted")) == (1, [(0, 3, 1)])
    assert [route.misrouted for route in result.routes] == [1, 0]
    assert breached(result) == {"misrouted"}


def test_a_message_that_was_overtaken_is_counted_once(run):
    order = [0, 1, 3, 2, 4, 7, 5, 6]
    run.deliver(*(run.document(0, number) for number in order))
    run.deliver(run.document(0, 2), run.document(0, 1), run.document(0, 9), run.document(1, 5))  # copies do not count
    run.deliver(run.document(0, 8), run.document(1, 4), run.document(1, 6))
    result = run.close()
    assert result.total.reordered == 5
    assert named(result, "reordered") == [(0, 2, 1), (0, 5, 1), (0, 6, 1), (0, 8, 1), (1, 4, 1)]


def test_what_was_never_sent_is_unexpected_and_other_runs_are_none_of_ours(run):
    run.deliver_all()
    now = run.due(0, 0)
    strangers = [
        Marker(run.plan.run, 0, 50, now),
        Marker(run.plan.run, 3, 0, now),
        Marker(run.plan.run, 2, 2**32 - 1, now),
    ]
    strangers += [Marker(run.plan.run + 1, 0, 0, now)] * 4
    run.deliver(*({"event_id": "a", "body": each.encode().decode()} for each in strangers))
    result = run.close(run.journal(sent={0: 49, 1: 50, 2: 20}))
    assert found(result) == {"unexpected": 4}
    assert [load.unexpected for load in result.loads] == [2, 1]
    assert named(result, "unexpected") == [(0, 50, 1), (2, 2**32 - 1, 1), (0, 49, 1)]
    assert (result.foreign, result.total.delivered) == (4, 119)


def test_failed_messages_are_failed_with_their_reason_until_they_arrive(run):
    run.deliver_all(but=[(0, 3), (0, 4), (1, 5), (2, 6)])

    def failure(*messages: tuple[int, int]) -> bytes:
        data = "".join(json.dumps({"log": run.text(*each)}) + "\n" for each in messages).encode()
        return json.dumps({"errorCode": "x", "rawData": base64.b64encode(data).decode()}).encode() + b"\n"

    run.tally.fail(failure((0, 3), (0, 4)) + b"\n" + failure((1, 5)), reason="processing-failed", route="frontend")
    run.tally.fail(failure((2, 6), (1, 5)), reason="other-failed", route="backend")
    run.tally.fail(b'{"rawData": "not base64!"}\n{"no": 1}\n[]\ncut', reason="other-failed", route=None)
    run.deliver(run.document(0, 4), after=9)
    result = run.close()
    assert (result.total.failed, result.total.lost, result.unreadable) == (3, 0, 4)
    assert result.total.failed_by_reason == {"processing-failed": 1, "other-failed": 2}
    assert [load.failed for load in result.loads] == [2, 1]
    assert breached(result) == {"unreadable"}


def test_what_rules_dropped_explains_what_is_missing_and_no_more(run):
    run.deliver_all(but=[(0, 1), (0, 2), (1, 3), (2, 4)])
    result = run.close(dropped={"frontend": 2, "backend": 7, "elsewhere": 9})
    assert [(route.dropped, route.lost) for route in result.routes] == [(2, 1), (1, 0)]
    assert found(result) == {"dropped": 3, "lost": 1, "lost_acknowledged": 1}


def test_lines_that_are_no_documents_count_as_unreadable_and_stop_nothing(run):
    run.deliver_all(but=[(0, 3)])
    whole = json.dumps(run.document(0, 3)).encode()
    bad = [
        whole[:-1],
        whole + b"}",
        b"[" + whole + b"]",
        b'"' + run.text(0, 3)[:60].encode() + b'"',
        b"\xff\xfe",
        b"{" * 9999,
    ]
    run.tally.deliver(b"\n".join([b"", *bad, b"  "]), route="frontend", readable_at=0)
    result = run.close()
    assert result.unreadable == len(bad)
    assert found(result) == {"lost": 1, "lost_acknowledged": 1}


def test_a_document_without_an_id_of_its_own_is_altered(run):
    run.tally = run.new_tally(check_every=0)
    run.deliver_all(but=[(0, 3), (0, 4), (0, 5)])
    nested = run.document(0, 4, attributes={"event_id": "f" * 32})
    del nested["event_id"]
    run.deliver(run.document(0, 3, event_id=None), nested, run.document(0, 5, event_id={"a": 1}), after=9)
    assert named(run.close(), "altered") == [(0, 3, 1), (0, 4, 1), (0, 5, 1)]


def test_joined_lines_are_all_delivered_under_the_first_ones_id(run):
    def joined(*numbers: int, **changes: Any) -> dict[str, Any]:
        body = "\n".join(run.text(0, number) for number in numbers)
        return run.document(0, numbers[0], body=body, attributes={"log.record.lines": len(numbers)}, **changes)

    run.deliver_all(but=[(0, number) for number in range(2, 12)])
    run.deliver(joined(2, 3, 4), joined(5, 6), after=9)
    run.deliver(run.document(0, 3), run.document(0, 4), after=9)  # packed differently: copies, under ids of their own
    run.deliver(joined(3, 4), after=9)
    run.deliver(joined(5, 6, event_id="f" * 32), run.document(0, 3, event_id="e" * 32), after=9)
    run.deliver(joined(7, 8), joined(9, 10) | {"body": "\n".join([run.text(0, 9), run.text(0, 10) + "!"])}, after=9)
    run.deliver(joined(11) | {"attributes": {"log.record.lines": 2}}, after=9)
    result = run.close()
    assert (result.total.lost, result.total.duplicated, result.total.duplicated_otherwise) == (0, 4, 3)
    assert named(result, "duplicated otherwise") == [(0, 5, 1), (0, 6, 1), (0, 3, 1)]
    assert named(result, "altered") == [(0, 9, 1), (0, 10, 1), (0, 11, 1)]


def test_parts_that_were_put_together_again_are_delivered_each(run):
    parts = [run.text(1, number) for number in (3, 4)]
    run.deliver_all(but=[(1, 3), (1, 4)])
    run.deliver(run.document(1, 3, body="".join(parts), attributes={"log.record.parts": 2}), after=9)
    assert found(run.close()) == {"reordered": 2}


def test_a_text_that_stands_twice_in_its_document_arrived_once(run):
    text = run.text(0, 3)
    run.deliver_all(but=[(0, 3)])
    run.deliver(run.document(0, 3, attributes={"url.path": text}), run.document(1, 3), after=9)
    result = run.close()
    assert (result.total.delivered, result.total.duplicated) == (120, 1)


def test_bytes_without_ids_are_counted(run):
    data = b"\x00".join(run.text(0, number).encode() for number in (0, 1, 2, 1))
    run.tally.accept(data, route="frontend", readable_at=0)
    run.tally.accept(run.text(1, 0).encode(), route="backend", readable_at=0)
    result = run.close()
    assert (result.total.delivered, result.total.duplicated, result.total.misrouted) == (4, 1, 1)
    assert result.total.duplicated_otherwise == 0


def test_latency_counts_from_when_a_message_was_due(run):
    at = run.due(0, 0) / 1e9
    for number, milliseconds in enumerate((1000, 2000, 4000, 64_000)):
        late = (run.due(0, number) / 1e9 - at) + milliseconds / 1000 + (at - 1_800_000_000)
        run.deliver(run.document(0, number), run.document(0, number), after=late)
    web, tracers = run.close().loads
    assert web.latency.p50 == pytest.approx(2000, rel=0.1)
    assert web.latency.p90 == web.latency.p99 == web.latency.max == pytest.approx(64_000, abs=1)
    assert tracers.latency.p50 is None


def test_loss_and_copies_are_told_around_each_mark(run):
    began = 1_800_000_000.0
    run.deliver_all(but=[(0, 16), (0, 15), (1, 24), (2, 7)])  # due at 3.4, 3.2, 5.0, 4.0 s
    run.deliver(run.document(0, 15), run.document(0, 20), run.document(0, 20), run.document(0, 45), after=9.9)
    marks = [
        Mark("late", began + 8),
        Mark("kill", began + 3),
        Mark("spike", began + 4.5, began + 5.5),
        Mark("never", began - 9, began - 2),
    ]
    result = run.close(run.journal(acknowledged={0: ((0, 50),), 1: ((0, 20),), 2: ((0, 20),)}), marks=marks)
    told = [(m.name, m.sent, m.lost, m.lost_acknowledged, m.duplicated) for m in result.marks]
    assert told == [
        ("never", 0, 0, 0, 0),
        ("kill", 17, 2, 2, 2),
        ("spike", 12, 1, 0, 0),
        ("late", 24, 0, 0, 1),
    ]


def test_series_tell_what_happened_when(run):
    run.deliver_all()
    result = run.close()
    series = result.series
    assert (series.start, series.step) == (1_800_000_000.0, 1)
    assert len({len(getattr(series, name)) for name in ("sent", "acknowledged", "delivered", "p50", "p99", "cpu")}) == 1
    assert sum(series.sent) == sum(series.acknowledged) == sum(series.delivered) == 120
    assert series.sent[10] == 120
    assert series.delivered[2] == 12
    assert series.p50[5] == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize(
    ("journal", "names"),
    [
        (Journal(), {"journal", "sent", "achieved_percent"}),
        (Journal(run=0xABCD, began=1.0), {"sent", "achieved_percent"}),
        (None, {"unended", "errors"}),
    ],
)
def test_a_run_that_tells_nothing_has_not_passed(run, journal, names):
    if journal is None:
        run.deliver_all()
        journal = run.journal(unended=1, errors=["BrokenPipeError"])
    assert breached(run.close(journal)) == names


def test_another_runs_journal_is_refused(run):
    with pytest.raises(ValueError, match="take the folder of that run"):
        run.close(run.journal(run=1))


def test_a_profile_decides_what_it_allows(make_run):
    run = make_run(
        thresholds={"lost": 2, "lost_acknowledged": None, "duplicated_percent": 1, "latency_p99_seconds": 0.4}
    )
    run.deliver_all(but=[(0, 3), (0, 4)])
    run.deliver(run.document(0, 5), run.document(0, 6), after=9.9)
    result = run.close()
    assert breached(result) == {"duplicated_percent", "latency_p99_seconds"}
    assert "at most 1 allowed" in next(each.says for each in result.breaches if each.name == "duplicated_percent")


def test_a_result_survives_being_written_and_read(run):
    run.deliver_all(but=[(0, 3)])
    result = run.close(marks=[Mark("kill", 1_800_000_003.0)])
    told = json.loads(json.dumps(result.to_json()))
    assert Result.from_json(told) == result
    assert (told["version"], told["passed"], told["due"]) == (1, False, 120)
    told["version"] = 2
    with pytest.raises(ValueError, match="version 2, and this Sluice reads version 1"):
        Result.from_json(told)


def test_nothing_grows_with_copies_or_with_what_is_not_ours(run):
    mine = [run.document(0, 3), {"event_id": "a", "body": Marker(7, 0, 0, 0).encode().decode()}]
    mine += [
        {"event_id": "a", "body": Marker(run.plan.run, 9, number, number << 40).encode().decode()}
        for number in range(8)
    ]
    block = b"".join(json.dumps(each).encode() + b"\n" for each in mine) * 400
    for _ in range(5):
        run.tally.deliver(block, route=None, readable_at=1.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(30):
        run.tally.deliver(block, route=None, readable_at=float(number % 3))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # KiB; 12,000 copies, 108,000 strangers
    result = run.close()
    assert result.total.duplicated == 14_000 - 1
    assert len(result.examples) < 150


def test_the_files_are_gone_in_the_end(run):
    assert len(list(run.folder.iterdir())) == 3
    run.close()
    assert list(run.folder.iterdir()) == []


def test_what_rules_dropped_of_one_load_does_not_hide_what_another_lost(run):
    run.deliver_all(but=[(0, 1), (1, 49), (2, 4)])
    result = run.close(run.journal(acknowledged={0: ((0, 50),), 1: ((0, 40),), 2: ((0, 20),)}), dropped={"backend": 1})
    assert [load.lost_acknowledged for load in result.loads] == [1, 0]
    assert found(result) == {"dropped": 1, "lost": 2, "lost_acknowledged": 1}


def test_what_failed_after_it_had_arrived_is_delivered_and_keeps_its_id(run):
    run.deliver_all()
    data = base64.b64encode(run.text(0, 3).encode()).decode()
    run.tally.fail(json.dumps({"rawData": data}).encode(), reason="other-failed", route="frontend")
    run.deliver(run.document(0, 3))
    assert found(run.close()) == {"duplicated": 1}


def test_each_message_of_a_block_has_a_latency_of_its_own(run):
    run.deliver(*(run.document(0, number) for number in range(50)), after=10.2)  # due at 0.2 to 10 s
    [web, _] = run.close().loads
    assert web.latency.max == pytest.approx(10_000, abs=1)
    assert web.latency.p50 == pytest.approx(5000, rel=0.1)
