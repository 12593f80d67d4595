"""The sizing rule at its limits, and what it says of configurations."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sluice import limits, sizing
from sluice.cli import app
from sluice.load import load, load_advised
from sluice.model import Aggregator, Config, Expected
from sluice.problems import ConfigError
from sluice.sizing import Client, Load

BLOG = Load(messages_per_second=10_000, message_bytes=900)
SIZES = st.sampled_from([(cpu, memory) for cpu, all_ in limits.FARGATE_MEMORY_MIB.items() for memory in all_])


def test_the_blogs_load_takes_a_quarter_of_a_vcpu_at_most() -> None:
    """It took 4 vCPU there: 9 MB/s, 10,000 messages a second."""
    assert BLOG.cores <= 0.25


def test_either_of_two_default_tasks_alone_carries_the_blogs_load() -> None:
    one = sizing.judge(BLOG, Aggregator(), tasks=1)
    assert one.busy_percent <= Aggregator().cpu_target_percent
    assert one.outage_seconds >= 60
    assert Aggregator().memory_mib in limits.FARGATE_MEMORY_MIB[Aggregator().cpu]


def test_single_messages_cost_more_than_twice_as_much() -> None:
    docker = Load(messages_per_second=10_000, message_bytes=900, client=Client.DOCKER)
    assert 2 < docker.cores / BLOG.cores < 4


@given(
    rate=st.floats(1, 1e6),
    size=st.integers(1, 100_000),
    client=st.sampled_from(Client),
    target=st.integers(10, 90),
    outage=st.floats(0, 3600),
    least=st.integers(1, 6),
)
def test_what_is_chosen_fits_and_nothing_that_fits_is_cheaper(
    *, rate: float, size: int, client: Client, target: int, outage: float, least: int
) -> None:
    wanted = Load(messages_per_second=rate, message_bytes=size, client=client)
    base = Aggregator(cpu_target_percent=target, min_tasks=least)
    chosen = sizing.choose(wanted, base, outage_seconds=outage)
    assert chosen.memory_mib in limits.FARGATE_MEMORY_MIB[chosen.cpu]
    assert chosen.cpu <= sizing.USEFUL_CPU
    assert chosen.tasks >= least
    assert chosen.busy_percent <= target + 1e-3
    assert chosen.outage_seconds >= outage - 1e-3
    for cpu, memory in [(cpu, memory) for cpu, all_ in limits.FARGATE_MEMORY_MIB.items() for memory in all_]:
        other = base.model_copy(update={"cpu": cpu, "memory_mib": memory})
        for tasks in {least, chosen.tasks - 1, chosen.tasks}:
            if tasks < least or cpu > sizing.USEFUL_CPU:
                continue
            found = sizing.judge(wanted, other, tasks=tasks)
            if found.busy_percent <= target and found.outage_seconds >= outage:
                assert found.month >= chosen.month - 0.01


@given(SIZES, st.integers(1, 20), st.integers(1, 10_000), st.sampled_from(Client))
def test_the_most_that_tasks_carry_keeps_them_at_their_target(
    size: tuple[int, int], tasks: int, message_bytes: int, client: Client
) -> None:
    aggregator = Aggregator(cpu=size[0], memory_mib=size[1])
    full = sizing.full_load(aggregator, tasks=tasks, message_bytes=message_bytes, client=client)
    assert sizing.judge(full, aggregator, tasks=tasks).busy_percent == pytest.approx(aggregator.cpu_target_percent)


def test_beyond_two_vcpu_a_task_carries_no_more() -> None:
    two, four = Aggregator(cpu=2048, memory_mib=8192), Aggregator(cpu=4096, memory_mib=8192)
    assert sizing.full_load(two, tasks=1) == sizing.full_load(four, tasks=1)
    assert sizing.full_load(Aggregator(cpu=1024), tasks=1) != sizing.full_load(two, tasks=1)


def test_half_of_the_memory_rides_an_outage_out() -> None:
    """No more is promised than Fluent Bit is told to hold (fluent_bit.chunks_in_memory)."""
    held = sizing.judge(BLOG, Aggregator(memory_mib=2048), tasks=2).outage_seconds
    assert held == pytest.approx(2 * 1024 * limits.MIB / (10_000 * (900 + 380)))


def test_a_month_is_what_fargate_asks() -> None:
    arm = Aggregator.model_validate({"cpu": 512, "memory_mib": 2048, "architecture": "arm64"})
    x86 = arm.model_copy(update={"architecture": Aggregator.model_validate({"architecture": "x86_64"}).architecture})
    assert sizing.per_month(arm, tasks=2) == pytest.approx(2 * 730 * (0.03238 / 2 + 2 * 0.00356))
    assert sizing.per_month(x86, tasks=1) == pytest.approx(730 * (0.04048 / 2 + 2 * 0.004445))


def written(folder: Path, **aggregator: Any) -> Path:
    file = folder / "sluice.yaml"
    tree = {"name": "shop", "environments": {"dev": {}}, "aggregator": aggregator}
    file.write_text(yaml.safe_dump(tree))
    return file


def test_what_is_expected_has_to_be_carried_by_all_the_tasks_there_may_be(tmp_path: Path) -> None:
    most = sizing.full_load(Aggregator(max_tasks=4), tasks=4).messages_per_second
    assert load(written(tmp_path, max_tasks=4, expected={"messages_per_second": most - 1}))
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, max_tasks=4, expected={"messages_per_second": most + 1}))
    (problem,) = error.value.problems
    assert problem.key == "aggregator.max_tasks"
    assert "take 5 or more" in problem.remedy
    with pytest.raises(ConfigError):
        load(written(tmp_path, max_tasks=4, expected={"messages_per_second": most - 1, "client": "docker"}))


def test_an_environment_is_held_against_what_it_says_itself(tmp_path: Path) -> None:
    file = tmp_path / "sluice.yaml"
    tree = {
        "name": "shop",
        "environments": {"dev": {"aggregator": {"max_tasks": 2}}, "prod": {}},
        "aggregator": {"expected": {"messages_per_second": 50_000}},
    }
    file.write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError) as error:
        load(file)
    assert [problem.key for problem in error.value.problems] == ["environments.dev.aggregator.max_tasks"]


ADVICE = [
    ({}, []),
    ({"cpu": 4096, "memory_mib": 30720}, ["aggregator.cpu"]),
    ({"cpu": 256, "memory_mib": 512, "cpu_target_percent": 90}, ["aggregator.memory_mib"]),
    ({"expected": {"messages_per_second": 10_000, "outage_seconds": 160}}, []),
    ({"expected": {"messages_per_second": 10_000, "outage_seconds": 180}}, ["aggregator.memory_mib"]),
]


@pytest.mark.parametrize(("aggregator", "places"), ADVICE, ids=str)
def test_advice_on_sizes(tmp_path: Path, aggregator: dict[str, Any], places: list[str]) -> None:
    _, advice = load_advised(written(tmp_path, **aggregator))
    assert [each.key for each in advice if each.key.startswith("aggregator")] == places


def said(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["size", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_snippet_is_a_configuration_that_carries_the_load(tmp_path: Path) -> None:
    config = written(tmp_path)
    text = said("--config", str(config), "--rate", "123456", "--bytes", "700", "--outage", "300", "--client", "docker")
    snippet = yaml.safe_load("aggregator:" + text.partition("aggregator:")[2])
    config.write_text(yaml.safe_dump({"name": "shop", "environments": {"dev": {}}, **snippet}))
    parsed, advice = load_advised(config)
    assert parsed.aggregator.expected == Expected(
        messages_per_second=123_456, message_bytes=700, client="docker", outage_seconds=300
    )
    assert not [each for each in advice if each.key.startswith("aggregator")]


def test_for_a_machine(tmp_path: Path) -> None:
    config = written(tmp_path, cpu=1024, memory_mib=2048)
    told = json.loads(said("--config", str(config), "--rate", "10000", "--json"))
    assert (told["chosen"]["tasks"], told["configured"]["cpu"], told["client"]) == (2, 1024, "firelens")
    assert told["vcpu"] == round(BLOG.cores, 3)
    rows = json.loads(said("--config", str(config), "--json"))
    assert [(row["client"], row["tasks"]) for row in rows] == [
        (client, tasks) for client in ("firelens", "docker") for tasks in (1, 2, 10)
    ]
    one = sizing.full_load(Config.model_validate(yaml.safe_load(config.read_text())).aggregator, tasks=1)
    assert rows[0]["messages_per_second"] == round(one.messages_per_second)


def test_a_malformed_rate_is_refused(tmp_path: Path) -> None:
    config = str(written(tmp_path))
    for arguments in (
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--rate", "inf"],
        ["--rate", "1", "--bytes", "0"],
        ["--client", "fluentd"],
    ):
        assert CliRunner().invoke(app, ["size", "--config", config, *arguments]).exit_code == 2, arguments
