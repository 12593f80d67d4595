"""A stack trace whose lines came as records of their own is one document, and nothing of it is lost."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.transform.batch import transform_batch
from lambdas.transform.pipeline import make_pipeline
from lambdas.transform.settings import Settings
from lambdas.transform.spec import read_spec

NOW = "2026-11-21T10:00:00.000000000Z"
ARRIVED = 1_795_255_200_000  # which is NOW
TRACE = ["Traceback (most recent call last):", '  File "a.py", line 1, in <module>', "    go()", "ValueError: no"]
PIPELINE = make_pipeline(Settings())


def line(text: str, number: int, *, container: str = "c1", **more: object) -> bytes:
    return json.dumps(
        {"log": text, "source": "stderr", "container_id": container, "_tag": "web", "_time": _time(number), **more}
    ).encode()


def _time(number: int) -> str:
    return f"2026-11-21T09:00:{number // 1000:02d}.{number % 1000:03d}000000Z"


def event(records: Sequence[bytes]) -> dict[str, Any]:
    return {
        "records": [
            {"recordId": str(number), "data": base64.b64encode(data).decode(), "approximateArrivalTimestamp": ARRIVED}
            for number, data in enumerate(records)
        ]
    }


def run(records: Sequence[bytes], **changes: Any) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]], Any]:
    """The results and the documents by recordId, and the counts."""
    pipeline = make_pipeline(Settings(**changes)) if changes else PIPELINE
    response, tally = transform_batch(event(records), pipeline=pipeline, now=NOW)
    results = {answer["recordId"]: answer["result"] for answer in response["records"]}
    documents = {
        answer["recordId"]: [json.loads(each) for each in base64.b64decode(answer["data"]).splitlines()]
        for answer in response["records"]
        if answer["result"] == "Ok"
    }
    return results, documents, tally.counts


def test_the_first_lines_record_holds_the_trace_and_the_others_are_dropped() -> None:
    records = [line("before", 0), *(line(text, n) for n, text in enumerate(TRACE, start=1)), line("after", 9)]
    results, documents, counts = run(records)
    assert results == {"0": "Ok", "1": "Ok", "2": "Dropped", "3": "Dropped", "4": "Dropped", "5": "Ok"}
    [trace] = documents["1"]
    assert trace["body"] == "\n".join(TRACE)
    assert trace["attributes"]["log.record.lines"] == 4
    assert trace["observedTimestamp"] == _time(1)
    assert (counts.lines, counts.documents, counts.joined, counts.unaccounted) == (6, 3, 3, 0)


def test_the_trace_is_the_one_that_a_packed_record_gives() -> None:
    records = [line(text, n) for n, text in enumerate(TRACE)]
    [[apart]] = run(records)[1].values()
    [[packed]] = run([b"\n".join(records)])[1].values()
    assert apart == packed


def test_lines_of_other_containers_in_between_stay_their_own() -> None:
    records = [
        record
        for n, text in enumerate(TRACE)
        for record in (line(text, n), line(f"GET /{n}", n, container="c2"), b"\n".join([line("x", n), line("y", n)]))
    ]
    results, documents, counts = run(records)
    bodies = [document["body"] for each in documents.values() for document in each]
    assert bodies.count("\n".join(TRACE)) == 1
    assert sorted(body for body in bodies if body.startswith("GET")) == [f"GET /{n}" for n in range(4)]
    assert list(results.values()).count("Dropped") == 3
    assert counts.unaccounted == 0


def test_without_the_step_lines_stay_apart() -> None:
    results, _, _ = run([line(text, n) for n, text in enumerate(TRACE)], steps=("severity",))
    assert set(results.values()) == {"Ok"}


def test_a_line_whose_host_failed_is_written_as_it_came() -> None:
    """The host's recordId is there twice, so that it cannot be answered: its lines must not be left out."""
    records = [line(text, n) for n, text in enumerate(TRACE)]
    batch = event([*records, records[0]])
    batch["records"][-1]["recordId"] = "0"
    response, tally = transform_batch(batch, pipeline=PIPELINE, now=NOW)
    answers = {answer["recordId"]: answer for answer in response["records"]}
    assert answers["0"]["result"] == "ProcessingFailed"
    bodies = [json.loads(base64.b64decode(answers[each]["data"]))["body"] for each in ("1", "2", "3")]
    assert bodies == TRACE[1:]
    assert tally.counts.unaccounted == 0


