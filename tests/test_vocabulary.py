"""Names that sluice.yaml and the transformer share, and that neither can import from the other."""

from typing import get_args

from lambdas.transform import settings, spec
from lambdas.transform.formats import PARSERS
from lambdas.transform.levels import read_level
from lambdas.transform.rules.patterns import PATTERNS
from sluice import routes, rule_checks, rules


def test_steps_are_the_same_in_the_same_order():
    assert get_args(routes.Steps) == routes.DEFAULT_STEPS == settings.STEP_NAMES


def test_formats_are_the_transformers_parsers():
    assert set(get_args(routes.Format)) == set(PARSERS)


def test_patterns_are_the_same_in_the_order_they_are_applied():
    assert get_args(rules.Pattern) == spec.PATTERN_NAMES == tuple(PATTERNS)


def test_levels_are_read_as_what_they_are_called():
    for level in get_args(rules.Level):
        found = read_level(level)
        assert found is not None
        assert found.text == level


def test_actions_tests_and_what_becomes_of_the_oversize_are_the_same():
    assert get_args(rules.Action) == get_args(spec.Action)
    assert {"field", *get_args(spec.Test)} == rules.Condition.model_fields.keys()
    assert get_args(routes.Route.model_fields["oversize"].annotation) == get_args(spec.Oversize)
    assert rules.Sample.model_fields.keys() == {"name", "where", "keep_percent", "by", "errors"}
    assert rules.Redaction.model_fields.keys() == {"pattern", "regex", "field", "name", "action"}


def test_the_variable_of_the_rules_has_one_name():
    assert rule_checks.RULES_VARIABLE == settings.RULES_VARIABLE


def test_what_one_writes_the_other_reads():
    told = {
        "name": "web",
        "match": "web*",
        "formats": ["logfmt"],
        "redact": [{"pattern": "card"}, {"name": "token", "regex": "tok_[a-z]+", "action": "remove"}],
        "drop": [{"name": "health", "where": [{"field": "attributes.http.response.status_code", "equals": 200}]}],
        "sample": [{"name": "few", "keep_percent": 2.5, "where": [{"field": "body", "exists": False}]}],
        "oversize": "split",
    }
    read = settings.read_settings({"SLUICE_RULES": routes.rules_json(routes.Route.model_validate(told))})
    assert read.formats == ("logfmt",)
    assert [(rule.name, rule.kind, rule.what, rule.action) for rule in read.redact] == [
        ("card", "pattern", "card", "mask"),
        ("token", "regex", "tok_[a-z]+", "remove"),
    ]
    assert read.drop[0].where == (spec.Condition("attributes.http.response.status_code", "equals", "200"),)
    assert read.sample == (spec.Sample("few", (spec.Condition("body", "exists", "false"),), 2.5),)
    assert read.oversize == "split"


def test_a_route_without_rules_tells_nothing():
    assert routes.rules_json(routes.Route(name="web", match="web*")) == ""
