"""A batch as a whole: lines whose parts lie in several records, and counts that leave nothing out."""

import base64
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.transform.answers import Answers
from lambdas.transform.batch import transform_batch
from lambdas.transform.limits import MAX_DOCUMENT_BYTES, MAX_RESPONSE_BYTES
from lambdas.transform.pipeline import make_pipeline
from lambdas.transform.settings import Settings
from lambdas.transform.spec import Condition, Drop

NOW = "2026-11-21T02:36:31.000000000Z"
ALL = make_pipeline(Settings())
LINE = '{"event": "inventory", "level": "info", "shelves": [1, 2, 3]}'


def part(ordinal, text, *, last, identity="p1", container="c1"):
    return json.dumps(
        {
            "container_id": container,
            "source": "stdout",
            "log": text,
            "partial_message": "true",
            "partial_id": identity,
            "partial_ordinal": str(ordinal),
            "partial_last": "true" if last else "false",
            "_tag": "web",
            "_time": f"2026-11-21T02:36:00.00000000{ordinal}Z",
        }
    ).encode()


def documents(answer):
    return [json.loads(line) for line in base64.b64decode(answer.get("data", "")).splitlines()]


def test_a_line_cut_over_two_records_is_one_document_in_the_first(make_event):
    event = make_event(part(1, LINE[:20], last=False), b"other\n" + part(2, LINE[20:], last=True))

    response, tally = transform_batch(event, pipeline=ALL, now=NOW)

    first, second = map(documents, response["records"])
    (whole,) = first
    assert (whole["body"], whole["severity"]["text"]) == ("inventory", "INFO")
    assert whole["attributes"]["shelves"] == [1, 2, 3]
    assert whole["attributes"]["log.record.parts"] == 2
    assert [document["body"] for document in second] == ["other"]
    assert (tally.counts.lines, tally.counts.documents, tally.counts.joined) == (3, 2, 1)


def test_a_record_all_of_whose_lines_are_held_by_another_is_dropped_without_a_loss(make_event):
    event = make_event(part(1, LINE[:20], last=False), part(2, LINE[20:], last=True))

    response, tally = transform_batch(event, pipeline=ALL, now=NOW)

    assert [answer["result"] for answer in response["records"]] == ["Ok", "Dropped"]
    assert tally.dropped == {"joined": 1}
    assert tally.counts.unaccounted == 0


def test_parts_whose_host_fails_are_written_as_they_came(make_event):
    """The first record grows beyond what a response can hold, so the second must not leave its part out."""
    event = make_event(part(1, LINE[:20], last=False) + b"\nx" * 400_000, part(2, LINE[20:], last=True))

    response, tally = transform_batch(event, pipeline=ALL, now=NOW)

    assert [answer["result"] for answer in response["records"]] == ["ProcessingFailed", "Ok"]
    (left,) = documents(response["records"][1])
    assert left["body"] == LINE[20:]
    assert left["attributes"]["log.record.partial"] is True
    assert tally.counts.unaccounted == 0


def test_a_part_whose_others_are_missing_is_kept_and_marked(make_event):
    response, _ = transform_batch(make_event(part(2, LINE[20:], last=True)), pipeline=ALL, now=NOW)

    (left,) = documents(response["records"][0])
    assert left["body"] == LINE[20:]
    assert left["attributes"]["log.record.partial"] is True
    assert left["attributes"]["partial_ordinal"] == "2"


def test_a_trace_in_a_large_record_is_joined_wherever_it_lies(make_event):
    """A record is read in pieces of 64 KiB, but not through a trace."""
    plain = [json.dumps({"log": f"line {number} " + "x" * 100}).encode() for number in range(420)]
    trace = [json.dumps({"log": text}).encode() for text in ("java.lang.Error: x", *["\tat a.B.c(D.java:1)"] * 600)]

    response, tally = transform_batch(make_event(b"\n".join(plain + trace)), pipeline=ALL, now=NOW)

    (answer,) = response["records"]
    assert len(documents(answer)) == 421
    assert documents(answer)[-1]["attributes"]["log.record.lines"] == 601
    assert tally.counts.joined == 600


