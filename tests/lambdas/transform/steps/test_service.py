"""The step that names the service."""

import pytest

from lambdas.transform.document import Resource
from lambdas.transform.steps.service import name_service


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

    name_service(document)

    assert document.resource.members == {"service": {"name": name}, **members}
    assert "service" not in resource.members


def test_record_from_nowhere_has_no_service(make_document):
    document = make_document("x")

    name_service(document)

    assert document.resource.members == {}
