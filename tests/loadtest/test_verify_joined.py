"""The oracle and documents that hold several records: they count only for exactly what they hold."""

import dataclasses

import pytest

from loadtest.ledger import Ledger, Sent
from loadtest.verify import Delivery, records_in, verify

AT = 1_763_693_240_000_000_000
TRACE = ["ERROR failed", "a.B: x", "\tat a.c(d:1)", "\tat a.e(d:2)"]
TEXT = 'x{"name": "煎茶"}'
CUT = [
    half.decode("utf-8", "surrogateescape") for half in (TEXT.encode()[:12], TEXT.encode()[12:15], TEXT.encode()[15:])
]


def sent(n, text, **more):
    fields = {"source": "c1", "tag": "web.1", "client": "docker", "sent_at": 1000.0, "stream": "stderr", **more}
    return Sent(time_unix_nano=AT + n, text=text, **fields)


LINES = [sent(n, text) for n, text in enumerate(TRACE)]
PARTS = [sent(n, text, partial_id="p", partial_ordinal=n + 1, partial_last=n == 2) for n, text in enumerate(CUT)]


def document(first, body, **attributes):
    return {
        "observedTimestamp": f"2025-11-21T02:47:20.{first.time_unix_nano - AT:09}Z",
        "resource": {"container": {"id": first.source}},
        "body": body,
        "tag": first.tag,
        "event_id": f"{first.time_unix_nano:032x}",
        "attributes": {"log.iostream": first.stream, **attributes},
    }


def trace(lines, number=None, **changes):
    body = "\n".join(one.text for one in lines)
    return document(lines[0], body, **{"log.record.lines": number or len(lines)}) | changes


def whole(body=TEXT, number=3, **changes):
    return document(PARTS[0], body, **{"log.record.parts": number}) | changes


def account(ledger, *documents, route=None):
    deliveries = [Delivery(one, 1001.0, route) for one in documents]
    found = verify(ledger, deliveries, [], dropped={}, route_of=lambda _: "web", destinations={"web": "s3"})
    return found, next(one for one in found.routes if one.name == "web")


def test_trace_accounts_for_each_of_its_lines():
    found, web = account(LINES, trace(LINES))

    assert (web.delivered, web.lost, web.duplicated) == (4, 0, 0)
    assert found.complete


def test_lines_with_bytes_that_are_not_utf8_count_as_the_aggregator_spells_them():
    lines = [dataclasses.replace(one, text=one.text + "\udcff") for one in LINES]

    found, _ = account(lines, trace(lines, body="\n".join(rf"{text}\xff" for text in TRACE)))

    assert found.complete


def test_parts_that_are_whole_again_account_for_each_even_where_a_character_was_cut():
    assert [one.text.isprintable() for one in PARTS] == [False, False, False]

    found, web = account(PARTS, whole())

    assert (web.delivered, web.lost) == (3, 0)
    assert found.complete


def test_json_line_in_parts_may_be_taken_apart():
    parts = [dataclasses.replace(one, text=text) for one, text in zip(PARTS, ['{"a": ', "[1, 2", "]}"], strict=True)]

    found, _ = account(
        parts,
        whole("") | {"attributes": {"log.iostream": "stderr", "log.record.parts": 3, "a": [1, 2]}},
    )

    assert found.complete


def test_lines_of_other_streams_and_sources_between_are_none_of_its():
    others = [sent(10 + n, "x", stream="stdout") for n in range(2)] + [sent(n, "x", source="c2") for n in range(9)]
    lines = [dataclasses.replace(one, time_unix_nano=AT + 7 * n) for n, one in enumerate(LINES)]

    found, web = account([*others, *lines], trace(lines), *(document(one, "x") for one in others))

    assert web.delivered == 15
    assert [found.complete, web.violations["altered"]] == [False, 0]  # two of the others share an event id
    assert web.lost == 0