def test_a_route_without_multiline_joins_nothing(make_event):
    event = make_event(part(1, LINE[:20], last=False), part(2, LINE[20:], last=True))

    response, tally = transform_batch(event, pipeline=make_pipeline(Settings(steps=("json",))), now=NOW)

    assert [document["body"] for answer in response["records"] for document in documents(answer)] == [
        LINE[:20],
        LINE[20:],
    ]
    assert tally.counts.joined == 0


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_bytes_are_counted_as_they_came_and_as_they_go(make_event, size):
    response, tally = transform_batch(make_event(b"x" * size), pipeline=ALL, now=NOW)

    (answer,) = response["records"]
    assert (tally.bytes_in, tally.bytes_out) == (size, len(base64.b64decode(answer["data"])))


def test_lines_that_a_rule_drops_are_counted_by_its_name_and_the_others_delivered(make_event):
    rule = Drop("health", (Condition("body", "contains", "/health"),))
    pipeline = make_pipeline(Settings(drop=(rule,)))

    response, tally = transform_batch(
        make_event(b"GET /health\nGET /\nGET /health", b"/health"), pipeline=pipeline, now=NOW
    )

    assert [answer["result"] for answer in response["records"]] == ["Ok", "Dropped"]
    assert tally.counts.dropped == {"health": 3}
    assert tally.dropped == {"by_rule": 1}
    assert tally.counts.unaccounted == 0


def test_a_control_message_of_cloudwatch_is_dropped_by_name(make_event):
    message = dict.fromkeys(("owner", "logGroup", "logStream"), "")
    message |= {"messageType": "CONTROL_MESSAGE", "subscriptionFilters": []}
    message["logEvents"] = [{"id": "", "timestamp": 1, "message": "checking"}]

    response, tally = transform_batch(make_event(gzip.compress(json.dumps(message).encode())), pipeline=ALL, now=NOW)

    assert [answer["result"] for answer in response["records"]] == ["Dropped"]
    assert (tally.counts.dropped, tally.counts.unaccounted) == ({"cloudwatch_control": 1}, 0)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_events_of_cloudwatch_are_all_written_in_their_order(make_event, count):
    message = dict.fromkeys(("owner", "logGroup", "logStream"), "x")
    message |= {"messageType": "DATA_MESSAGE", "subscriptionFilters": ["f"]}
    message["logEvents"] = [
        {"id": str(number), "timestamp": 1_795_228_560_000, "message": f"line {number}"} for number in range(count)
    ]
    payload = gzip.compress(json.dumps(message).encode()) + gzip.compress(b"\nafter\n")

    response, tally = transform_batch(make_event(payload), pipeline=ALL, now=NOW)

    (answer,) = response["records"]
    bodies = [document["body"] for document in documents(answer)]
    assert bodies == [*(f"line {number}" for number in range(count)), "after"]
    assert (tally.counts.lines, tally.counts.unaccounted) == (count + 1, 0)


def test_a_document_that_is_split_is_one_of_several_lines(make_event):
    event = make_event(b"x" * (2 * MAX_DOCUMENT_BYTES))

    response, tally = transform_batch(event, pipeline=make_pipeline(Settings(oversize="split")), now=NOW)

    (answer,) = response["records"]
    assert "".join(document["body"] for document in documents(answer)) == "x" * (2 * MAX_DOCUMENT_BYTES)
    assert (tally.counts.documents, tally.counts.parts) == (1, len(documents(answer)) - 1)
    assert tally.counts.unaccounted == 0


class Kept:
    """A store that has room."""

    def put_original(self, event_id, data, time):  # noqa: ARG002 - Store's signature
        return f"s3://kept/{event_id}"


def test_a_document_that_is_cut_is_counted_and_says_where_the_whole_is(make_event):
    event = make_event(b"x" * (2 * MAX_DOCUMENT_BYTES))

    response, tally = transform_batch(event, pipeline=make_pipeline(Settings(), store=Kept()), now=NOW)

    (document,) = documents(response["records"][0])
    assert document["attributes"]["log.record.original"] == f"s3://kept/{document['event_id']}"
    assert (tally.counts.documents, tally.counts.truncated, tally.counts.unaccounted) == (1, 1, 0)


