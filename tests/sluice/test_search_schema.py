"""The index templates say what a field is before any document does."""

import pytest

from lambdas.transform import numbers, searchable
from sluice.destinations import OpenSearchDestination
from sluice.model import Config, Deployment, Environment, deployment
from sluice.routes import Route
from sluice.search import fields
from sluice.search.schema import LONGEST_KEYWORD, QUERIED, failed_template, index_template
from sluice.search_settings import Domain, Indices


def route(name: str = "web", *, numbers: tuple[str, ...] = ()) -> Route:
    destination = OpenSearchDestination(kind="opensearch", numbers=numbers)
    return Route(name=name, match=f"{name}*", destination=destination)


@pytest.fixture
def here() -> Deployment:
    search = Domain(indices=Indices(shards=3, replicas=2, refresh_seconds=20))
    config = Config(name="shop", environments={"prod": Environment()}, search=search, routes=(route(),))
    return deployment(config, "prod")


def leaves(properties, path=()):
    """Every field by its dotted name, objects and forms of a field too."""
    for name, field in properties.items():
        yield ".".join((*path, name)), field
        for inner in ("properties", "fields"):
            yield from leaves(field.get(inner, {}), (*path, name))


def mapped(template):
    return dict(leaves(template["template"]["mappings"]["properties"]))


def test_the_transformer_has_the_same_names_and_lengths():
    assert numbers.NUMBERS == fields.NUMBERS
    assert searchable.RESOURCE_FIELDS == fields.RESOURCE_FIELDS
    assert searchable.LONGEST_KEYWORD == LONGEST_KEYWORD


@pytest.mark.parametrize(
    "own", [(), ("queue.depth",), ("status.code", "http"), ("a", "a.b", "a.b.c"), ("http.response.status_code",)]
)
def test_the_transformer_copies_to_those_fields_that_there_are(here, own):
    found = mapped(index_template(here, route(numbers=own)))
    copied = {name.removeprefix("numbers.") for name, field in found.items() if field.get("type") == "double"}

    assert copied == numbers.number_fields(own) == fields.number_fields(own)


def test_the_names_of_numbers_get_along():
    assert len(set(fields.NUMBERS)) == len(fields.NUMBERS)
    assert fields.clashes(fields.NUMBERS) == {}


def test_a_routes_own_numbers_that_clash_are_named():
    assert fields.clashes(("a", "a.b", "a.b.c", "ab", "x.y", "x")) == {"a.b": "a", "a.b.c": "a", "x.y": "x"}


def test_no_document_can_add_a_field(here):
    for template in (index_template(here, route()), failed_template(here)):
        mappings = template["template"]["mappings"]
        objects = [field for field in mapped(template).values() if "properties" in field]
        assert all(each["dynamic"] is False for each in (mappings, *objects))


def test_every_field_has_a_type_and_no_keyword_can_be_an_immense_term(here):
    for template in (index_template(here, route()), failed_template(here)):
        for name, field in mapped(template).items():
            assert "type" in field or "properties" in field, name
            # A character takes four bytes at most, and a term has room for 32,766.
            assert field.get("type") != "keyword" or field["ignore_above"] * 4 <= 32_766, name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("@timestamp", "date_nanos"),
        ("observedTimestamp", "date_nanos"),
        ("body", "text"),
        ("body.keyword", "keyword"),
        ("severity.text", "keyword"),
        ("severity.number", "integer"),
        ("attributes", "flat_object"),
        ("numbers.http.response.status_code", "double"),
        ("resource.service.name", "keyword"),
        ("resource.aws.ecs.task.arn", "keyword"),
        ("event_id", "keyword"),
        ("overflow.text", "text"),
    ],
)
def test_fields_are_of_the_kind_that_their_use_needs(here, name, kind):
    assert mapped(index_template(here, route()))[name]["type"] == kind


def test_words_are_looked_for_in_fields_that_there_are(here):
    assert set(QUERIED) <= mapped(index_template(here, route())).keys()
    failed = failed_template(here)
    assert set(failed["template"]["settings"]["index.query.default_field"]) <= mapped(failed).keys()


def test_the_raw_record_of_a_failure_is_kept_and_not_indexed(here):
    assert mapped(failed_template(here))["raw"] == {"type": "text", "index": False, "norms": False}


def test_settings_are_those_of_the_configuration(here):
    for template in (index_template(here, route()), failed_template(here)):
        settings = template["template"]["settings"]
        assert settings["index.number_of_shards"] == 3
        assert settings["index.number_of_replicas"] == 2
        assert settings["index.refresh_interval"] == "20s"
        assert settings["index.codec"] == "best_compression"


def test_the_limits_hold_the_fields_there_are_and_the_deepest(here):
    deep = ".".join("a" * 100)
    template = index_template(here, route(numbers=(deep,)))
    settings = template["template"]["settings"]

    assert len(mapped(template)) < settings["index.mapping.total_fields.limit"] < len(mapped(template)) + 150
    assert settings["index.mapping.depth.limit"] > 101


def test_the_longer_name_wins_where_patterns_overlap(here):
    web, api = index_template(here, route("web")), index_template(here, route("web-api"))

    assert (web["index_patterns"], api["index_patterns"]) == (["shop-prod-web-*"], ["shop-prod-web-api-*"])
    assert web["priority"] < api["priority"]


def test_a_route_that_goes_elsewhere_has_no_template(here):
    with pytest.raises(ValueError, match="does not go to OpenSearch"):
        index_template(here, Route(name="web", match="*"))
