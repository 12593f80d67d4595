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


KEYS = (("service", "w" * 64), ("level", "ERROR"))


def test_partition_keys_go_with_the_data_as_firehose_documents_it():
    answers = Answers(["one", "two"])
    answers.add_ok("one", b"{}\n", KEYS)
    answers.add_ok("two", b"{}\n")
    first, second = answers.respond()["records"]
    assert first == {
        "recordId": "one",
        "result": "Ok",
        "data": "e30K",
        "metadata": {"partitionKeys": {"service": "w" * 64, "level": "ERROR"}},
    }
    assert "metadata" not in second


def test_partition_keys_take_room():
    answers = Answers(IDS)
    room = answers.room_beside(KEYS)
    answers.add_ok(IDS[0], b"x" * room, KEYS)
    for record_id in IDS[1:]:
        answers.add(record_id, "ProcessingFailed")
    assert MAX_RESPONSE_BYTES - 8 < len(json.dumps(answers.respond())) <= MAX_RESPONSE_BYTES


def test_room_that_was_taken_by_keys_is_gone_for_the_next():
    with_keys, without = Answers(IDS[:2]), Answers(IDS[:2])
    with_keys.add_ok(IDS[0], b"x", KEYS)
    without.add_ok(IDS[0], b"x")
    taken = len(json.dumps({"metadata": {"partitionKeys": dict(KEYS)}}))
    assert taken - 4 < (without.room - with_keys.room) / 3 * 4 < taken + 4
