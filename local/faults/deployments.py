"""What ECS does to aggregators on purpose, as events: deployments and scaling."""

import time
from typing import Final

from local.faults.event import Event
from local.faults.stage import Stage

GROUP: Final = "Deployments and scaling"
DEPLOYMENTS: Final = 50
THROTTLED_SECONDS: Final = 10.0
# As long as clients take to renew some connections.
SPREADING_SECONDS: Final = 2.0
_AROUND_SECONDS: Final = 5.0


def rolling_deployment(stage: Stage) -> None:
    """New tasks are healthy before the old ones are deregistered, drained, cut off and stopped."""
    stage.rolling_deployment()


def scale_out_and_in(stage: Stage) -> None:
    """Two more of each task, and the two oldest leave."""
    for fleet in stage.fleets:
        fleet.launch_many(2)
    time.sleep(SPREADING_SECONDS)
    for fleet in stage.fleets:
        fleet.retire_all(fleet.tasks[:2])


def scale_in(stage: Stage) -> None:
    """The oldest leaves, and the one that is left carries it all for a while."""
    for fleet in stage.fleets:
        fleet.retire(fleet.tasks[0])
    time.sleep(SPREADING_SECONDS)
    for fleet in stage.fleets:
        fleet.launch()


def deployment_while_throttled(stage: Stage) -> None:
    """A deployment whose SIGTERM meets full buffers."""
    with stage.throttled(seconds=THROTTLED_SECONDS):
        time.sleep(THROTTLED_SECONDS / 4)
        stage.rolling_deployment()


EVENTS: Final = (
    Event(
        name="rolling-deployment",
        group=GROUP,
        says="as many new tasks start and become healthy; the old ones are deregistered and drained, their connections "
        "ended, and then SIGTERM",
        act=rolling_deployment,
        seconds=_AROUND_SECONDS,
    ),
    Event(
        name="fifty-deployments",
        group=GROUP,
        says="fifty rolling deployments, one after the other",
        act=rolling_deployment,
        seconds=_AROUND_SECONDS,
        repeats=DEPLOYMENTS,
    ),
    Event(
        name="scale-out-and-in",
        group=GROUP,
        says="two more tasks, and some seconds later the two oldest leave, in the same order",
        act=scale_out_and_in,
        seconds=_AROUND_SECONDS,
    ),
    Event(
        name="scale-in-to-one",
        group=GROUP,
        says="the oldest task leaves and the one that is left takes it all; then there is another one",
        act=scale_in,
        seconds=_AROUND_SECONDS,
    ),
    Event(
        name="deployment-while-throttled",
        group=GROUP,
        says="Firehose throttles for 10 s; the old tasks get their SIGTERM with all that they have not passed on",
        act=deployment_while_throttled,
        seconds=_AROUND_SECONDS + THROTTLED_SECONDS,
    ),
)
