"""What happens to a task by itself, as events: it dies with its disk or without, freezes, or is stopped too late."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from local.faults.event import Event
from local.faults.fleet import Fleet
from local.faults.stage import PLAIN, Setting, Stage
from sluice.fluent_bit import Sections

GROUP: Final = "Tasks"
# Longer than clients wait for an acknowledgement, 10 s.
FROZEN_SECONDS: Final = 12.0
# In the place of 100 s and 120 s, in their order.
SHORT_GRACE_SECONDS: Final = 3
SHORT_STOP_SECONDS: Final = 4.0
_AROUND_SECONDS: Final = 5.0
_BETWEEN_SECONDS: Final = 2.0


def crash(stage: Stage) -> None:
    """Of each service one task dies and is started again on its disk."""
    for fleet in stage.fleets:
        fleet.crash(fleet.tasks[0])


def crash_twice(stage: Stage) -> None:
    """It dies again before it has passed on what the first one left."""
    for fleet in stage.fleets:
        fleet.crash(fleet.tasks[0], times=2)


def crash_all(stage: Stage) -> None:
    """Every task dies at once, and for a moment nobody listens."""
    every = [(fleet, task) for fleet in stage.fleets for task in fleet.tasks]
    with ThreadPoolExecutor(max_workers=len(every)) as side_by_side:
        list(side_by_side.map(_crash, every))


def _crash(one: tuple[Fleet[Any], Any]) -> None:
    fleet, task = one
    fleet.crash(task)


def crash_while_throttled(stage: Stage) -> None:
    """Nothing has left the task when it dies."""
    with stage.throttled():
        time.sleep(2 * _BETWEEN_SECONDS)
        crash(stage)


def lose(stage: Stage) -> None:
    """Of each service one task is lost together with its disk, and replaced."""
    for fleet in stage.fleets:
        fleet.lose(fleet.tasks[0])


def lose_while_throttled(stage: Stage) -> None:
    """Nothing has left the task when it is lost: all that it took in that time is gone."""
    with stage.throttled():
        time.sleep(2 * _BETWEEN_SECONDS)
        lose(stage)


def freeze(stage: Stage) -> None:
    """The process stands still, its kernel goes on accepting connections, and it comes back."""
    frozen = [fleet.tasks[0].process for fleet in stage.fleets]
    for process in frozen:
        process.send(signal.SIGSTOP)
    try:
        time.sleep(FROZEN_SECONDS)
    finally:
        for process in frozen:
            process.send(signal.SIGCONT)


def stopped_too_late(stage: Stage) -> None:
    """Firehose throttles for longer than a task that leaves may wait."""
    stage.become(Setting(edit=short_grace))
    with stage.throttled():
        time.sleep(_BETWEEN_SECONDS)
        leaving = stage.aggregators[0]
        stage.launch()
        stage.retire(leaving, stop_seconds=SHORT_STOP_SECONDS)
    stage.become(PLAIN)


def short_grace(sections: Sections) -> Sections:
    """A Fluent Bit that gives up soon after SIGTERM."""
    return replace(sections, service={**sections.service, "grace": SHORT_GRACE_SECONDS})


def crash_and_leave(stage: Stage) -> None:
    """It dies while it drains, and is stopped as soon as it is back."""
    leaving = stage.aggregators[0]
    stage.launch()
    stage.crash(leaving)
    stage.retire(leaving, drain_seconds=0, stop_seconds=SHORT_STOP_SECONDS)


EVENTS: Final = (
    Event(
        name="crash",
        group=GROUP,
        says="kill -9; ECS starts the container again in the same task, on the buffer that it left",
        act=crash,
        seconds=_AROUND_SECONDS,
    ),
    Event(
        name="crash-twice",
        group=GROUP,
        says="kill -9 twice, the second time before it has passed on what the first one left",
        act=crash_twice,
        seconds=_AROUND_SECONDS,
    ),
    Event(
        name="crash-all",
        group=GROUP,
        says="kill -9 of every task at once; for a moment no target is healthy",
        act=crash_all,
        seconds=_AROUND_SECONDS,
    ),
    Event(
        name="crash-while-throttled",
        group=GROUP,
        says="Firehose throttles for 4 s, then kill -9: nothing had left the task",
        act=crash_while_throttled,
        seconds=_AROUND_SECONDS,
    ),
    Event(
        name="freeze",
        group=GROUP,
        says="a task stands still for 12 s (SIGSTOP) while its port still takes connections, and goes on",
        act=freeze,
        seconds=_AROUND_SECONDS,
    ),
    Event(
        name="lose",
        group=GROUP,
        says="kill -9 and the disk is gone, as with its host; another task takes its place",
        act=lose,
        seconds=_AROUND_SECONDS,
        may_lose_acknowledged=True,
    ),
    Event(
        name="lose-while-throttled",
        group=GROUP,
        says="Firehose throttles for 4 s, then kill -9 and the disk is gone, with all that the task took in them",
        act=lose_while_throttled,
        seconds=_AROUND_SECONDS,
        may_lose_acknowledged=True,
    ),
    Event(
        name="stopped-too-late",
        group=GROUP,
        says="Firehose throttles from before a task's SIGTERM until after its SIGKILL, longer than stopTimeout (scaled "
        "to 4 s)",
        act=stopped_too_late,
        seconds=_AROUND_SECONDS,
        may_lose_acknowledged=True,
    ),
    Event(
        name="crash-and-leave",
        group=GROUP,
        says="kill -9 of a task in the last moment of its draining: SIGTERM follows before it has taken up its buffer, "
        "and it waits in vain until SIGKILL",
        act=crash_and_leave,
        seconds=_AROUND_SECONDS,
        may_lose_acknowledged=True,
    ),
)
