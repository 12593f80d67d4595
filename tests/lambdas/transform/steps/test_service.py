"""The step that names the service."""

import pytest

from lambdas.transform.document import Resource
from lambdas.transform.steps.service import name_services


@pytest.mark.parametrize(
    ("members", "tag", "name"),
    [
        (
            {"aws": {"ecs": {"task": {"family": "shop"}, "container": {"name": "app"}}}, "container": {"name": "x"}},
            "t",
            "shop",
        ),
        ({"aws": {"ecs": {"container": {"name": "app"}}}, "container": {"name": "x"}}, "t", "app"),
        ({"container": {"name": "x", "id": "1"}}, "t", "x"),
        ({"container": {"id": "1"}}, "t", "t"),
    ],
)
def test_service_is_the_family_else_the_container_else_the_tag(make_document, members, tag, name):
    document = make_document("x", tag=tag)
    document.resource = resource = Resource(members)

    name_services([document])

    assert document.resource.members == {"service": {"name": name}, **members}
    assert "service" not in resource.members


def test_record_from_nowhere_has_no_service(make_document):
    document = make_document("x")

    name_services([document])

    assert document.resource.members == {}


@pytest.mark.parametrize(
    "attributes",
    [
        {"service.name": "pay", "service": "other"},
        {"service": "pay", "dd.service": "other"},
        {"service": {"name": "pay", "version": "1"}},
        {"service": {"version": "1"}, "dd.service": "pay"},
        {"dd": {"service": "pay"}},
        {"service": "x" * 256, "dd.service": "pay"},
        {"service": 7, "service.name": "", "dd.service": "pay"},
    ],
)
def test_service_that_the_line_names_wins_and_stays_an_attribute(make_document, attributes):
    document = make_document("x", attributes=attributes)
    document.resource = Resource(
        {"aws": {"ecs": {"task": {"family": "shop"}}}, "service": {"name": "s", "namespace": "n"}}
    )
    before = dict(attributes)

    name_services([document])

    assert document.resource.members["service"] == {"name": "pay", "namespace": "n"}
    assert document.attributes == before


@pytest.mark.parametrize("service", [7, "", None, [], {}, {"name": 7}, "x" * 256])
def test_what_is_no_name_is_none(make_document, service):
    document = make_document("x", attributes={"service": service})
    document.resource = Resource({"aws": {"ecs": {"task": {"family": "shop"}}}})

    name_services([document])

    assert document.resource.members["service"] == {"name": "shop"}


def test_service_that_the_shipper_knows_wins_over_the_family(make_document):
    document = make_document("x")
    document.resource = resource = Resource({"aws": {"ecs": {"task": {"family": "f"}}}, "service": {"name": "s"}})

    name_services([document])

    assert document.resource is resource
