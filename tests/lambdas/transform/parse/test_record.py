"""A record's members told apart."""

import pytest

from lambdas.transform.event_id import Arrival
from lambdas.transform.parse.record import parse

ARRIVED = "2026-11-21T02:36:30.123000000Z"
READ = "2026-11-21T02:36:00.123456789Z"


def parse_members(**members):
    return parse(members, Arrival(record_id="r1", time=ARRIVED))


def test_docker_record_becomes_body_stream_and_times():
    document = parse_members(_time=READ, _tag="docker.web", source="stderr", log="text", partial_last="true")

    assert (document.time, document.observed, document.tag, document.body) == (READ, READ, "docker.web", "text")
    assert document.attributes == {"log.iostream": "stderr", "partial_last": "true"}


@pytest.mark.parametrize(
    ("carried", "why"),
    [
        ("yesterday", "unparsable"),
        (1795228560, "unparsable"),
        ("1970-01-01T00:00:01.5Z", "before_2000"),
        ("2026-11-22T02:36:30.123000001Z", "after_observed"),
    ],
)
def test_reading_time_that_cannot_be_right_gives_way_to_the_arrival_and_is_kept(carried, why):
    document = parse_members(_time=carried, log="text")

    assert (document.time, document.observed) == (ARRIVED, ARRIVED)
    assert document.attributes == {"_time": carried, "log.record.time_doubt": why}


def test_record_without_a_time_was_observed_when_it_arrived_and_that_is_no_doubt():
    document = parse_members(log="text")

    assert document.observed == ARRIVED
    assert document.attributes == {}


def test_members_that_are_called_like_ours_stay_and_ours_gives_way():
    document = parse_members(**{"log.iostream": "mine", "source": "stdout", "body": "b", "event_id": "e", "tag": "t"})

    assert document.attributes == {
        "log.iostream": "mine",
        "log.iostream#1": "stdout",
        "body": "b",
        "event_id": "e",
        "tag": "t",
    }
    assert document.tag is None


def test_what_had_to_be_rewritten_is_not_taken_for_what_says_so_itself():
    arrival = Arrival(record_id="r1", time=ARRIVED)
    members = {"log": "x", "a": 2, "a#1": 1, "_time": READ}

    assert parse(dict(members), arrival).event_id != parse(dict(members), arrival, ("duplicate_key",)).event_id


def test_a_line_has_the_id_of_its_members_whatever_their_order():
    arrival = Arrival(record_id="r1", time=ARRIVED)
    members = {"log": "x", "container_id": "c", "_tag": "t", "_time": READ, "n": 1}

    first = parse(dict(members), arrival)

    assert parse(dict(reversed(members.items())), arrival).event_id == first.event_id
    for other in ({**members, "log": "y"}, {**members, "_tag": "u"}, {**members, "n": 1.5}, {**members, "n": True}):
        assert parse(dict(other), arrival).event_id != first.event_id


def test_text_is_not_taken_for_a_value_that_is_written_the_same():
    arrival = Arrival(record_id="r1", time=ARRIVED)

    assert (
        parse({"log": "[1]", "_time": READ}, arrival).event_id != parse({"log": [1], "_time": READ}, arrival).event_id
    )
