import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.firehose.record import Dropped, Failed, Ok, Record
from local.firehose.transformation import encode_event, encode_record, read_response

RECORDS = [Record("one", b"1", 1_700_000_000_000), Record("two", b"2", 1_700_000_000_001)]


def entry(record_id: object, result: object = "Ok", data: object = "eA==") -> dict:
    return {"recordId": record_id, "result": result, "data": data}


def judge(answer: object) -> list[object]:
    """The verdicts, a failed one as its code."""
    response = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    verdicts = read_response(response, RECORDS)
    return [verdict.code if isinstance(verdict, Failed) else verdict for verdict in verdicts]


def test_the_event_has_exactly_the_shape_that_firehose_sends():
    event = json.loads(encode_event([encode_record(RECORDS[0])], stream_arn="arn:of:the:stream", region="eu-west-1"))

    assert event.pop("invocationId")
    assert event == {
        "deliveryStreamArn": "arn:of:the:stream",
        "region": "eu-west-1",
        "records": [{"recordId": "one", "approximateArrivalTimestamp": 1_700_000_000_000, "data": "MQ=="}],
    }


def test_each_kind_of_result_is_its_verdict_whatever_the_order():
    assert judge({"records": [entry("two", "Dropped", None), entry("one")]}) == [Ok(b"x"), Dropped()]
    assert judge({"records": [entry("one", "ProcessingFailed"), entry("two", data="")]}) == [
        "Lambda.ProcessingFailedStatus",
        Ok(b""),
    ]


@pytest.mark.parametrize(
    ("entries", "codes"),
    [
        ([entry("one")], [Ok(b"x"), "Lambda.MissingRecordId"]),
        ([entry("one"), entry("two"), entry("other")], [Ok(b"x"), Ok(b"x")]),
        ([entry("one"), entry("two"), entry("one")], ["Lambda.DuplicatedRecordId", Ok(b"x")]),
        ([entry("one", data=None), entry("two")], ["Lambda.InvalidReturnFormat", Ok(b"x")]),
        ([entry("one", "OK"), entry("two")], ["Lambda.FunctionError"] * 2),
        ([entry("one", None), entry("two")], ["Lambda.FunctionError"] * 2),
        ([entry("one", data="not base64!"), entry("two")], ["Lambda.FunctionError"] * 2),
        ([entry("one", data="ü"), entry("two")], ["Lambda.FunctionError"] * 2),
        ([entry("one", data=5), entry("two")], ["Lambda.FunctionError"] * 2),
        ([entry(1), "two", None], ["Lambda.MissingRecordId"] * 2),
    ],
    ids=[
        "missing",
        "unknown",
        "duplicated",
        "no data",
        "wrong result",
        "no result",
        "not base64",
        "not ascii",
        "data not text",
        "no ids",
    ],
)
def test_a_broken_answer_fails_what_it_breaks(entries, codes):
    assert judge({"records": entries}) == codes


@pytest.mark.parametrize("answer", [{}, [], None, {"records": None}, {"records": {}}, {"records": []}, 1])
def test_an_answer_without_records_misses_every_record(answer):
    assert judge(answer) == ["Lambda.MissingRecordId"] * 2


@pytest.mark.parametrize("answer", [b"", b"{", b"\xff", b'{"records": NaN}'])
def test_an_answer_that_is_not_json_fails_the_batch(answer):
    assert judge(answer) == ["Lambda.JsonProcessingException"] * 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["one", "two", "Ok", "eA=="]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["recordId", "result", "data", "x"]), inner),
    max_leaves=8,
)
answers = st.builds(lambda value: {"records": value}, json_values) | json_values


@given(answers.map(lambda answer: json.dumps(answer).encode()) | st.binary())
def test_whatever_a_function_answers_each_record_has_one_verdict(response):
    assert len(read_response(response, RECORDS)) == len(RECORDS)
