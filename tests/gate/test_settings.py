"""What the deployment writes, the gate reads; and what both know by themselves is the same."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from gate import routing, settings, wire
from gate.routing import Routing
from gate.settings import Route, SettingsError
from sluice import fluent_bit, gate, globs
from sluice.model import RESERVED_TAG_PREFIX
from sluice.routes import Route as Configured

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_written_is_read(here):
    routes = [
        {"name": "search", "match": "s*", "destination": {"kind": "opensearch"}},
        {"name": "stream", "match": "k.*", "via": "kinesis", "kinesis": {"partition_key": "a->b"}},
        {"name": "plain", "match": "p*", "via": "kinesis", "kinesis": {"aggregation": False}},
        {"name": "rest", "match": "*"},
    ]
    there = here.model_copy(update={"routes": tuple(map(Configured.model_validate, routes))})
    read = settings.read(gate.environment(there, listen="127.0.0.1", ports={"kept": 1}, status_port=2))
    assert read.routes == (
        Route(match="s*", stream="sluice-dev-search", form="single"),
        Route(match="k.*", stream="sluice-dev-stream", to="kinesis", form="kpl", key="a->b"),
        Route(match="p*", stream="sluice-dev-plain", to="kinesis", form="packed"),
        Route(match="*", stream="sluice-dev-rest", form="packed"),
    )
    assert (read.listen, read.ports, read.status_port, read.name) == ("127.0.0.1", (1,), 2, "sluice-dev-gate")
    assert read.waiting_bytes == there.gate.memory_mib * 1024 * 1024 // 8


@pytest.mark.parametrize(
    "told",
    [
        None,
        "",
        "[]",
        "{}",
        '{"routes": [{"match": "a*", "stream": "s"}], "ports": [1], "status_port": 2, "waiting_bytes": 3}',
        '{"routes": [{"match": "*", "stream": "s", "odd": 1}], "ports": [1], "status_port": 2, "waiting_bytes": 3}',
    ],
    ids=["missing", "empty", "list", "nothing", "no-catch-all", "unknown"],
)  # fmt: skip
def test_what_cannot_be_run_is_refused(told):
    with pytest.raises(SettingsError, match=settings.VARIABLE):
        settings.read({} if told is None else {settings.VARIABLE: told})


def test_both_sides_have_the_same_names_and_figures():
    assert settings.VARIABLE == gate.VARIABLE
    assert routing.RESERVED == RESERVED_TAG_PREFIX
    assert wire.LARGEST_MESSAGE == fluent_bit.LARGEST_MESSAGE_BYTES


@pytest.mark.parametrize(
    "tag",
    ["frontend-web", "backend-", "", "other", "front\nend", "\x00", "backend\n", "\udcff", "sluice", "x.frontend"],
)
def test_a_tag_goes_where_the_aggregator_sends_it(here, tag):
    tried = Routing([(route.match, route.name) for route in here.routes])
    assert tried.of(tag) == next(route.name for route in here.routes if globs.matches(route.match, tag))
    assert tried.of(f"sluice.{tag}") is None


def test_what_is_installed_is_what_is_locked():
    """requirements.txt names what requirements.in needs and no more, as uv.lock has it, each with all of its hashes."""
    locked = {each["name"]: each for each in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    wanted = re.findall(r"^([a-z0-9-]+)>=", (ROOT / "gate" / "requirements.in").read_text(), re.M)
    needed: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in needed:
            needed.add(name)
            wanted += [each["name"] for each in locked[name].get("dependencies", ())]
    text = (ROOT / "gate" / "requirements.txt").read_text()
    found = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.M))
    assert found == {name: locked[name]["version"] for name in needed}
    for name in needed:
        files = [locked[name].get("sdist"), *locked[name]["wheels"]]
        for each in filter(None, files):
            assert each["hash"] in text


def test_settings_are_compact(here):
    [told] = gate.environment(here).values()
    assert json.loads(told)["routes"]
    assert " " not in told
