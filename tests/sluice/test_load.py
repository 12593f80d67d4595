"""sluice.yaml on bad input: every problem at once, each with its place and its remedy."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sluice.load import load
from sluice.model import CATCH_ALL_NAME, Removal, deployment, routes_of
from sluice.problems import ConfigError, Problem

ROOT = Path(__file__).resolve().parents[2]

GOOD: dict[str, Any] = {
    "name": "sluice",
    "environments": {"dev": {"removal": "destroy"}, "prod": {}},
    "routes": [{"name": "frontend", "match": "frontend*"}, {"name": "backend", "match": "backend*"}],
}


def problems(file: Path, tree: object) -> tuple[Problem, ...]:
    file.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree, sort_keys=False))
    try:
        load(file)
    except ConfigError as error:
        return error.problems
    return ()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sluice.yaml"


def changed(path: str, value: object) -> dict[str, Any]:
    """The good configuration with one key set, as `aggregator.cpu`."""
    tree = yaml.safe_load(yaml.safe_dump(GOOD))
    holder, *rest = tree, *path.split(".")
    for part in rest[:-1]:
        holder = holder[int(part)] if part.isdigit() else holder.setdefault(part, {})
    holder[rest[-1]] = value
    return tree


def test_the_good_one_is_good(file: Path) -> None:
    assert problems(file, GOOD) == ()
    assert load(ROOT / "sluice.yaml").name == "sluice"


WRONG = [
    ("netwrok", {}, "netwrok", "did you mean 'network'"),
    ("environments.dev.removal", "destory", "environments.dev.removal", "'retain' or 'destroy'"),
    ("name", "Sluice", "name", "lower-case"),
    ("name", "a" * 21, "name", "lower-case"),
    ("network", {"kind": "old"}, "network", "'new', 'existing'"),
    ("aggregator.cpu", 1000, "aggregator.cpu", "256, 512, 1024"),
    ("aggregator.memory_mib", 512, "aggregator.memory_mib", "1024 to 4096"),
    ("aggregator.min_tasks", 1, "aggregator.min_tasks", "take 2 or more"),
    ("aggregator.max_tasks", 1, "aggregator.max_tasks", "take 2 or more"),
    ("aggregator.ephemeral_storage_gib", 201, "aggregator.ephemeral_storage_gib", "20 to 200"),
    ("aggregator.image", {"base_tag": "latest"}, "aggregator.image.base_tag", "exact tag"),
    ("listeners", [{"port": 80}], "listeners[0].port", "1024 to 65535"),
    ("listeners", [{}, {"name": "other"}], "listeners[1].port", "port of its own"),
    ("listeners", [{}, {"port": 24225}], "listeners[1].name", "name of its own"),
    ("routes.1.name", "frontend", "routes[1].name", "name of its own"),
    ("routes.1.name", "front-end", "routes[1].name", "name of its own"),
    ("environments.local", {}, "environments.local", "another name"),
    ("listeners", [{"name": f"l{n}", "port": 3000 + n} for n in range(6)], "listeners", "one to five"),
    ("routes.1.match", "frontend-web*", "routes[1].match", "move this route above 'frontend'"),
    ("routes.1.match", "frontend*", "routes[1].match", "narrower"),
    ("routes.0.match", "*", "routes[1].match", "move this route above"),
    ("routes.0.match", "sluice.x*", "routes[0].match", "another tag"),
    ("routes.0.name", "catch-all", "routes[0].name", "rename the route"),
    ("routes.0.steps", ["jsn"], "routes[0].steps[0]", "'json'"),
    ("routes.0.destination", {"kind": "s4"}, "routes[0].destination", "'s3'"),
    ("network", {"kind": "new", "cidr": "10.0.0.0/8"}, "network.cidr", "between /16 and /26"),
    ("network", {"kind": "new", "cidr": "10.0.0.0/27"}, "network.cidr", "between /16 and /26"),
    ("environments.dev.retention", {"service_logs_days": 6}, "environments.dev.retention.service_logs_days", "5, 7"),
    ("environments.dev.account", 123, "environments.dev.account", "account"),
    ("environments.dev.aggregator", {"cpu": 1}, "environments.dev.aggregator.cpu", "256, 512"),
]


@pytest.mark.parametrize(("path", "value", "key", "remedy"), WRONG, ids=[f"{w[0]}={w[1]}" for w in WRONG])
def test_one_wrong_value_is_one_problem_that_names_it(
    file: Path, path: str, value: object, key: str, remedy: str
) -> None:
    tree = changed(path, value)
    found = problems(file, tree)
    assert [problem.key for problem in found] == [key]
    assert remedy in found[0].remedy
    assert found[0].file == str(file)
    assert found[0].line > 0


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [
        # As https://docs.aws.amazon.com/firehose/latest/dev/limits.html has them, not as limits.py does.
        ("size_mib", 1, 128),
        ("interval_seconds", 0, 900),
        ("transform_size_mb", 0.2, 1.5),  # half of what Firehose takes, see limits.py
        ("transform_interval_seconds", 0, 900),
    ],
)
def test_buffers_at_firehoses_limits_and_one_past(file: Path, key: str, least: float, most: float) -> None:
    step = 0.1 if isinstance(least, float) else 1
    for value in (least, most):
        assert problems(file, changed("routes.0.buffering", {key: value})) == ()
    for value in (least - step, most + step):
        (problem,) = problems(file, changed("routes.0.buffering", {key: value}))
        assert problem.key == f"routes[0].buffering.{key}"
        assert "Firehose takes" in problem.remedy


def test_names_are_counted_with_their_prefix(file: Path) -> None:
    """The load balancer's name is the tightest: `<name>-<environment>-logs` in 32 characters."""
    fits = {**GOOD, "name": "n" * 13, "environments": {"e" * 13: {}}}
    assert problems(file, fits) == ()
    (problem,) = problems(file, {**fits, "name": "n" * 14})
    assert "load balancer" in problem.message
    assert "shorten" in problem.remedy


