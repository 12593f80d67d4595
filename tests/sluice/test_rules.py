"""A route's rules in sluice.yaml: what is wrong with them is told with its place and its remedy."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice import limits
from sluice.load import load
from sluice.problems import ConfigError, Problem
from sluice.routes import hashes, rules_json

HEALTH = {"field": "attributes.url.path", "equals": "/health"}
GOOD: dict[str, Any] = {
    "drop": [{"name": "health", "where": [HEALTH, {"severity_below": "WARN"}]}],
    "sample": [{"name": "debug", "keep_percent": 1, "by": "trace_id", "where": [{"tag": "web*"}]}],
    "redact": [
        {"pattern": "card"},
        {"pattern": "email", "action": "hash"},
        {"name": "token", "regex": r"tok_[a-z0-9]{24}\b", "action": "remove"},
        {"field": "attributes.user.password", "action": "remove"},
    ],
    "formats": ["logfmt", "access"],
    "oversize": "split",
}


def problems(folder: Path, **route: Any) -> tuple[Problem, ...]:
    file = folder / "sluice.yaml"
    routes = [{"name": "web", "match": "web*", **route}]
    file.write_text(yaml.safe_dump({"name": "sluice", "environments": {"dev": {}}, "routes": routes}, sort_keys=False))
    try:
        load(file)
    except ConfigError as error:
        return error.problems
    return ()


def test_the_good_ones_are_good(tmp_path: Path) -> None:
    assert problems(tmp_path, **GOOD) == ()


def test_the_function_is_told_what_is_not_the_default(tmp_path: Path) -> None:
    problems(tmp_path, **GOOD)
    [route, _] = load_routes(tmp_path)
    assert json.loads(rules_json(route)) == {
        **GOOD,
        "drop": [{"name": "health", "where": [HEALTH, {"severity_below": "WARN"}]}],
        "sample": [{"name": "debug", "keep_percent": 1.0, "by": "trace_id", "where": [{"tag": "web*"}]}],
    }
    assert hashes(route)
    problems(tmp_path, redact=[{"pattern": "card"}])
    assert not hashes(load_routes(tmp_path)[0])


def load_routes(folder: Path) -> Any:
    from sluice.model import routes_of  # noqa: PLC0415

    return routes_of(load(folder / "sluice.yaml"))


def where(*conditions: Any) -> dict[str, Any]:
    return {"drop": [{"name": "x", "where": list(conditions)}]}


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"redact": [{"pattern": "crad"}]}, "redact[0].pattern", "'card'"),
    ({"redact": [{"pattern": "card", "action": "msak"}]}, "redact[0].action", "'mask'"),
    ({"redact": [{"patern": "card"}]}, "redact[0].patern", "did you mean 'pattern'"),
    ({"redact": [{}]}, "redact[0]", "one of pattern, regex, field"),
    ({"redact": [{"pattern": "card", "field": "body"}]}, "redact[0]", "one of pattern, regex, field"),
    ({"redact": [{"pattern": "card", "name": "cards"}]}, "redact[0].name", "take the name out"),
    ({"redact": [{"regex": "a+"}]}, "redact[0].regex", "add a name"),
    ({"redact": [{"name": "x", "regex": "(?<=a)b"}]}, "redact[0].regex", "without lookaround"),
    ({"redact": [{"name": "x", "regex": r"(a)\1"}]}, "redact[0].regex", "without lookaround"),
    ({"redact": [{"name": "x", "regex": "a*"}]}, "redact[0].regex", "one character or more"),
    ({"redact": [{"field": "user.email"}]}, "redact[0].field", "attributes.NAME"),
    ({"redact": [{"field": "attributes"}]}, "redact[0].field", "attributes.NAME"),
    ({"redact": [{"field": "attributes." + ".".join("abcdefghi")}]}, "redact[0].field", "eight parts"),
    ({"redact": [{"field": "severity.text"}]}, "redact[0].field", "another field"),
    ({"redact": [{"pattern": "card"}, {"pattern": "card"}]}, "redact[1]", "each pattern once"),
    ({"redact": [{"pattern": "card"}, {"name": "card", "field": "body"}]}, "redact[1]", "name of its own"),
    ({"drop": [{"name": "x", "where": []}]}, "drop[0].where", "all of which"),
    ({"drop": [{"name": "X", "where": [HEALTH]}]}, "drop[0].name", "lower-case"),
    ({"drop": [{"name": "empty", "where": [HEALTH]}]}, "drop[0].name", "another name"),
    (
        {"drop": [{"name": "x", "where": [HEALTH]}], "sample": [{"name": "x", "keep_percent": 1}]},
        "sample[0].name",
        "its own",
    ),
    (where({}), "drop[0].where[0]", "one of equals, prefix, contains, regex, exists, severity_below, tag"),
    (where({**HEALTH, "prefix": "/"}), "drop[0].where[0]", "has to hold as a whole"),
    (where(HEALTH, {"equals": 3}), "drop[0].where[1].equals", "add field"),
    (where({"field": "body", "tag": "a"}), "drop[0].where[0].field", "take field out"),
    (where({"field": "body", "regex": "("}), "drop[0].where[0].regex", "without lookaround"),
    (where({"field": "body", "equals": [1]}), "drop[0].where[0].equals", "text, number or truth value"),
    (where({"severity_below": "info"}), "drop[0].where[0].severity_below", "'INFO'"),
    ({"sample": [{"name": "x"}]}, "sample[0].keep_percent", "add it"),
    ({"sample": [{"name": "x", "keep_percent": 0}]}, "sample[0].keep_percent", "more than 0"),
    ({"sample": [{"name": "x", "keep_percent": 100}]}, "sample[0].keep_percent", "less than 100"),
    ({"sample": [{"name": "x", "keep_percent": 1, "by": "tag"}]}, "sample[0].by", "'trace_id'"),
    ({"formats": ["nginx"]}, "formats[0]", "'nginx_error'"),
    ({"formats": []}, "formats", "left out"),
    ({"formats": ["logfmt"], "steps": ["json"]}, "formats", "add text to steps"),
    ({"oversize": "cut"}, "oversize", "'truncate' or 'split'"),
]


@pytest.mark.parametrize(("route", "key", "remedy"), WRONG, ids=[f"{w[1]}: {w[2]}" for w in WRONG])
def test_one_wrong_value_is_one_problem_that_names_it(
    tmp_path: Path, route: dict[str, Any], key: str, remedy: str
) -> None:
    [problem] = problems(tmp_path, **route)
    assert problem.key == f"routes[0].{key}"
    assert remedy in problem.remedy
    assert problem.line > 0


def test_rules_fit_into_the_functions_environment_or_are_refused(tmp_path: Path) -> None:
    """As Lambda measures it: JSON, in which every quote of the rules is two characters."""

    def rules(length: int) -> dict[str, Any]:
        return {
            "redact": [{"name": f"r{at}", "regex": "a" * 500} for at in range(5)]
            + [{"name": "z", "regex": "b" * length}]
        }

    empty = len(json.dumps({"SLUICE_RULES": json.dumps(rules(0), separators=(",", ":"))}))
    room = limits.LAMBDA_ENVIRONMENT_BYTES - 1024 - empty
    assert problems(tmp_path, **rules(room)) == ()
    [problem] = problems(tmp_path, **rules(room + 1))
    assert problem.key == "routes[0]"
    assert "3073 bytes" in problem.message
    assert "shorten expressions and names by 1 bytes" in problem.remedy
