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


@pytest.mark.parametrize(
    ("name", "environment", "service", "revision", "container"),
    [
        ("/ecs-prod-checkout-31-app", "prod", "checkout", "31", "app"),
        ("/ecs-staging-order-service-7-web-2", "staging", "order-service", "7", "web-2"),
        ("/ecs-dev-v2-api-3-proxy", "dev", "v2-api", "3", "proxy"),
        ("/ecs-prod-checkout-31-deadbee", "prod", "checkout", "31", "deadbee"),
    ],
)
def test_name_without_random_digits_tells_environment_and_service(name, environment, service, revision, container):
    members = take_origin({"container_name": name}).resource.members

    assert members == {
        "service": {"name": service},
        "deployment": {"environment": {"name": environment}},
        "container": {"name": name[1:]},
        "aws": {
            "ecs": {
                "container": {"name": container},
                "task": {"family": f"{environment}-{service}", "revision": revision},
            }
        },
    }


def test_eight_hex_digits_at_the_end_are_the_agents():
    members = take_origin({"container_name": "/ecs-prod-checkout-31-app-deadbeef"}).resource.members

    assert members["aws"]["ecs"]["task"] == {"family": "prod-checkout", "revision": "31"}
    assert "deployment" not in members


@pytest.mark.parametrize(
    "name", ["ecs", "ecs-", "/ecs-prod--3-app", "/ecs-prod-3-app", "/ecs-prod-api-٣-app", "ECS-a-b-3-c"]
)
def test_name_of_neither_form_tells_only_itself(name):
    assert take_origin({"container_name": name}).resource.members == {"container": {"name": name.removeprefix("/")}}


def test_name_is_taken_apart_in_time_linear_in_its_length():
    name = "/ecs-" + "1-" * 200_000

    assert take_origin({"container_name": name}).resource.members == {"container": {"name": name[1:]}}


@pytest.mark.parametrize(
    ("stream", "container", "task_id"),
    [
        ("shop/app/0f9de17a6465404e8b1b2356dc13c2f8", "app", "0f9de17a6465404e8b1b2356dc13c2f8"),
        ("a/b/app/0f9de17a-6465-404e-8b1b-2356dc13c2f8", "app", "0f9de17a-6465-404e-8b1b-2356dc13c2f8"),
    ],
)
def test_stream_of_the_awslogs_driver_tells_container_and_task(stream, container, task_id):
    members = {"aws.log.group.names": ["/ecs/shop"], "aws.log.stream.names": [stream], "log": "x"}

    origin = take_origin(members)

    assert members == {"log": "x"}
    assert origin.resource.members == {
        "aws": {
            "ecs": {"container": {"name": container}, "task": {"id": task_id}},
            "log": {"group": {"names": ["/ecs/shop"]}, "stream": {"names": [stream]}},
        }
    }


@pytest.mark.parametrize(
    "streams",
    [
        ["i-0abc"],
        ["2026/11/21/[$LATEST]0f9de17a6465404e8b1b2356dc13c2f8"],
        ["a/b/c"],
        ["/app/" + "0" * 32],
        ["a/b/" + "0" * 32, "y"],
    ],
)
def test_other_streams_tell_only_themselves(streams):
    origin = take_origin({"aws.log.stream.names": streams})

    assert origin.resource.members == {"aws": {"log": {"stream": {"names": streams}}}}


@pytest.mark.parametrize("odd", ["x", 7, [7], [], ["x"] * 17, {"a": 1}, None])
def test_streams_that_are_no_list_of_names_stay_with_the_attributes(odd):
    members = {"aws.log.stream.names": odd}

    assert take_origin(members).resource.members == {}
    assert members == {"aws.log.stream.names": odd}


def test_names_of_the_aws_filter_count_only_beside_an_instance():
    said = {
        "az": "eu-central-1a",
        "account_id": "1",
        "ami_id": "ami-1",
        "ec2_instance_type": "m7g.large",
        "hostname": "h",
    }
    alone, beside = dict(said), {**said, "ec2_instance_id": "i-0abc", "vpc_id": "vpc-1"}

    assert take_origin(alone).resource.members == {}
    assert alone == said
    assert take_origin(beside).resource.members == {
        "host": {"name": "h", "type": "m7g.large", "image": {"id": "ami-1"}},
        "cloud": {"account": {"id": "1"}, "availability_zone": "eu-central-1a"},
        "aws": {"ecs": {"ec2_instance_id": "i-0abc"}},
    }
    assert beside == {"vpc_id": "vpc-1"}


@pytest.mark.parametrize(
    "members",
    [
        {"CONTAINER_ID_FULL": "abcdef", "CONTAINER_ID": "abc", "CONTAINER_NAME": "web", "IMAGE_NAME": "nginx:1"},
        {"_container_id": "abcdef", "_container_name": "/web", "_image_name": "nginx:1"},
    ],
    ids=["journald", "GELF"],
)
def test_container_is_known_by_the_names_other_drivers_have(members):
    assert take_origin(members).resource.members == {
        "container": {"id": "abcdef", "name": "web", "image": {"name": "nginx:1"}}
    }


def test_of_two_names_that_disagree_the_second_stays():
    members = {"container_name": "/web", "CONTAINER_NAME": "db", "container_id": "abc", "CONTAINER_ID": "ab"}

    assert take_origin(members).resource.members == {"container": {"id": "abc", "name": "web"}}
    assert members == {"CONTAINER_NAME": "db"}
