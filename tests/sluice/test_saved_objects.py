"""The dashboard, held to what OpenSearch Dashboards imports and to what the index templates can answer.

Dashboards itself does not run here. What its import and its saved object types ask for is written down below, from
their sources (2.x: src/core/server/saved_objects/import, src/plugins/*/server/saved_objects): known types, unique ids,
references that are there, and attributes that the types' mappings have.
"""

import json
from typing import Any

import pytest

from sluice.model import Config, Deployment, deployment
from sluice.search.questions import QUESTIONS
from sluice.search.saved_objects import saved_objects
from sluice.search.schema import failed_template, index_template

HERE = deployment(
    Config.model_validate(
        {
            "name": "shop",
            "environments": {"prod": {}, "dev": {}},
            "search": {"kind": "domain"},
            "routes": [{"name": "web", "match": "web*", "destination": {"kind": "opensearch"}}],
        }
    ),
    "prod",
)
TEXT, WHOLE, FLAG, META = str, int, bool, {"searchSourceJSON": str}
MAPPINGS: dict[str, dict[str, Any]] = {
    "index-pattern": {"title": TEXT, "timeFieldName": TEXT},
    "visualization": {
        "title": TEXT,
        "description": TEXT,
        "version": WHOLE,
        "uiStateJSON": TEXT,
        "visState": TEXT,
        "kibanaSavedObjectMeta": META,
    },
    "search": {
        "title": TEXT,
        "description": TEXT,
        "version": WHOLE,
        "hits": WHOLE,
        "columns": list,
        "sort": list,
        "kibanaSavedObjectMeta": META,
    },
    "dashboard": {
        "title": TEXT,
        "description": TEXT,
        "version": WHOLE,
        "hits": WHOLE,
        "timeRestore": FLAG,
        "timeFrom": TEXT,
        "timeTo": TEXT,
        "optionsJSON": TEXT,
        "panelsJSON": TEXT,
        "kibanaSavedObjectMeta": META,
        "refreshInterval": {"pause": bool, "value": int},
    },
}
# Which aggregations of each kind a visualization takes, by their place in it: least and most.
SCHEMAS = {
    "area": {"metric": (1, 99), "segment": (0, 1), "group": (0, 3)},
    "histogram": {"metric": (1, 99), "segment": (0, 1), "group": (0, 3)},
    "line": {"metric": (1, 99), "segment": (0, 1), "group": (0, 3)},
    "table": {"metric": (1, 99), "bucket": (0, 99)},
}


def objects(here: Deployment = HERE) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in saved_objects(here)}


def conforms(value: Any, form: Any) -> bool:
    if isinstance(form, dict):
        return (
            isinstance(value, dict) and value.keys() == form.keys() and all(conforms(value[k], form[k]) for k in form)
        )
    return isinstance(value, form) and (form is bool or not isinstance(value, bool))


def leaves(properties: dict[str, Any], path: str = "") -> dict[str, str]:
    """Every field of a mapping with its type, multi-fields too."""
    found: dict[str, str] = {}
    for name, field in properties.items():
        here = f"{path}{name}"
        if "properties" in field:
            found |= leaves(field["properties"], f"{here}.")
        else:
            found[here] = field["type"]
            found |= {f"{here}.{inner}": each["type"] for inner, each in field.get("fields", {}).items()}
    return found


LOGS = leaves(index_template(HERE, HERE.routes[0])["template"]["mappings"]["properties"])
FAILED = leaves(failed_template(HERE)["template"]["mappings"]["properties"])


@pytest.mark.parametrize("one", saved_objects(HERE), ids=lambda one: one["id"])
def test_object_is_one_that_the_import_takes(one: dict[str, Any]) -> None:
    assert set(one) == {"type", "id", "attributes", "references", "migrationVersion"}
    assert conforms(one["attributes"], MAPPINGS[one["type"]]), one["attributes"]
    for reference in one["references"]:
        assert objects()[reference["id"]]["type"] == reference["type"]
    known = {reference["name"] for reference in one["references"]}
    for text in one["attributes"].values():
        for told in [text["searchSourceJSON"]] if isinstance(text, dict) and "searchSourceJSON" in text else []:
            source = json.loads(told)
            assert source.get("indexRefName", "") in known | {""}
            assert ("indexRefName" in source) is (one["type"] in {"visualization", "search"})


def test_ids_are_the_installations_own_and_unique() -> None:
    ids = [one["id"] for one in saved_objects(HERE)]
    assert len(ids) == len(set(ids))
    assert all(each.startswith("shop-prod-") for each in ids)
    assert objects().keys().isdisjoint(objects(HERE.model_copy(update={"environment": "dev"})))


def test_the_dashboard_shows_every_question_and_search_without_overlap() -> None:
    board = objects()["shop-prod-overview"]
    panels = json.loads(board["attributes"]["panelsJSON"])
    assert {reference["id"] for reference in board["references"]} == {
        each["id"] for each in saved_objects(HERE) if each["type"] in {"visualization", "search"}
    }
    assert {panel["panelRefName"] for panel in panels} == {reference["name"] for reference in board["references"]}
    assert {panel["panelIndex"] for panel in panels} == {panel["gridData"]["i"] for panel in panels}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        grid = panel["gridData"]
        assert grid["x"] + grid["w"] <= 48
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert taken.isdisjoint(cells)
        taken |= cells


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_visualization_asks_what_the_question_asks_of_fields_that_can_answer(question: Any) -> None:
    one = objects()[f"shop-prod-{question.name}"]
    state = json.loads(one["attributes"]["visState"])
    fields = FAILED if question.failed else LOGS
    counts: dict[str, int] = {}
    for each in state["aggs"]:
        counts[each["schema"]] = counts.get(each["schema"], 0) + 1
        if field := each["params"].get("field"):
            able = {"terms": {"keyword"}, "date_histogram": {"date_nanos"}, "percentiles": {"double"}}[each["type"]]
            assert fields[field] in able, field
    for schema, (least, most) in SCHEMAS[state["type"]].items():
        assert least <= counts.pop(schema, 0) <= most
    assert counts == {}
    kinds = {each["type"] for each in state["aggs"]}
    assert ("date_histogram" in kinds) is question.over_time
    assert ("terms" in kinds) is (question.split is not None)
    assert ("percentiles" in kinds) is (question.percentiles_of is not None)
    source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert source["query"] == {"query": question.query, "language": "lucene"}


@pytest.mark.parametrize("name", ["errors-list", "failures"])
def test_searches_show_fields_that_there_are(name: str) -> None:
    one = objects()[f"shop-prod-{name}"]
    fields = FAILED if name == "failures" else LOGS
    assert set(one["attributes"]["columns"]) <= set(fields)


def test_patterns_take_the_indices_in() -> None:
    assert objects()["shop-prod-logs"]["attributes"] == {"title": "shop-prod-*", "timeFieldName": "@timestamp"}
    assert objects()["shop-prod-failed-records"]["attributes"]["title"] == "shop-prod_failed*"
