"""What a line of Firehose's becomes in the failed index, and what never gets there."""

import base64
import gzip
import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.search import failed
from lambdas.search.failed import MALFORMED, MORE, Place, row_id, rows

KEY = "failed/route=web/reason={}/year=2026/month=11/day=21/hour=02/sluice-prod-web-1"
SECRET = b'{"log":"password=hunter2"}'
PROCESSING = {
    "attemptsMade": 4,
    "arrivalTimestamp": 1795228590123,
    "errorCode": "Lambda.FunctionError",
    "errorMessage": "The Lambda function was invoked but it returned an error result.",
    "attemptEndingTimestamp": 1795228600000,
    "rawData": base64.b64encode(SECRET).decode(),
    "lambdaArn": "arn:aws:lambda:eu-central-1:111122223333:function:sluice-prod-web-transform",
}
REFUSED = {
    "attemptsMade": 1,
    "arrivalTimestamp": 1795228590123,
    "errorCode": "400",
    "errorMessage": '{"type":"mapper_parsing_exception","reason":"failed to parse field [x]"}',
    "attemptEndingTimestamp": 1795228600000,
    "esDocumentId": "49660",
    "esIndexName": "sluice-prod-web-2026-11-21",
    "esTypeName": None,
    "rawData": base64.b64encode(b'{"body":"redacted"}').decode(),
}


def place(reason="processing-failed"):
    return Place.of(bucket="logs", key=KEY.format(reason), time="2026-11-21T02:36:00Z")


def lines(*told):
    return b"".join(json.dumps(one).encode() + b"\n" for one in told)


def read(data, reason="processing-failed", *, size=7):
    return list(rows(place(reason), (data[at : at + size] for at in range(0, len(data), size))))


def test_record_that_was_not_transformed_is_told_without_its_data():
    (row,) = read(lines(PROCESSING))
    assert row == {
        "@timestamp": "2026-11-21T02:36:30.123Z",
        "route": "web",
        "reason": "processing-failed",
        "code": "Lambda.FunctionError",
        "message": "The Lambda function was invoked but it returned an error result.",
        "index": None,
        "bytes": len(SECRET),
        "sha256": sha256(SECRET).hexdigest(),
        "object": f"s3://logs/{KEY.format('processing-failed')}",
        "line": 1,
    }


def test_document_that_opensearch_refused_is_told_with_its_head():
    (row,) = read(lines(REFUSED), "AmazonOpenSearchService-failed")
    assert (row["code"], row["index"], row["raw"]) == ("400", "sluice-prod-web-2026-11-21", '{"body":"redacted"}')


def test_what_a_line_says_of_itself_does_not_make_it_redacted():
    told = {**REFUSED, "rawData": PROCESSING["rawData"], "reason": "AmazonOpenSearchService-failed"}
    assert "hunter2" not in json.dumps(read(lines(told)))


@pytest.mark.parametrize("reason", ["format-conversion-failed", "AmazonOpenSearchService-failed2", "x"])
def test_data_of_any_other_failure_stays_in_the_failure_store(reason):
    assert "raw" not in read(lines(REFUSED), reason)[0]


def test_head_is_as_long_as_promised_and_no_longer():
    data = ("é" * 40_000).encode()
    told = {**REFUSED, "rawData": base64.b64encode(data).decode()}
    (row,) = read(lines(told), "AmazonOpenSearchService-failed", size=1000)
    assert row["raw"] == "é" * 16_384
    assert row["bytes"] == 80_000


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress])
@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_object_is_read_gzipped_or_not_in_any_pieces(pack, size):
    assert [row["line"] for row in read(pack(lines(PROCESSING, PROCESSING)), size=size)] == [1, 2]


def test_several_streams_of_gzip_are_one_object():
    data = gzip.compress(lines(PROCESSING)) + gzip.compress(lines(PROCESSING))
    assert [(row["line"], row["code"]) for row in read(data)] == [
        (1, "Lambda.FunctionError"),
        (2, "Lambda.FunctionError"),
    ]


