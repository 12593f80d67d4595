"""Which documents a condition takes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.transform.document import Document, Resource, Source
from lambdas.transform.levels import read_level
from lambdas.transform.rules.conditions import Glob, compile_conditions
from lambdas.transform.spec import read_spec


def document(level="info"):
    source = Source(
        resource=Resource({"service": {"name": "shop"}, "host.name": "a"}), tag="web-1", attributes={}, shared=b""
    )
    made = Document(source, "2026-11-21T02:36:00.123456789Z", "GET /health 200", "0" * 32)
    made.severity = read_level(level)
    made.attributes = {
        "url.path": "/health",
        "http.response.status_code": 200,
        "ok": True,
        "none": None,
        "http": {"request.method": "GET", "request": {"size": 1.5}},
        "list": ["a"],
    }
    return made


def holds(*conditions, of=None):
    [rule] = read_spec({"drop": [{"name": "x", "where": list(conditions)}]}).drop
    return compile_conditions(rule.where)(of or document())


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "attributes.url.path", "equals": "/health"},
        {"field": "attributes.url.path", "prefix": "/he"},
        {"field": "attributes.url.path", "contains": "alt"},
        {"field": "attributes.url.path", "regex": "^/h.*h$"},
        {"field": "attributes.http.response.status_code", "equals": "200"},
        {"field": "attributes.http.response.status_code", "regex": "^2[0-9]{2}$"},
        {"field": "attributes.ok", "equals": "true"},
        {"field": "attributes.http.request.method", "equals": "GET"},
        {"field": "attributes.http.request.size", "equals": "1.5"},
        {"field": "attributes.none", "exists": "true"},
        {"field": "attributes.absent", "exists": "false"},
        {"field": "attributes.url.path.absent", "exists": "false"},
        {"field": "resource.service.name", "equals": "shop"},
        {"field": "resource.host.name", "equals": "a"},
        {"field": "body", "contains": "/health"},
        {"field": "severity.text", "equals": "INFO"},
        {"field": "tag", "prefix": "web"},
        {"tag": "web*"},
        {"severity_below": "WARN"},
    ],
)
def test_conditions_that_hold(condition):
    assert holds(condition)


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "attributes.url.path", "equals": "/Health"},
        {"field": "attributes.url.path", "prefix": "health"},
        {"field": "attributes.url.path", "contains": "x"},
        {"field": "attributes.url.path", "regex": "^health"},
        {"field": "attributes.absent", "equals": ""},
        {"field": "attributes.absent", "exists": "true"},
        {"field": "attributes.url.path", "exists": "false"},
        {"field": "attributes.none", "equals": "None"},
        {"field": "attributes.list", "contains": "a"},
        {"field": "attributes.http", "contains": "GET"},
        {"tag": "api*"},
        {"severity_below": "INFO"},
    ],
)
def test_conditions_that_do_not_hold(condition):
    assert not holds(condition)


def test_all_conditions_have_to_hold():
    yes, no = {"field": "body", "prefix": "GET"}, {"tag": "api*"}
    assert holds(yes, yes)
    assert not holds(yes, no)
    assert not holds(no, yes)


def test_an_unknown_severity_is_below_nothing():
    made = document()
    made.severity = None
    assert not holds({"severity_below": "FATAL"}, of=made)
    assert not holds({"field": "severity.text", "exists": "true"}, of=made)


def test_a_document_without_body_and_tag_has_none():
    source = Source(resource=Resource({}), tag=None, attributes={}, shared=b"")
    made = Document(source, "2026-11-21T02:36:00.123456789Z", None, "0" * 32)
    assert not holds({"tag": "*"}, of=made)
    for field in ("tag", "body"):
        assert holds({"field": field, "exists": "false"}, of=made)


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
@example("*a*a*", "a")
def test_a_glob_is_what_the_shell_takes_for_it(glob, tag):
    def slow(glob, tag):
        if not glob:
            return not tag
        if glob[0] == "*":
            return any(slow(glob[1:], tag[at:]) for at in range(len(tag) + 1))
        return bool(tag) and tag[0] == glob[0] and slow(glob[1:], tag[1:])

    assert Glob(glob).matches(tag) == slow(glob, tag)