def test_room_is_counted_in_bytes_and_not_in_characters(make_event):
    event = make_event("\n".join(["é" * 400_000] * 6).encode(), b"small")

    response, tally = transform_batch(event, pipeline=ALL, now=NOW)

    assert len(json.dumps(response)) <= MAX_RESPONSE_BYTES
    assert [answer["result"] for answer in response["records"]] == ["ProcessingFailed", "Ok"]
    assert [failure.reason for failure in tally.failures] == ["response_too_large"]


def test_a_document_that_cannot_be_cut_fails_its_record_alone(make_event):
    """Without a bucket there is nowhere for the original."""
    event = make_event(b"x" * (2 * MAX_DOCUMENT_BYTES), b"small")

    response, tally = transform_batch(event, pipeline=ALL, now=NOW)

    assert [answer["result"] for answer in response["records"]] == ["ProcessingFailed", "Ok"]
    assert [failure.reason for failure in tally.failures] == ["original_not_stored"]


def test_a_route_to_opensearch_writes_the_search_shape_and_any_other_the_stored_one(make_event):
    event = make_event(b'{"log": "served", "took": "12", "queue.depth": 7, "_tag": "web"}')
    found = []
    for told in (Settings(shape="search", numbers=("queue.depth",)), Settings()):
        response, _ = transform_batch(event, pipeline=make_pipeline(told), now=NOW)
        found += documents(response["records"][0])
    search, stored = found
    delay = search["attributes"].pop("log.record.delay")
    assert search.pop("numbers") == {"took": 12, "queue.depth": 7, "log.record.delay": delay}
    assert search == stored


def test_a_document_for_opensearch_that_is_too_large_is_cut_in_its_own_shape(make_event):
    event = make_event(b'{"log": {"rows": [%b]}, "took": 3}' % b",".join([b'"x"'] * 400_000))
    response, tally = transform_batch(
        event, pipeline=make_pipeline(Settings(steps=(), shape="search"), store=Kept()), now=NOW
    )
    line = base64.b64decode(response["records"][0]["data"])
    assert len(line) <= MAX_DOCUMENT_BYTES
    [document] = documents(response["records"][0])
    assert isinstance(document["body"], str)
    assert document["numbers"]["took"] == 3
    assert tally.counts.truncated == 1


PIECES = st.lists(
    st.sampled_from(
        [
            b"text",
            b"",
            b'{"log":"a"}',
            b'{"log":"Traceback (most recent call last):","_tag":"t"}',
            b'{"log":"  File \\"a.py\\", line 1, in f","_tag":"t"}',
            b'{"log":"ValueError: x","_tag":"t"}',
            part(1, "ab", last=False),
            part(2, "cd", last=True),
            part(1, "only", last=True, identity="p2"),
            b"\x1f\x8b damaged",
            b"GET /health",
        ]
    ),
    max_size=8,
).map(b"\n".join)


@given(st.lists(PIECES, max_size=6))
@settings(deadline=None)
def test_every_line_is_a_document_joined_or_dropped(datas):
    rule = Drop("health", (Condition("body", "contains", "/health"),))
    event = {
        "records": [
            {"recordId": str(number), "data": base64.b64encode(data).decode()} for number, data in enumerate(datas)
        ]
    }

    response, tally = transform_batch(event, pipeline=make_pipeline(Settings(drop=(rule,))), now=NOW)

    assert tally.counts.unaccounted == 0
    assert tally.counts.documents == sum(len(documents(answer)) for answer in response["records"])
    assert tally.records == tally.delivered + tally.dropped.total() + len(tally.failures)


def test_answers_leave_room_for_what_is_not_decided_yet(make_event):
    """A response is full to the last byte however its records are spread."""
    event = make_event(*[b"y" * 100_000] * 60)

    response, tally = transform_batch(event, pipeline=ALL, now=NOW)

    assert len(json.dumps(response)) <= MAX_RESPONSE_BYTES
    assert {failure.reason for failure in tally.failures} == {"response_too_large"}
    assert Answers([]).room > 4_700_000
