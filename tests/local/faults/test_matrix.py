"""What the matrix lets pass and what not, on measurements written by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from local.faults.event import Event
from local.faults.matrix import run, sentence
from local.faults.rows import Found, Matrix, Outcome, Row
from local.faults.stage import NeverStruckError
from local.steps import Steps

GOOD = Row(
    client="firelens",
    acks=True,
    sent=100,
    acknowledged=100,
    lost=0,
    lost_acknowledged=0,
    duplicated=7,
    duplicated_otherwise=0,
    failed=3,
)
NO_ACK = replace(GOOD, client="no-ack", acks=False, acknowledged=0, lost=30)
GATE = replace(GOOD, client="gate")


def event(name: str = "crash", **more: Any) -> Event:
    return Event(name=name, group="Tasks", says="kill -9", act=lambda _stage: None, seconds=1, **more)


def outcome_of(*rows: Row, error: str | None = None, **more: Any) -> Outcome:
    (outcome,) = run(
        [event(**more)],
        measure=lambda _event, _tell: Found(rows=rows, error=error),
        lacks=lambda need: f"there is no {need}",
        steps=Steps(quiet=True),
    )
    return outcome


def test_what_was_duplicated_failed_or_never_acknowledged_is_told_and_holds() -> None:
    outcome = outcome_of(GOOD, NO_ACK)
    assert outcome.broken == ()
    assert outcome.rows == (GOOD, NO_ACK)
    assert sentence(outcome) == "200 sent, 30 lost, 14 duplicated, 6 failed"


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        (replace(GOOD, lost=1, lost_acknowledged=1), "firelens: 1 acknowledged and lost"),
        (replace(GOOD, acknowledged=98, lost=2), "firelens: 2 lost of those that were sent again until given up"),
        (replace(GOOD, duplicated_otherwise=4), "firelens: 4 copies under another event_id"),
        (replace(GOOD, altered=5), "firelens: 5 altered"),
        (replace(GOOD, misrouted=6), "firelens: 6 in another route than theirs"),
        (replace(GOOD, sent=0, acknowledged=0), "firelens: sent nothing"),
        (replace(NO_ACK, acknowledged=100, lost_acknowledged=1), "no-ack: 1 acknowledged and lost"),
    ],
)
def test_one_message_too_many_fails_the_event_and_the_matrix(row: Row, broken: str) -> None:
    outcome = outcome_of(GOOD, row)
    assert outcome.broken == (broken,)
    assert not Matrix(outcomes=(outcome_of(GOOD), outcome)).passed
    assert f"FAILED: {broken}" in sentence(outcome)


def test_an_event_that_may_lose_what_was_acknowledged_passes_and_is_told() -> None:
    outcome = outcome_of(replace(GOOD, lost=9, lost_acknowledged=9), may_lose_acknowledged=True)
    assert outcome.broken == ()
    assert outcome.may_lose_acknowledged
    assert outcome.rows[0].lost_acknowledged == 9


def test_the_gate_may_lose_nothing_that_it_acknowledged_in_any_event() -> None:
    lost = replace(GATE, lost=1, lost_acknowledged=1)
    assert outcome_of(GOOD, lost, may_lose_acknowledged=True).broken == ("gate: 1 acknowledged and lost",)


def test_who_may_lose_what_was_acknowledged_may_not_lose_the_rest_nor_make_other_ids() -> None:
    row = replace(GOOD, lost=3, lost_acknowledged=1, duplicated_otherwise=1)
    assert outcome_of(row, may_lose_acknowledged=True).broken == (
        "firelens: 2 lost of those that were sent again until given up",
        "firelens: 1 copies under another event_id",
    )


def control(*rows: Row) -> tuple[str, ...]:
    """Of a setting that loses what it acknowledged."""
    return outcome_of(*rows, must_lose=True, may_lose_acknowledged=True).broken


def test_a_negative_control_has_to_lose() -> None:
    (broken,) = control(GOOD)
    assert "lost nothing" in broken
    assert control(replace(GOOD, lost=1, lost_acknowledged=1)) == ()


def test_what_clients_without_acknowledgements_lose_proves_nothing_of_a_setting() -> None:
    assert control(GOOD, NO_ACK) != ()


def test_the_control_without_acknowledgements_loses_there_and_nowhere_else() -> None:
    assert outcome_of(GOOD, NO_ACK, must_lose=True).broken == ()
    assert outcome_of(GOOD, replace(NO_ACK, lost=0), must_lose=True).broken != ()
    lost = replace(GOOD, lost=1, lost_acknowledged=1)
    assert outcome_of(lost, NO_ACK, must_lose=True).broken == ("firelens: 1 acknowledged and lost",)


def test_an_event_whose_fault_never_struck_fails_whatever_its_rows_say() -> None:
    def measure(one: Event, _tell: Callable[[str], None]) -> Found:
        try:
            one.act(None)  # type: ignore[arg-type]
        except NeverStruckError as error:
            return Found(rows=(GOOD,), error=f"NeverStruckError: {error}")
        return Found(rows=(GOOD,))

    def act(_stage: object) -> None:
        raise NeverStruckError("crash: the fault hit no call")

    (outcome,) = run([replace(event(), act=act)], measure=measure, lacks=lambda _: None, steps=Steps(quiet=True))
    assert outcome.broken == ("NeverStruckError: crash: the fault hit no call",)


def test_one_that_cannot_be_measured_fails_and_the_others_are_run() -> None:
    def measure(one: Event, _tell: Callable[[str], None]) -> Found:
        if one.name == "first":
            raise RuntimeError("no driver")
        return Found(rows=(GOOD,))

    first, second = run(
        [event("first"), event("second")], measure=measure, lacks=lambda _: None, steps=Steps(quiet=True)
    )
    assert first.broken == ("RuntimeError: no driver", "no client's messages were accounted for")
    assert second.broken == ()


def test_what_a_machine_lacks_is_skipped_by_name_and_is_neither_tried_nor_broken() -> None:
    skipped = outcome_of(needs="opensearch")
    assert skipped.skipped == "there is no opensearch"
    assert skipped.broken == ()
    assert sentence(skipped) == "skipped: there is no opensearch"
    assert not Matrix(outcomes=(skipped,)).passed
    assert Matrix(outcomes=(skipped, outcome_of(GOOD))).passed


def test_the_report_is_read_back_as_it_was_and_another_version_is_refused() -> None:
    matrix = Matrix(outcomes=(outcome_of(GOOD, NO_ACK), outcome_of(needs="gate")), conditions={"a": "b"}, seconds=1.5)
    told = matrix.to_json()
    assert told["passed"] is True
    assert Matrix.from_json(told) == matrix
    with pytest.raises(ValueError, match="version 0"):
        Matrix.from_json({**told, "version": 0})


def test_what_did_not_hold_stands_in_the_report() -> None:
    told = Matrix(outcomes=(outcome_of(replace(GOOD, lost=1, lost_acknowledged=1)),)).to_json()
    assert told["passed"] is False
    assert told["outcomes"][0]["broken"] == ["firelens: 1 acknowledged and lost"]
