"""The promise of event_id: the same for every delivery of a record, different for different records."""

import pytest

from lambdas.transform.event_id import Arrival, derive_event_id, start_hash

FINE = "2026-11-21T02:36:00.000000001Z"
WHOLE = "2026-11-21T02:36:00.000000000Z"


def arrive(record_id="r1"):
    return Arrival(record_id=record_id, time=FINE)


def ids(time, *said, record_id="r1", shared=b""):
    arrival = arrive(record_id)
    return [derive_event_id(start_hash(shared), time, each, arrival) for each in said]


def test_id_is_32_hexadecimal_digits():
    (event_id,) = ids(FINE, "{}")

    assert len(event_id) == 32
    assert int(event_id, 16)


def test_record_with_a_fine_time_has_one_id_wherever_and_however_often_it_arrives():
    assert ids(FINE, "a", "b", "a") == ids(FINE, "a", "b", "a", record_id="r2")
    assert len(set(ids(FINE, "a", "b", "a"))) == 2


def test_equal_lines_of_one_whole_second_are_told_apart_by_their_number_in_the_firehose_record():
    assert len(set(ids(WHOLE, "a", "a", "a", "b"))) == 4
    assert ids(WHOLE, "a", "a") == ids(WHOLE, "a", "a", record_id="r2")


def test_other_lines_between_do_not_change_the_number_of_an_occurrence():
    first, _, second = ids(WHOLE, "a", "b", "a")

    assert [first, second] == ids(WHOLE, "a", "a")


def test_record_without_a_time_is_known_by_the_firehose_record_it_came_in():
    assert len(set(ids("", "a", "a"))) == 2
    assert ids("", "a", "a") == ids("", "a", "a")
    assert not set(ids("", "a", "a")) & set(ids("", "a", "a", record_id="r2"))


@pytest.mark.parametrize("time", [FINE, WHOLE, ""])
def test_different_contents_have_different_ids(time):
    assert len(set(ids(time, "a", "b", "a\n1\n", "a\n1\nr1"))) == 4


@pytest.mark.parametrize("time", [FINE, WHOLE, ""])
def test_lines_of_two_sources_have_different_ids(time):
    assert not set(ids(time, "a", "a")) & set(ids(time, "a", "a", shared=b"1"))


def test_an_occurrence_is_never_taken_for_content():
    """What is hashed for a second occurrence is no content that a line could have."""
    assert len({*ids(WHOLE, "a", "a"), *ids("", "a", "a"), *ids(FINE, "a", "a1\n", "a\n1\nr1")}) == 7