def test_all_problems_come_at_once(file: Path) -> None:
    text = """\
name: sluice
environments:
  dev: {removal: destory, aggregator: {memory_mib: 999}}
aggregator: {min_tasks: 1, maxtasks: 3}
routes:
  - {name: a, match: "front*", buffering: {size_mib: 500}}
  - {name: a, match: "frontend*"}
"""
    found = [(problem.line, problem.key) for problem in problems(file, text)]
    assert found == [
        (3, "environments.dev.removal"),
        (3, "environments.dev.aggregator.memory_mib"),
        (4, "aggregator.maxtasks"),
        (4, "aggregator.min_tasks"),
        (6, "routes[0].buffering.size_mib"),
        (7, "routes[1].name"),
        (7, "routes[1].match"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("name: a\nname: b", "given twice"),
        ("a: &x 1\nb: *x", "aliases"),
        ("[]", "name"),
        ("- 1", "dictionary"),
        ("", "missing"),
        ("\x00", "is not YAML"),
        ("a: " + "[" * 500, "is not YAML"),
        ("a: " + "[" * 500_000, "brackets"),
        ("#" * (1024 * 1024 + 1), "larger"),
    ],
)
def test_what_is_not_a_configuration(file: Path, text: str, message: str) -> None:
    found = problems(file, text)
    assert message in " ".join(f"{problem.key} {problem.message}" for problem in found)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml.*there is no such file"):
        load(tmp_path / "nowhere.yaml")


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["new", "*", "frontend"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "match", "routes", "environments", "network", "kind", "listeners", "port", "dev"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(TREES)
def test_whatever_it_holds_it_is_a_configuration_or_problems(tmp_path_factory: Any, tree: object) -> None:
    file = tmp_path_factory.mktemp("config") / "sluice.yaml"
    assert all(problem.message and problem.remedy for problem in problems(file, tree))


def test_every_configuration_ends_in_a_catch_all(file: Path) -> None:
    problems(file, GOOD)
    assert [route.name for route in routes_of(load(file))] == ["frontend", "backend", CATCH_ALL_NAME]
    problems(file, {**GOOD, "routes": []})
    assert [route.match for route in routes_of(load(file))] == ["*"]
    problems(file, changed("routes", [{"name": "everything", "match": "*"}]))
    assert [route.name for route in routes_of(load(file))] == ["everything"]


def test_an_environment_changes_only_what_it_names(file: Path) -> None:
    tree = changed("environments.dev.aggregator", {"max_tasks": 4})
    tree["aggregator"] = {"cpu": 512, "memory_mib": 1024}
    assert problems(file, tree) == ()
    config = load(file)
    dev, prod = deployment(config, "dev"), deployment(config, "prod")
    assert (dev.aggregator.cpu, dev.aggregator.max_tasks) == (512, 4)
    assert (prod.aggregator.cpu, prod.aggregator.max_tasks) == (512, 10)
    assert (dev.removal, prod.removal) == (Removal.DESTROY, Removal.RETAIN)
    assert dev.routes == prod.routes


def test_an_existing_network_in_one_zone_is_refused(file: Path) -> None:
    network = {
        "kind": "existing",
        "vpc_id": "vpc-0123456789abcdef0",
        "cidr": "10.0.0.0/16",
        "availability_zones": ["eu-west-1a", "eu-west-1b"],
        "private_subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    }
    assert problems(file, {**GOOD, "network": network}) == ()
    one = {**network, "availability_zones": ["eu-west-1a", "eu-west-1a"]}
    assert [problem.key for problem in problems(file, {**GOOD, "network": one})] == ["network.availability_zones"]
    three = {**network, "private_subnet_ids": ["subnet-01234567", "subnet-89abcdef", "subnet-0123456789abcdef0"]}
    (problem,) = problems(file, {**GOOD, "network": three})
    assert "2 zones for 3 subnets" in problem.message
