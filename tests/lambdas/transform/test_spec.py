"""What a route's rules may be, as the function is told them; whatever is not understood is refused."""

import pytest

from lambdas.transform.spec import Condition, Drop, PartitionKey, Redaction, Sample, Spec, SpecError, read_spec


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


def test_shape_and_keys_of_a_destination():
    told = {"shape": "search", "numbers": ["queue.depth", "took"]}
    assert read_spec(told) == Spec(shape="search", numbers=("queue.depth", "took"))
    told = {
        "shape": "stored",
        "partition_by": [
            {"name": "service", "field": "resource.service.name", "values": ["web", "Shop_2.a-b", "v" * 64]},
            {"name": "a" * 32, "field": "severity.text"},
        ],
    }
    assert read_spec(told).partition_by == (
        PartitionKey("service", "resource.service.name", frozenset({"web", "Shop_2.a-b", "v" * 64})),
        PartitionKey("a" * 32, "severity.text"),
    )


KEY = {"name": "service", "field": "tag"}


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({"shape": "flat"}, "'flat'"),
        ({"shape": None}, "None"),
        ({"numbers": ["took"]}, "numbers are of the search shape"),
        ({"shape": "search", "numbers": "took"}, "list"),
        ({"shape": "search", "numbers": [1]}, "text"),
        ({"shape": "search", "partition_by": [KEY]}, "partition_by is of the stored one"),
        ({"partition_by": KEY}, "list"),
        ({"partition_by": ["tag"]}, "no object"),
        ({"partition_by": [KEY, KEY]}, "one name"),
        ({"partition_by": [KEY | {"default": "x"}]}, "default"),
        ({"partition_by": [{"field": "tag"}]}, "name has to be text"),
        ({"partition_by": [{"name": "service"}]}, "field has to be text"),
        ({"partition_by": [KEY | {"name": "Service"}]}, "'Service'"),
        ({"partition_by": [KEY | {"name": "a" * 33}]}, "cannot be the name"),
        ({"partition_by": [KEY | {"name": ""}]}, "cannot be the name"),
        ({"partition_by": [KEY | {"field": "severity.number"}]}, "'severity.number'"),
        ({"partition_by": [KEY | {"values": "web"}]}, "list"),
        ({"partition_by": [KEY | {"values": []}]}, "the values of 'service'"),
        ({"partition_by": [KEY | {"values": ["a/b"]}]}, "the values of 'service'"),
        ({"partition_by": [KEY | {"values": ["web", ""]}]}, "the values of 'service'"),
        ({"partition_by": [KEY | {"values": ["v" * 65]}]}, "the values of 'service'"),
        ({"partition_by": [KEY | {"values": [1]}]}, "text"),
    ],
)
def test_what_no_destination_has_is_refused_and_named(told, wrong):
    with pytest.raises(SpecError, match=wrong):
        read_spec(told)


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
