"""Destinations and ways there: what is refused before anything is made, what is advised, and what it costs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice import prices
from sluice.choices import describe
from sluice.load import load_advised
from sluice.model import Config, deployment
from sluice.problems import ConfigError, Problem
from sluice.route_checks import TAKEN_PARTITIONS

SEARCHED: dict[str, Any] = {"name": "a", "match": "a*", "destination": {"kind": "opensearch"}}
DOMAIN: dict[str, Any] = {"kind": "domain"}
ROLE = "arn:aws:iam::111122223333:role/reader"


def tree(*routes: dict[str, Any], **keys: object) -> dict[str, Any]:
    return {"name": "shop", "environments": {"dev": {}}, "routes": list(routes), **keys}


def to_s3(**destination: object) -> dict[str, Any]:
    return {"name": "a", "match": "a*", "destination": {"kind": "s3", **destination}}


def by(*keys: dict[str, Any]) -> dict[str, Any]:
    return to_s3(partition_by=list(keys))


def via(**kinesis: object) -> dict[str, Any]:
    return {"name": "a", "match": "a*", "via": "kinesis", "kinesis": kinesis}


TENANT = {"name": "tenant", "field": "attributes.tenant"}

WRONG = [
    (tree(SEARCHED), "routes[0].destination", "search: {kind: domain}"),
    (tree(SEARCHED, search={"kind": "cluster"}), "search", "'serverless'"),
    (tree(SEARCHED, search={"kind": "domain", "instances": 3}), "search.instances", "multiple of 2"),
    (
        tree(SEARCHED, search={"kind": "domain", "instances": 1, "zones": 1}),
        "search.indices.replicas",
        "take 0, or more instances",
    ),
    (tree(SEARCHED, search={"kind": "domain", "instances": 3, "zones": 3}), "search.zones", "take 2 or less"),
    (tree(SEARCHED, search={"kind": "domain", "version": "2.17"}), "search.version", "2.19 or later"),
    (tree(SEARCHED, search={"kind": "domain", "volume_gib": 5}), "search.volume_gib", "volume"),
    (tree(SEARCHED, search={"kind": "domain", "readers": ["me"]}), "search.readers[0]", "ARNs"),
    (
        tree(
            SEARCHED,
            search={
                "kind": "existing",
                "endpoint": "http://10.0.0.1:9200",
                "arn": "arn:aws:es:eu-west-1:111122223333:domain/logs",
            },
        ),
        "search.endpoint",
        "https://",
    ),
    (
        tree({**SEARCHED, "destination": {"kind": "opensearch", "rotation": "day"}}, search={"kind": "serverless"}),
        "routes[0].destination.rotation",
        "take rotation out",
    ),
    (
        tree({**SEARCHED, "buffering": {"size_mib": 101}}, search=DOMAIN),
        "routes[0].buffering.size_mib",
        "100 or less",
    ),
    (
        tree({**SEARCHED, "destination": {"kind": "opensearch", "retry_seconds": 7201}}, search=DOMAIN),
        "routes[0].destination.retry_seconds",
        "0 to 7200",
    ),
    (
        tree({**SEARCHED, "destination": {"kind": "opensearch", "numbers": ["a.b", "a.b"]}}, search=DOMAIN),
        "routes[0].destination.numbers[1]",
        "take one out",
    ),
    (
        tree({**SEARCHED, "destination": {"kind": "opensearch", "numbers": ["a.b", "a"]}}, search=DOMAIN),
        "routes[0].destination.numbers[0]",
        "keep the one",
    ),
    (tree(SEARCHED, search=DOMAIN, name="a" * 19), "search", "shorten name"),
    (tree({"name": "a", "match": "a*", "kinesis": {"mode": "on-demand"}}), "routes[0].kinesis", "add via: kinesis"),
    (tree(via(mode="provisioned")), "routes[0].kinesis.shards", "name how many"),
    (tree(via(mode="on-demand", shards=2)), "routes[0].kinesis.shards", "mode: provisioned"),
    (tree(via(retention_hours=23)), "routes[0].kinesis.retention_hours", "24 to 8760"),
    (tree(via(partition_key="a b")), "routes[0].kinesis.partition_key", "`a->b`"),
    (tree(via(key_arn="alias/mine")), "routes[0].kinesis.key_arn", "ARN"),
    (
        tree({**to_s3(format="parquet"), "buffering": {"size_mib": 63}}),
        "routes[0].buffering.size_mib",
        "take 64 to 128",
    ),
    (tree({**by(TENANT), "buffering": {"size_mib": 63}}), "routes[0].buffering.size_mib", "take 64 to 128"),
    (
        tree({**by(TENANT), "buffering": {"interval_seconds": 59}}),
        "routes[0].buffering.interval_seconds",
        "take 60 to 900",
    ),
    (tree(by({**TENANT, "name": "Tenant"})), "routes[0].destination.partition_by[0].name", "lower-case"),
    (tree(by({**TENANT, "field": "body"})), "routes[0].destination.partition_by[0].field", "tag"),
    (tree(by(TENANT, {**TENANT, "field": "tag"})), "routes[0].destination.partition_by[1].name", "name of its own"),
    (
        tree(by({**TENANT, "values": [f"t{n}" for n in range(250)]})),
        "routes[0].destination.partition_by",
        "250 in all",
    ),
    (tree(by({**TENANT, "values": ["a/b"]})), "routes[0].destination.partition_by[0].values[0]", "own"),
    *(
        (tree(by({**TENANT, "name": name})), "routes[0].destination.partition_by[0].name", "another name")
        for name in sorted(TAKEN_PARTITIONS)
    ),
]


def read(file: Path, data: object) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """The problems, and the advice."""
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    try:
        return (), load_advised(file)[1]
    except ConfigError as error:
        return error.problems, ()


@pytest.mark.parametrize(("data", "key", "remedy"), WRONG, ids=[f"{w[1]}-{n}" for n, w in enumerate(WRONG)])
def test_one_wrong_value_is_one_problem_that_names_it(
    tmp_path: Path, data: dict[str, Any], key: str, remedy: str
) -> None:
    problems, _ = read(tmp_path / "sluice.yaml", data)
    assert [problem.key for problem in problems] in ([key], ["environments.dev"])
    assert remedy in problems[0].remedy
    assert problems[0].line > 0


RIGHT = [
    tree(SEARCHED, search=DOMAIN),
    tree(SEARCHED, search={"kind": "domain", "instances": 3, "zones": 1, "version": "3.1", "readers": [ROLE]}),
    tree(SEARCHED, search={"kind": "serverless"}),
    tree(
        SEARCHED,
        search={
            "kind": "existing",
            "endpoint": "http://127.0.0.1:9200",
            "arn": "arn:aws:es:eu-west-1:111122223333:domain/logs",
        },
    ),
    tree(SEARCHED, environments={"dev": {"search": DOMAIN}}),
    tree(via(mode="provisioned", shards=2, partition_key="kubernetes->pod")),
    tree(by({**TENANT, "values": [f"t{n}" for n in range(249)]})),
    tree({**by(TENANT), "buffering": {"size_mib": 64, "interval_seconds": 60}}),
    tree({**SEARCHED, "buffering": {"size_mib": 100}}, search=DOMAIN),
]


@pytest.mark.parametrize("data", RIGHT)
def test_right_ones_are_taken(tmp_path: Path, data: dict[str, Any]) -> None:
    problems, _ = read(tmp_path / "sluice.yaml", data)
    assert problems == ()


ADVISED = [
    (tree(SEARCHED, search=DOMAIN), ["routes[0].buffering.pack"], "via: kinesis"),
    (tree({**SEARCHED, "via": "kinesis"}, search=DOMAIN), [], ""),
    (
        tree({**SEARCHED, "buffering": {"pack": True}}, search=DOMAIN),
        ["routes[0].buffering.pack"],
        "leave pack out",
    ),
    (tree({**SEARCHED, "via": "kinesis", "buffering": {"pack": True}}, search=DOMAIN), [], ""),
    (tree({"name": "a", "match": "a*", "buffering": {"pack": False}}), ["routes[0].buffering.pack"], "leave pack out"),
    (tree({"name": "a", "match": "a*"}), [], ""),
    (tree(by(TENANT)), ["routes[0].destination.partition_by[0]"], "name the values"),
    (tree(by({**TENANT, "values": ["a"]})), [], ""),
    (
        tree(via(mode="provisioned", shards=1, aggregation=False)),
        ["routes[0].kinesis.aggregation"],
        "enough shards",
    ),
    (
        tree(
            {**SEARCHED, "via": "kinesis", "destination": {"kind": "opensearch", "rotation": "hour"}},
            search=DOMAIN,
            environments={"dev": {"retention": {"search_days": 30}}},
        ),
        ["search.instances"],
        "longer rotation",
    ),
]


@pytest.mark.parametrize(("data", "keys", "remedy"), ADVISED)
def test_choices_that_fight_each_other_are_told_and_taken(
    tmp_path: Path, data: dict[str, Any], keys: list[str], remedy: str
) -> None:
    problems, advice = read(tmp_path / "sluice.yaml", data)
    assert problems == ()
    assert [each.key for each in advice] == keys
    assert all(remedy in each.remedy for each in advice)


def choice(data: dict[str, Any]) -> Any:
    here = deployment(Config.model_validate(data), "dev")
    return describe(here.routes[0], here)


def test_what_a_gib_costs_follows_from_how_it_is_packed() -> None:
    """A GiB of 500-byte lines, by hand: 2,147,484 lines, each billed as 5 KiB, or 100 KB records hardly rounded."""
    lines = 1024**3 / 500
    single = choice(tree({"name": "a", "match": "a*", "buffering": {"pack": False}}))
    assert single.per_gib == pytest.approx(lines * 5120 / 1e9 * prices.FIREHOSE_PER_GB)
    packed = choice(tree({"name": "a", "match": "a*"}))
    assert packed.per_gib == pytest.approx(lines * 500 / 100_000 * 102_400 / 1e9 * prices.FIREHOSE_PER_GB)
    assert single.per_gib > 9 * packed.per_gib
    public = {"kind": "domain", "access": "public"}
    twice = choice(tree({**SEARCHED, "buffering": {"pack": True}}, search=public))
    assert twice.per_gib == pytest.approx(packed.per_gib + single.per_gib), "packed, and each line once more by itself"
    provisioned = choice(tree(via(mode="provisioned", shards=3)))
    units = 1024**3 / 100_000 * 4  # of 25 KiB
    firehose = 1024**3 / 1e9 * prices.FIREHOSE_PER_GB
    assert provisioned.per_gib == pytest.approx(units * 0.014 / 1e6 + firehose)
    assert provisioned.per_month == pytest.approx(3 * 0.015 * 730)
    assert choice(tree(via())).per_month == pytest.approx(0.04 * 730)


def test_what_is_promised_follows_from_the_way() -> None:
    direct = choice(tree(SEARCHED, search=DOMAIN))
    assert direct.way == "Firehose → OpenSearch"
    assert any("24 h" in promise for promise in direct.promises)
    assert any("3600 s" in promise and "failed/" in promise for promise in direct.promises)
    kinesis = choice(tree({**via(retention_hours=48), "destination": by(TENANT)["destination"]}))
    assert kinesis.way == "Kinesis → Firehose → S3 by tenant"
    assert any("48 h" in promise for promise in kinesis.promises)
    assert kinesis.record == "a KPL aggregate of lines"


def test_a_route_to_opensearch_buffers_for_people_who_wait() -> None:
    [route] = Config.model_validate(tree(SEARCHED, search=DOMAIN)).routes
    assert (route.buffering.size_mib, route.buffering.interval_seconds, route.buffering.pack) == (5, 60, False)
    [own] = Config.model_validate(tree({**SEARCHED, "buffering": {"size_mib": 50}}, search=DOMAIN)).routes
    assert (own.buffering.size_mib, own.buffering.interval_seconds) == (50, 60)