def test_damaged_object_is_told_after_what_could_be_read():
    whole = gzip.compress(lines(*[PROCESSING] * 2000))
    for data in (whole[:-9], whole[: len(whole) // 2] + b"\xff" * 50):
        found = read(data, size=100)
        assert found[0]["code"] == "Lambda.FunctionError"
        assert found[-1]["code"] == MALFORMED


def test_piece_that_ends_with_the_stream_is_no_damage(monkeypatch):
    data = lines(PROCESSING)
    monkeypatch.setattr(failed, "PIECE_BYTES", len(data))
    assert [row["code"] for row in read(gzip.compress(data), size=100_000)] == ["Lambda.FunctionError"]


@pytest.mark.parametrize(
    "line",
    [b"{", b"null", b"[]", b"7", b"{}", b'{"rawData":7}', b'{"rawData":"%"}', b"\xff\xfe", b"[" * 100_000, b"secret"],
)
def test_malformed_line_is_a_row_without_its_content(line):
    first, second, third = read(lines(PROCESSING) + line + b"\n" + lines(PROCESSING), size=1000)
    assert (second["code"], second["line"], second["bytes"]) == (MALFORMED, 2, len(line))
    assert second["sha256"] == sha256(line).hexdigest()
    assert "secret" not in json.dumps(second)
    assert (first["code"], third["line"]) == ("Lambda.FunctionError", 3)


def test_rows_are_bounded_and_the_rest_is_counted(monkeypatch):
    monkeypatch.setattr(failed, "MOST_ROWS", 3)
    assert len(read(lines(*[PROCESSING] * 3))) == 3
    *told, last = read(lines(*[PROCESSING] * 5))
    assert len(told) == 3
    assert (last["code"], last["message"]) == (MORE, "2 more records of this object have no row")


def test_bytes_are_bounded_and_that_is_told(monkeypatch):
    one = len(lines(PROCESSING))
    monkeypatch.setattr(failed, "MOST_BYTES", one * 3)
    assert len(read(lines(*[PROCESSING] * 3))) == 3
    last = read(gzip.compress(lines(*[PROCESSING] * 4)))[-1]
    assert (last["code"], last["message"]) == (
        MORE,
        "0 more records of this object have no row, and it was not read to its end",
    )


def test_line_without_an_end_takes_bounded_memory(monkeypatch):
    monkeypatch.setattr(failed, "LINE_BYTES", 1000)
    first, second = read(b"x" * 5000 + b"\n" + lines(PROCESSING), size=100)
    assert (first["code"], second["code"]) == (MALFORMED, "Lambda.FunctionError")
    assert first["bytes"] <= 1101


def test_half_a_surrogate_pair_becomes_text_that_an_index_takes():
    (row,) = read(lines({**PROCESSING, "errorMessage": "\ud800 x"}), size=1000)
    assert row["message"] == "\\ud800 x"


def test_empty_object_has_no_rows():
    assert read(b"") == []
    assert read(b"\n\n") == []


@pytest.mark.parametrize("time", [None, "soon", -1, 0, 1e300, float("nan"), True, [], 9_300_000_000_000_000])
def test_time_that_no_index_could_have_is_that_of_the_object(time):
    (row,) = read(lines({**PROCESSING, "arrivalTimestamp": time}), size=1000)
    assert row["@timestamp"] == "2026-11-21T02:36:00Z"


def test_object_elsewhere_is_none_of_failed_records():
    for key in (
        "logs/route=web/x",
        "failed/route=web/x",
        "reasons/route=web/reason=x/y",
        "x/failed/route=a/reason=b/c",
    ):
        assert Place.of(bucket="logs", key=key, time="") is None


def test_ids_differ_by_object_and_line():
    (one,), (again,) = read(lines(PROCESSING)), read(lines(PROCESSING))
    other = read(lines(PROCESSING), "x")[0]
    assert row_id(one) == row_id(again)
    assert len({row_id(one), row_id(other), row_id({**one, "line": 2})}) == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
names = st.sampled_from([*PROCESSING, *REFUSED, "lastErrorCode", "other"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(names, json_values) | json_values), st.binary(max_size=50), st.booleans())
def test_whatever_is_in_an_object_every_line_is_one_row_of_utf8(told, junk, packed):
    data = b"".join(json.dumps(one).encode() + b"\n" for one in told) + junk
    found = read(gzip.compress(data) if packed else data, "AmazonOpenSearchService-failed", size=64)
    if packed or not data.startswith(b"\x1f\x8b"):
        assert [row["line"] for row in found] == [n for n, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    json.dumps(found, ensure_ascii=False).encode()
