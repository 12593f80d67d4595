"""Who stays in a sample is decided by an id, the same way every time, and errors stay unless told otherwise."""

from hashlib import md5

import pytest

from lambdas.transform.document import Document, Resource, Source
from lambdas.transform.levels import read_level

SOURCE = Source(resource=Resource({}), tag="web", attributes={}, shared=b"")


def document(number, *, level=None, trace=None, body=""):
    made = Document(SOURCE, "2026-11-21T02:36:00.123456789Z", body, md5(str(number).encode()).hexdigest())
    made.severity = read_level(level) if level else None
    made.trace_id = trace
    return made


def kept(rules, documents):
    rules.apply(documents, {})
    return [each.dropped_by is None for each in documents]


@pytest.mark.parametrize("percent", [0.5, 10, 50, 99.5])
def test_the_share_that_is_kept_is_the_one_that_was_asked_for(make_rules, percent):
    rules = make_rules(sample=[{"name": "all", "keep_percent": percent}])
    documents = [document(number) for number in range(10_000)]
    share = sum(kept(rules, documents)) / 100
    # Four standard deviations of a binomial distribution.
    assert abs(share - percent) < 4 * (percent * (100 - percent)) ** 0.5 / 100
    assert {each.dropped_by for each in documents} == {None, "all"}


def test_the_same_record_is_decided_the_same_way_every_time(make_rules):
    first, second = (make_rules(sample=[{"name": name, "keep_percent": 30}]) for name in ("one", "other"))
    documents = [document(number) for number in range(500)]
    again = [document(number) for number in range(500)]
    assert kept(first, documents) == kept(second, again)


def test_what_a_small_share_keeps_a_larger_one_keeps_too(make_rules):
    small, large = (make_rules(sample=[{"name": "all", "keep_percent": percent}]) for percent in (5, 20))
    verdicts = [
        (one, other)
        for one, other in zip(
            kept(small, [document(number) for number in range(2000)]),
            kept(large, [document(number) for number in range(2000)]),
            strict=True,
        )
    ]
    assert (True, True) in verdicts
    assert (True, False) not in verdicts


def test_the_lines_of_a_trace_stay_or_go_together(make_rules):
    rules = make_rules(sample=[{"name": "all", "keep_percent": 50, "by": "trace_id"}])
    traces = [md5(f"trace {number}".encode()).hexdigest() for number in range(200)]
    documents = [document(number, trace=traces[number % 200]) for number in range(2000)]
    verdicts = kept(rules, documents)
    for at in range(200):
        assert len(set(verdicts[at::200])) == 1
    assert 60 < sum(verdicts[:200]) < 140


def test_without_a_trace_the_event_decides(make_rules):
    by_trace = make_rules(sample=[{"name": "all", "keep_percent": 50, "by": "trace_id"}])
    by_event = make_rules(sample=[{"name": "all", "keep_percent": 50}])
    numbers = range(300)
    assert kept(by_trace, [document(number) for number in numbers]) == kept(
        by_event, [document(number, trace="0" * 32) for number in numbers]
    )


@pytest.mark.parametrize("level", ["error", "critical", "alert", "fatal"])
def test_errors_are_kept_unless_the_rule_says_otherwise(make_rules, level):
    polite = make_rules(sample=[{"name": "all", "keep_percent": 0.001}])
    strict = make_rules(sample=[{"name": "all", "keep_percent": 0.001, "errors": True}])
    assert all(kept(polite, [document(number, level=level) for number in range(100)]))
    assert not any(kept(strict, [document(number, level=level) for number in range(100)]))
    assert not any(kept(polite, [document(number, level="warn") for number in range(100)]))


def test_the_first_rule_whose_conditions_hold_decides(make_rules):
    rules = make_rules(
        sample=[
            {"name": "most", "keep_percent": 99.999, "where": [{"field": "body", "equals": "a"}]},
            {"name": "few", "keep_percent": 0.001},
        ]
    )
    documents = [document(number, body="a" if number % 2 else "b") for number in range(100)]
    rules.apply(documents, {})
    assert [each.dropped_by for each in documents] == ["few", None] * 50


def test_a_drop_rule_comes_before_every_sample(make_rules):
    rules = make_rules(
        drop=[{"name": "gone", "where": [{"field": "body", "equals": "a"}]}],
        sample=[{"name": "few", "keep_percent": 0.001}],
    )
    documents = [document(1, body="a", level="error"), document(2, body="b"), document(3, body="b", level="error")]
    rules.apply(documents, {})
    assert [each.dropped_by for each in documents] == ["gone", "few", None]


def test_what_is_dropped_is_not_redacted_and_not_judged_again(make_rules):
    rules = make_rules(drop=[{"name": "gone", "where": [{"tag": "web"}]}], redact=[{"pattern": "ipv4"}])
    made, before = document(1, body="10.0.0.1"), document(2, body="10.0.0.1")
    before.dropped_by = "earlier"
    rules.apply([made, before], counts := {})
    assert [each.dropped_by for each in (made, before)] == ["gone", "earlier"]
    assert counts == {}


def test_no_rules_are_no_rules(make_rules):
    assert not make_rules()
    assert make_rules(sample=[{"name": "few", "keep_percent": 1}])
    assert make_rules(redact=[{"pattern": "ipv4"}])
    assert make_rules(drop=[{"name": "gone", "where": [{"tag": "web"}]}])
