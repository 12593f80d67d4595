import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.language import parse
from query.matching import _fits, decider, number_of
from sluice.search.form import stored_form
from tests.query.stage import document, in_search_shape

TEXT = st.text("ab*", max_size=8)


@given(st.lists(st.text("ab", max_size=2), min_size=2, max_size=4), TEXT)
def test_a_pattern_fits_as_its_expression_does(pieces, text):
    expression = ".*".join(map(re.escape, pieces))
    assert _fits(tuple(pieces), text) == bool(re.fullmatch(expression, text, re.DOTALL))


@given(
    st.one_of(st.text("-+.eE0123456789 _n", max_size=25), st.integers(-(2**63), 2**64 - 1), st.floats(), st.booleans())
)
def test_a_number_is_what_the_transformer_copies_as_one(value):
    copied = in_search_shape(document(weight=value)).get("numbers", {}).get("weight")
    # The field is a double, as Python's numbers are.
    assert number_of(value) == (None if copied is None else float(copied))


def says(text, told):
    return decider(parse(text))(told)


@pytest.mark.parametrize(
    ("level", "body", "shown"),
    [("error", "x", True), ("fatal", "x", True), ("warn", "x", False), (None, "an Error", True), (None, "x", False)],
)
def test_a_severity_alone_is_at_least_so_severe_or_in_the_body(level, body, shown):
    assert says("error", document(body, level=level)) is shown
    assert says("-error", document(body, level=level)) is not shown
    assert says('"error"', document(body, level=level)) is ("rror" in body)


def test_a_level_is_exact_and_a_document_without_one_has_none():
    assert says("level:error", document(level="error"))
    assert not says("level:error", document(level="critical"))
    assert says("level:err", document(level="error"))
    assert not says("level<=fatal", document())
    assert says("-level:*", document())


def test_a_number_in_a_list_is_not_compared_for_it_has_no_copy():
    assert says("weight>1", document(weight=7))
    assert not says("weight>1", document(weight=[7]))
    assert says("weight:7", document(weight=[7]))


def test_a_status_is_http_s_or_the_applications_own():
    assert says("status>=500", document(**{"http.response.status_code": 503}))
    assert says("status>=500", document(status="503"))
    assert says("status:503", document(http={"response": {"status_code": 503}}))
    assert not says("status>=500", document(status="failed"))


@given(
    st.text(max_size=20), st.sampled_from(("x" * 3000, ["y" * 3000, 5], {"a/b~c": "z" * 3000}, 5, None)), st.booleans()
)
def test_a_document_of_opensearch_is_told_as_it_is_in_s3(key, value, nested):
    told = document({"a": [1]} if nested else "text", **{key or "k": value})
    told["resource"] = {"service": {"name": "a"}, "odd": {"x": 5}, "host": {"name": "q" * 2000}}
    told["@timestamp"] = "1960-01-01T00:00:00.000000000Z"
    assert stored_form(in_search_shape(told)) == told
