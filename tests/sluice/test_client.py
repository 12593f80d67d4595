from sluice.client import Preference, firelens, fluentd
from sluice.model import Deployment


def test_the_docker_driver_waits_for_acknowledgements(here: Deployment) -> None:
    log = fluentd(here, tag="frontend-web", prefer=Preference.DELIVERY)["logConfiguration"]
    assert log["logDriver"] == "fluentd"
    assert log["options"]["fluentd-address"] == "tcp://logs.sluice-dev.internal:24224"
    assert log["options"]["tag"] == "frontend-web"
    assert log["options"]["fluentd-request-ack"] == "true"
    assert log["options"]["fluentd-sub-second-precision"] == "true"
    assert log["options"]["fluentd-async"] == "false"
    assert log["options"]["mode"] == "blocking"
    assert all(isinstance(value, str) for value in log["options"].values())


def test_availability_starts_without_an_aggregator(here: Deployment) -> None:
    options = fluentd(here, tag="t", host="nlb", prefer=Preference.AVAILABILITY)["logConfiguration"]["options"]
    assert options["fluentd-address"] == "tcp://nlb:24224"
    assert options["fluentd-async"] == "true"
    assert options["mode"] == "non-blocking"
    assert options["max-buffer-size"] == "25m"


def test_the_sidecar_is_stopped_last_and_keeps_trying(here: Deployment) -> None:
    app, router = firelens(here, tag="backend-orders", region="eu-west-1", log_group="/mine")["containerDefinitions"]
    assert app["dependsOn"] == [{"containerName": router["name"], "condition": "START"}]
    options = app["logConfiguration"]["options"]
    assert options["Name"] == "forward"
    assert (options["Host"], options["Port"]) == ("logs.sluice-dev.internal", "24224")
    assert options["Tag"] == "backend-orders"
    assert options["Require_ack_response"] == "true"
    assert options["Retry_Limit"] == "no_limits"
    assert options["net.keepalive_max_recycle"] == "100"
    assert router["image"].endswith(":3.5.0")
    assert router["stopTimeout"] == 120
    assert router["logConfiguration"]["options"]["awslogs-region"] == "eu-west-1"
    assert router["firelensConfiguration"]["options"] == {"enable-ecs-log-metadata": "true"}


def test_the_first_listener_is_where_clients_go(here: Deployment) -> None:
    moved = here.listeners[0].model_copy(update={"port": 30000})
    there = here.model_copy(update={"listeners": (moved,)})
    options = fluentd(there, tag="t", prefer=Preference.DELIVERY)["logConfiguration"]["options"]
    assert options["fluentd-address"].endswith(":30000")
