"""What a route's rules may be, as the function is told them; whatever is not understood is refused."""

import pytest

from lambdas.transform.spec import Condition, Drop, Redaction, Sample, Spec, SpecError, read_spec


def test_nothing_told_is_no_rules():
    assert read_spec({}) == Spec(formats=None, redact=(), drop=(), sample=(), oversize="truncate")


def test_everything_that_can_be_told():
    told = {
        "formats": ["logfmt", "access"],
        "redact": [
            {"pattern": "card"},
            {"name": "token", "regex": "tok_[a-z]+", "action": "remove"},
            {"field": "attributes.user.email", "action": "hash"},
        ],
        "drop": [{"name": "health", "where": [{"field": "attributes.url.path", "equals": "/health"}]}],
        "sample": [
            {"name": "few", "keep_percent": 1, "by": "trace_id", "errors": True, "where": [{"severity_below": "INFO"}]},
            {"name": "rest", "keep_percent": 0.5},
        ],
        "oversize": "split",
    }
    assert read_spec(told) == Spec(
        formats=("logfmt", "access"),
        redact=(
            Redaction("card", "pattern", "card", "mask"),
            Redaction("token", "regex", "tok_[a-z]+", "remove"),
            Redaction("attributes.user.email", "field", "attributes.user.email", "hash"),
        ),
        drop=(Drop("health", (Condition("attributes.url.path", "equals", "/health"),)),),
        sample=(
            Sample("few", (Condition("", "severity_below", "INFO"),), 1.0, "trace_id", errors=True),
            Sample("rest", (), 0.5),
        ),
        oversize="split",
    )


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ([], "is no object"),
        ({"redcat": []}, "redcat"),
        ({"oversize": "cut"}, "'cut'"),
        ({"formats": "logfmt"}, "list"),
        ({"formats": [1]}, "text"),
        ({"redact": {}}, "list"),
        ({"redact": ["card"]}, "no object"),
        ({"redact": [{}]}, "one of pattern"),
        ({"redact": [{"pattern": "card", "field": "body"}]}, "one of pattern"),
        ({"redact": [{"pattern": "crad"}]}, "'crad'"),
        ({"redact": [{"pattern": "card", "action": "msak"}]}, "'msak'"),
        ({"redact": [{"pattern": 1}]}, "text"),
        ({"drop": [{"name": "x"}]}, "where has to be a list"),
        ({"drop": [{"where": []}]}, "name has to be text"),
        ({"drop": [{"name": "x", "where": []}]}, "no condition"),
        ({"drop": [{"name": "x", "where": [{}]}]}, "one test"),
        ({"drop": [{"name": "x", "where": [{"equals": "a"}]}]}, "one test"),
        ({"drop": [{"name": "x", "where": [{"field": "body", "tag": "a"}]}]}, "one test"),
        ({"drop": [{"name": "x", "where": [{"field": "body", "equals": 1}]}]}, "text"),
        ({"drop": [{"name": "x", "where": [{"severity_below": "LOUD"}]}]}, "'LOUD'"),
        ({"redact": [{"field": "attributes"}]}, "no field 'attributes'"),
        ({"drop": [{"name": "x", "where": [{"field": "url.path", "equals": "a"}]}]}, "no field 'url.path'"),
        ({"sample": [{"name": "x"}]}, "keep_percent"),
        ({"sample": [{"name": "x", "keep_percent": 0}]}, "between 0 and 100"),
        ({"sample": [{"name": "x", "keep_percent": 100}]}, "between 0 and 100"),
        ({"sample": [{"name": "x", "keep_percent": True}]}, "between 0 and 100"),
        ({"sample": [{"name": "x", "keep_percent": 1, "by": "tag"}]}, "event_id or trace_id"),
        ({"sample": [{"name": "x", "keep_percent": 1, "errors": 1}]}, "true or false"),
    ],
)
def test_what_is_not_understood_is_refused_and_named(told, wrong):
    with pytest.raises(SpecError, match=wrong):
        read_spec(told)
