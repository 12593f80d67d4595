"""The room that answers leave, at the limit and one past it."""

import json

import pytest

from lambdas.transform.answers import Answers
from lambdas.transform.limits import MAX_RESPONSE_BYTES

IDS = [f"{number:056d}" for number in range(500)]


def test_data_that_takes_all_the_room_still_fits_and_three_bytes_more_would_not():
    answers = Answers(["one"])
    room = answers.room
    answers.add_ok("one", b"x" * room)
    full = len(json.dumps(answers.respond()))

    beyond = Answers(["one"])
    beyond.add_ok("one", b"x" * (room + 3 + 1))

    assert full <= MAX_RESPONSE_BYTES
    assert len(json.dumps(beyond.respond())) > MAX_RESPONSE_BYTES


@pytest.mark.parametrize("record_ids", [IDS, ['quo"te', "ümlaut", "\ud800", "\n"]])
def test_room_for_failing_all_others_is_kept_whatever_their_ids(record_ids):
    answers = Answers(record_ids)
    answers.add_ok(record_ids[0], b"x" * answers.room)
    for record_id in record_ids[1:]:
        answers.add(record_id, "ProcessingFailed")

    assert MAX_RESPONSE_BYTES - 8 < len(json.dumps(answers.respond())) <= MAX_RESPONSE_BYTES


def test_small_record_still_fits_after_a_large_one_did_not():
    answers = Answers(IDS[:2])
    assert answers.room > 4_700_000
    answers.add_ok(IDS[0], b"x" * (answers.room - 30))

    assert 30 <= answers.room <= 33
