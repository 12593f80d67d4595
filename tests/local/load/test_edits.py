"""Where `--set` puts what, on the configuration that sluice.yaml gives."""

from dataclasses import replace
from pathlib import Path

import pytest

from local.load.edits import SettingError, edited, parse
from sluice import fluent_bit
from sluice.fluent_bit import Sections
from sluice.load import load
from sluice.model import deployment

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def rendered() -> Sections:
    here = deployment(load(ROOT / "sluice.yaml"), "dev")
    config = fluent_bit.sections(here, fluent_bit.Places(), fluent_bit.Abilities())
    return replace(config, filters=({"name": "modify", "match": "*"}, {"name": "lua", "match": "*"}))


def test_each_place(rendered: Sections):
    found = edited(
        rendered,
        {
            "service.flush": "5",
            "input.threaded": "on",
            "output.net.io_timeout": "3s",
            "output.backend.workers": "2",
            "filter.lua.protected_mode": "off",
        },
    )
    assert found.service["flush"] == "5"
    assert all(each["threaded"] == "on" for each in found.inputs)
    routes = {each["alias"]: each for each in found.outputs}
    assert {name for name, each in routes.items() if each.get("net.io_timeout") == "3s"} == {
        "frontend",
        "backend",
        "catch-all",
    }
    assert "net.io_timeout" not in routes["probe"], "the health probe's null output is no route"
    assert {name for name, each in routes.items() if each.get("workers") == "2"} == {"backend"}
    assert [each.get("protected_mode") for each in found.filters if each["name"] == "lua"] == ["off"]
    assert "protected_mode" not in found.filters[0]


def test_a_filter_that_is_not_there_comes_last_and_takes_every_tag(rendered: Sections):
    found = edited(rendered, {"filter.grep.exclude": "log debug"})
    assert found.filters[:-1] == rendered.filters
    assert found.filters[-1] == {"name": "grep", "match": "*", "exclude": "log debug"}


def test_a_key_alone_goes_where_it_is(rendered: Sections):
    found = edited(rendered, {"retry_limit": "1"})
    assert [each.get("retry_limit") for each in found.outputs] == ["1", "1", "1", None]
    assert found.inputs == rendered.inputs


def test_a_key_alone_keeps_its_value_when_it_is_the_same(rendered: Sections):
    assert edited(rendered, {"grace": rendered.service["grace"]}) == rendered  # type: ignore[dict-item]


def test_a_key_that_is_nowhere_is_refused_with_the_forms(rendered: Sections):
    with pytest.raises(SettingError, match=r"no key 'retries': say where it goes, as service\.KEY"):
        edited(rendered, {"retries": "1"})
    with pytest.raises(SettingError, match=r"filter\.PLUGIN\.KEY"):
        edited(rendered, {"filter.grep": "1"})


def test_nothing_set_changes_nothing(rendered: Sections):
    assert edited(rendered, {}) == rendered


def test_values_may_hold_equals_signs():
    assert parse(["filter.grep.exclude=log a=b", " x = 1 "]) == {"filter.grep.exclude": "log a=b", "x": "1"}


@pytest.mark.parametrize("wrong", ["retry_limit", "=1", ""])
def test_what_is_not_key_and_value_is_refused(wrong: str):
    with pytest.raises(SettingError, match="is not KEY=VALUE"):
        parse([wrong])