def test_a_dropped_trace_drops_all_of_it() -> None:
    """A rule sees the whole trace, and what it drops is counted once for each line that it held."""
    records = [line(text, n) for n, text in enumerate(TRACE)]
    spec = read_spec({"drop": [{"name": "noise", "where": [{"field": "body", "contains": "ValueError"}]}]})
    results, documents, counts = run(records, drop=spec.drop)
    assert set(results.values()) == {"Dropped"}
    assert documents == {}
    assert counts.unaccounted == 0


def from_kinesis(records: Sequence[bytes], sequences: Sequence[str]) -> dict[str, Any]:
    batch = event(records)
    for member, sequence in zip(batch["records"], sequences, strict=True):
        member["kinesisRecordMetadata"] = {"shardId": "s-0", "sequenceNumber": sequence, "subsequenceNumber": 0}
    return batch


def test_members_of_one_aggregate_are_joined_and_single_records_of_a_data_stream_are_not() -> None:
    """Single ones come from several shards: what was between two of them may be in another batch."""
    records = [line(text, n) for n, text in enumerate(TRACE)]
    for sequences, documents in ((["7"] * 4, 1), (["1", "2", "3", "4"], 4), (["7", "7", "8", "8"], 3)):
        response, tally = transform_batch(from_kinesis(records, sequences), pipeline=PIPELINE, now=NOW)
        delivered = [answer for answer in response["records"] if answer["result"] == "Ok"]
        assert len(delivered) == documents
        assert tally.counts.unaccounted == 0


def test_lines_that_came_out_of_order_are_joined_in_theirs() -> None:
    """The earliest record is the host, for it is answered first; the document is the first line's."""
    records = [line(TRACE[n], n) for n in (2, 0, 3, 1)]
    results, documents, _ = run(records)
    assert results == {"0": "Ok", "1": "Dropped", "2": "Dropped", "3": "Dropped"}
    [trace] = documents["0"]
    assert (trace["body"], trace["observedTimestamp"]) == ("\n".join(TRACE), _time(0))
    assert trace == next(iter(run([line(text, n) for n, text in enumerate(TRACE)])[1].values()))[0]


def test_out_of_order_and_the_host_failed_every_line_is_as_it_came() -> None:
    records = [line(TRACE[n], n) for n in (2, 0, 3, 1)]
    batch = event([*records, records[0]])
    batch["records"][-1]["recordId"] = "0"
    response, _ = transform_batch(batch, pipeline=PIPELINE, now=NOW)
    answers = {answer["recordId"]: answer for answer in response["records"]}
    bodies = [json.loads(base64.b64decode(answers[each]["data"]))["body"] for each in ("1", "2", "3")]
    assert bodies == [TRACE[0], TRACE[3], TRACE[1]]


LINES = st.lists(
    st.tuples(
        st.sampled_from([*TRACE, "plain", "{", '{"a": 1}', "  indented", "panicked at", "", "Caused by: x"]),
        st.sampled_from(["c1", "c2"]),
        st.integers(1, 3),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(lines=LINES)
def test_every_text_is_somewhere_whatever_comes_together(lines: list[tuple[str, str, int]]) -> None:
    records, number = [], 0
    sent: dict[str, list[str]] = {"c1": [], "c2": []}
    for text, container, count in lines:
        packed = []
        for _ in range(count):
            packed.append(line(text, number, container=container))
            sent[container].append(text)
            number += 1
        records.append(b"\n".join(packed))
    results, documents, counts = run(records, steps=("multiline",))
    assert set(results) == {str(at) for at in range(len(records))}
    found: dict[str, list[str]] = {"c1": [], "c2": []}
    for each in documents.values():
        for document in each:
            held = document.get("attributes", {}).get("log.record.lines", 1)
            texts = document["body"].split("\n") if held > 1 else [document["body"]]
            assert len(texts) == held
            found[document["resource"]["container"]["id"]] += texts
    assert {name: sorted(texts) for name, texts in found.items()} == {
        name: sorted(texts) for name, texts in sent.items()
    }
    assert counts.unaccounted == 0