@pytest.mark.parametrize(
    ("wrong", "lost"),
    [
        (trace([LINES[0], LINES[1], LINES[3]]), 3),
        (trace([LINES[0], LINES[1], LINES[3]], 4), 3),
        (trace([LINES[0], LINES[2], LINES[1], LINES[3]]), 3),
        (trace([*LINES, sent(9, "more")]), 3),
        (trace([*LINES, sent(9, "more")], 4), 3),
        (trace(LINES, 3), 3),
        (trace(LINES, 5), 3),
        (trace(LINES, -1), 3),
        (trace(LINES, "4"), 3),
        (trace(LINES, tag="web.2"), 3),
        (trace(LINES, attributes={"log.iostream": "stdout", "log.record.lines": 4}), 3),
        (trace(LINES, attributes={"log.iostream": "stderr"}), 3),
        (trace(LINES, body="\n".join(TRACE) + "\n"), 3),
        (trace(LINES, body=TRACE), 3),
    ],
    ids=str,
)
def test_trace_that_misses_swaps_or_adds_a_line_accounts_for_none_of_the_others(wrong, lost):
    found, web = account(LINES, wrong)

    assert (web.lost, web.violations["altered"]) == (lost, 1)
    assert not found.complete


def test_trace_without_its_last_line_leaves_that_line_lost():
    found, web = account(LINES, trace(LINES[:3]))

    assert (web.lost, web.violations["altered"]) == (1, 0)
    assert not found.complete


@pytest.mark.parametrize(
    "wrong",
    [
        whole(TEXT[:-1]),
        whole(TEXT + "}"),
        whole("".join([PARTS[1].text, PARTS[0].text, PARTS[2].text]).encode("utf-8", "backslashreplace").decode()),
        whole(r'x{"name": "\xe7\x85\x8e茶"}'),
        whole(number=2),
        whole(number=4),
        whole() | {"attributes": {"log.iostream": "stdout", "log.record.parts": 3}},
        whole() | {"attributes": {"log.iostream": "stderr"}},
    ],
    ids=str,
)
def test_parts_put_together_wrongly_account_for_none_of_the_others(wrong):
    found, web = account(PARTS, wrong)

    assert (web.lost, web.violations["altered"]) == (2, 1)
    assert not found.complete


def test_whole_line_at_the_place_of_another_part_than_the_first_accounts_for_nothing_else():
    _, web = account(PARTS, document(PARTS[1], TEXT, **{"log.record.parts": 3}))

    assert (web.lost, web.violations["altered"]) == (2, 1)


@pytest.mark.parametrize(
    "ledger",
    [
        PARTS[:2],
        [PARTS[0], PARTS[2]],
        [PARTS[0], PARTS[1], dataclasses.replace(PARTS[2], partial_id="q")],
        [PARTS[0], PARTS[1], dataclasses.replace(PARTS[2], stream="stdout")],
        [PARTS[0], PARTS[1], dataclasses.replace(PARTS[2], partial_last=False)],
        [dataclasses.replace(one, partial_id=None) for one in PARTS],
    ],
    ids=["first two", "middle missing", "another id", "another stream", "no last", "no parts"],
)
def test_parts_that_are_no_whole_line_in_the_ledger_are_not_accounted_for(ledger):
    body = "".join(one.text for one in ledger).encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    found, web = account(ledger, whole(body, len(ledger)))

    assert web.violations["altered"] == 1
    assert web.lost == len(ledger) - 1
    assert not found.complete


def test_copies_that_hold_more_or_less_of_a_trace_are_duplicates():
    alone = [document(one, one.text) for one in LINES]

    found, web = account(LINES, trace(LINES), trace(LINES[:2]), *alone[2:])

    assert (web.delivered, web.duplicated, web.violations["duplicated_otherwise"]) == (4, 4, 0)
    assert found.complete


def test_copy_of_a_trace_under_another_id_is_a_violation():
    found, web = account(LINES, trace(LINES), trace(LINES, event_id="f" * 32))

    assert web.violations["duplicated_otherwise"] == 4
    assert not found.complete


def test_trace_in_the_wrong_place_misroutes_every_line():
    _, web = account(LINES, trace(LINES), route="api")

    assert web.violations["misrouted"] == 4


def test_ledger_tells_parts_and_streams_to_a_verifier_that_runs_apart(tmp_path):
    with Ledger(tmp_path / "sent.jsonl") as ledger:
        for one in PARTS:
            ledger.record(one)

    assert list(Ledger.read(tmp_path / "sent.jsonl")) == PARTS


@pytest.mark.parametrize(
    ("attributes", "number"),
    [
        ({}, 1),
        ({"log.record.lines": 4}, 4),
        ({"log.record.parts": 3}, 3),
        ({"log.record.lines": -1}, 1),
        ({"log.record.lines": "4"}, 1),
    ],
)
def test_document_says_how_many_records_it_holds(attributes, number):
    assert records_in({"attributes": attributes}) == number
    assert records_in({}) == 1
