"""The promise of event_id: the same for every delivery of a record, different for different records."""

import pytest

from lambdas.transform.event_id import Arrival, derive_event_id

FINE = "2026-11-21T02:36:00.000000001Z"
WHOLE = "2026-11-21T02:36:00.000000000Z"


def arrive(record_id="r1"):
    return Arrival(record_id=record_id, time=FINE)


def ids(time, *contents, record_id="r1"):
    arrival = arrive(record_id)
    return [derive_event_id(content, time=time, arrival=arrival) for content in contents]


def test_id_is_32_hexadecimal_digits():
    (event_id,) = ids(FINE, b"{}")

    assert len(event_id) == 32
    assert int(event_id, 16)


def test_record_with_a_fine_time_has_one_id_wherever_and_however_often_it_arrives():
    assert ids(FINE, b"a", b"b", b"a") == ids(FINE, b"a", b"b", b"a", record_id="r2")
    assert len(set(ids(FINE, b"a", b"b", b"a"))) == 2


def test_equal_lines_of_one_whole_second_are_told_apart_by_their_number_in_the_firehose_record():
    assert len(set(ids(WHOLE, b"a", b"a", b"a", b"b"))) == 4
    assert ids(WHOLE, b"a", b"a") == ids(WHOLE, b"a", b"a", record_id="r2")


def test_other_lines_between_do_not_change_the_number_of_an_occurrence():
    first, _, second = ids(WHOLE, b"a", b"b", b"a")

    assert [first, second] == ids(WHOLE, b"a", b"a")


def test_record_without_a_time_is_known_by_the_firehose_record_it_came_in():
    assert len(set(ids(None, b"a", b"a"))) == 2
    assert ids(None, b"a", b"a") == ids(None, b"a", b"a")
    assert not set(ids(None, b"a", b"a")) & set(ids(None, b"a", b"a", record_id="r2"))


@pytest.mark.parametrize("time", [FINE, WHOLE, None])
def test_different_contents_have_different_ids(time):
    assert len(set(ids(time, b"a", b"b", b"a\n1\n", b"a\n1\nr1"))) == 4
