"""What a task definition says so that its containers' logs come to the aggregator.

Two ways in: the Docker daemon's own `fluentd` driver, on EC2, and a FireLens sidecar, on Fargate or EC2. Both
ask for acknowledgements. The result is the fragment to put into the task definition, as ECS spells it.

Sources: https://docs.docker.com/engine/logging/drivers/fluentd/ and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/firelens-taskdef.html.
"""

from enum import StrEnum
from typing import Any, Final

from sluice import limits, names
from sluice.model import Deployment, Listener

Fragment = dict[str, Any]

ROUTER: Final = "log_router"
APPLICATION: Final = "app"
IMAGE: Final = "public.ecr.aws/aws-observability/aws-for-fluent-bit"
# A load balancer spreads connections, not records, and only the client can end a connection: after this many
# uses it opens another. Fluent Bit's default is 2,000.
CONNECTION_USES: Final = 100
# A driver that waits for each acknowledgement, and a gate that gives it when Firehose has answered.
ONE_AT_A_TIME: Final = (
    "Docker's driver sends a message and waits for its acknowledgement before it sends the next, and a gate "
    "acknowledges when Firehose has taken it: ten to twenty lines a second for each container. For more, take a "
    "FireLens sidecar, or a listener that acknowledges what is stored."
)
# Events that wait in the Docker daemon for a sidecar or an aggregator that is away; of 1 KB, 64 MB.
WAITING_EVENTS: Final = 65536


class Preference(StrEnum):
    """What a container does when nobody takes its logs."""

    DELIVERY = "delivery"
    """It waits: nothing is lost, but it does not start without an aggregator and may block on output."""
    AVAILABILITY = "availability"
    """It runs: what has not been sent when it stops, or no longer fits the buffer, is lost."""


def address(deployment: Deployment, listener: Listener | None = None) -> tuple[str, int]:
    """The private name and the port that clients inside the VPC send to: the aggregator's first when none is named."""
    return names.private_name(deployment), (listener or deployment.listening("stored")[0]).port


def fluentd(
    deployment: Deployment,
    *,
    tag: str,
    host: str | None = None,
    prefer: Preference,
    listener: Listener | None = None,
) -> Fragment:
    """A container's `logConfiguration` for the Docker driver.

    Without sub-second precision, two equal lines of one second would be one event; so it is on.
    """
    name, port = address(deployment, listener)
    waits = prefer is Preference.DELIVERY
    options = {
        "fluentd-address": f"tcp://{host or name}:{port}",
        "tag": tag,
        "fluentd-request-ack": "true",
        "fluentd-sub-second-precision": "true",
        "fluentd-async": "false" if waits else "true",
        "fluentd-retry-wait": "1s",
        "fluentd-max-retries": "4294967295",
        "mode": "blocking" if waits else "non-blocking",
    }
    if not waits:
        options |= {"fluentd-buffer-limit": str(WAITING_EVENTS), "max-buffer-size": "25m"}
    return {"logConfiguration": {"logDriver": "fluentd", "options": options}}


def firelens(
    deployment: Deployment,
    *,
    tag: str,
    host: str | None = None,
    region: str,
    log_group: str,
    listener: Listener | None = None,
) -> Fragment:
    """The container definitions of an application and the sidecar that sends its logs.

    `region` and `log_group` are where the sidecar's own log goes.

    FireLens tags records `<container>-firelens-<task>`; the sidecar sends them on under `tag`, by which they
    find their route. The application depends on the sidecar, so that the sidecar is stopped last.
    """
    name, port = address(deployment, listener)
    application = {
        "name": APPLICATION,
        "dependsOn": [{"containerName": ROUTER, "condition": "START"}],
        "logConfiguration": {
            "logDriver": "awsfirelens",
            "options": {
                "Name": "forward",
                "Host": host or name,
                "Port": str(port),
                "Tag": tag,
                "Require_ack_response": "true",
                "Retry_Limit": "no_limits",
                "net.keepalive_max_recycle": str(CONNECTION_USES),
                "log-driver-buffer-limit": str(WAITING_EVENTS),
            },
        },
    }
    router = {
        "name": ROUTER,
        "image": f"{IMAGE}:{deployment.aggregator.image.base_tag}",
        "essential": True,
        "memoryReservation": 128,
        "stopTimeout": limits.STOP_TIMEOUT_SECONDS,
        "firelensConfiguration": {"type": "fluentbit", "options": {"enable-ecs-log-metadata": "true"}},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group,
                "awslogs-region": region,
                "awslogs-stream-prefix": ROUTER,
            },
        },
    }
    return {"containerDefinitions": [application, router]}
