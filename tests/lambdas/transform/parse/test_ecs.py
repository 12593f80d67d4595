"""Where records come from."""

import pytest

from lambdas.transform.parse.ecs import take_origin

ARN = "arn:aws:ecs:eu-central-1:111122223333:task/shop-prod/0f9de17a6465404e8b1b2356dc13c2f8"


@pytest.mark.parametrize(
    ("name", "family", "revision", "container"),
    [
        ("/ecs-web-1-nginx-9eb1a6b8d9fdf3c3ab01", "web", "1", "nginx"),
        (
            "/ecs-console-sample-app-static-1-simple-app-9eb1a6b8d9fdf3c3ab01",
            "console-sample-app-static",
            "1",
            "simple-app",
        ),
        ("/ecs-shop-2024-web-12-web-2-9eb1a6b8d9fdf3c3ab01", "shop-2024-web", "12", "web-2"),
    ],
)
def test_container_name_of_the_ecs_agent_tells_family_revision_and_container(name, family, revision, container):
    origin = take_origin({"container_name": name})

    assert origin.resource.members == {
        "container": {"name": name[1:]},
        "aws": {"ecs": {"container": {"name": container}, "task": {"family": family, "revision": revision}}},
    }


@pytest.mark.parametrize(
    "name", ["/wonderful_wescoff", "/ecs-agent", "/ecs-web-1-9eb1a6b8d9fdf3c3ab01", "/ecs-a-1-b-xyz"]
)
def test_other_container_names_tell_only_themselves(name):
    assert take_origin({"container_name": name}).resource.members == {"container": {"name": name[1:]}}


def test_firelens_metadata_wins_over_what_the_container_is_called():
    members = {
        "container_id": "abc",
        "container_name": "/ecs-old-1-renamed-9eb1a6b8d9fdf3c3ab01",
        "ecs_cluster": "shop-prod",
        "ecs_task_arn": ARN,
        "ecs_task_definition": "checkout:31",
        "ec2_instance_id": "i-0abc",
        "_tag": "app-firelens-0f9de17a6465404e8b1b2356dc13c2f8",
        "other": 1,
    }

    origin = take_origin(members)

    assert members == {"other": 1}
    assert origin.tag == "app-firelens-0f9de17a6465404e8b1b2356dc13c2f8"
    assert origin.resource.members == {
        "container": {"id": "abc", "name": "ecs-old-1-renamed-9eb1a6b8d9fdf3c3ab01"},
        "aws": {
            "ecs": {
                "cluster": {"name": "shop-prod"},
                "container": {"name": "app"},
                "task": {"arn": ARN, "id": "0f9de17a6465404e8b1b2356dc13c2f8", "family": "checkout", "revision": "31"},
                "ec2_instance_id": "i-0abc",
            }
        },
    }


def test_firelens_tag_alone_tells_container_and_task():
    ecs = take_origin({"_tag": "my-app-firelens-0f9d"}).resource.members["aws"]["ecs"]

    assert ecs == {"container": {"name": "my-app"}, "task": {"id": "0f9d"}}


def test_cluster_is_a_name_or_an_arn():
    arn = "arn:aws:ecs:eu-central-1:111122223333:cluster/shop"

    assert take_origin({"ecs_cluster": arn}).resource.members == {"aws": {"ecs": {"cluster": {"arn": arn}}}}


@pytest.mark.parametrize("odd", [7, True, None, "", [], {"id": 1}])
def test_value_that_is_not_text_stays_with_the_attributes(odd):
    members = {"container_id": odd, "container_name": "/web", "_tag": odd}

    origin = take_origin(members)

    assert members == {"container_id": odd, "_tag": odd}
    assert origin.tag is None
    assert origin.resource.members == {"container": {"name": "web"}}
