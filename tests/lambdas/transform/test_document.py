"""The form of a document."""

import json

import pytest

from lambdas.transform.document import encode
from lambdas.transform.levels import read_level


def test_members_that_are_empty_are_left_out_and_a_body_is_always_there(make_document):
    written = json.loads(encode(make_document(None)))

    assert written.keys() == {"@timestamp", "observedTimestamp", "event_id", "body"}
    assert written["body"] == ""


@pytest.mark.parametrize(
    ("trace_id", "span_id", "ids"),
    [("a" * 32, None, {"traceId": "a" * 32}), (None, "b" * 16, {"spanId": "b" * 16}), (None, None, {})],
)
def test_ids_of_trace_and_span_are_there_each_for_itself(make_document, trace_id, span_id, ids):
    document = make_document("x")
    document.trace_id, document.span_id = trace_id, span_id

    written = json.loads(encode(document))

    assert {name: value for name, value in written.items() if name in ("traceId", "spanId")} == ids


def test_a_document_is_one_line_whatever_it_holds(make_document):
    document = make_document("a\nb\r\u2028", attributes={"c\n": 'd"\n'}, tag='t"\n')
    document.severity = read_level("warn")

    line = encode(document)

    assert (line[-1], line.count("\n")) == ("\n", 1)
    written = json.loads(line)
    assert (written["body"], written["tag"], written["attributes"]) == ("a\nb\r\u2028", 't"\n', {"c\n": 'd"\n'})
    assert written["severity"] == {"text": "WARN", "number": 13}


def test_what_was_rewritten_is_told_once_and_in_order(make_document):
    document = make_document("x")
    document.rewritten = ("number", "encoding", "number")

    assert json.loads(encode(document))["attributes"] == {"log.record.rewritten": ["encoding", "number"]}


def test_a_name_that_is_taken_keeps_its_value(make_document):
    document = make_document("x", attributes={"a": 1, "a#1": 2})
    document.add({"a": 3, "b": 4})
    document.keep("b", 5)

    assert document.attributes == {"a": 1, "a#1": 2, "a#2": 3, "b": 4, "b#1": 5}


def test_attributes_that_documents_share_are_never_changed(make_document):
    shared = {"a": 1}
    document = make_document("x", attributes=shared)
    document.add({"a": 2})
    document.keep("b", 3)

    assert shared == {"a": 1}
