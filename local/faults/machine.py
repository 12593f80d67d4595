"""What happens to a task's disk and clock, as events."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from local.faults import disk
from local.faults.clock import CACHE_SECONDS, FalseClock
from local.faults.event import Event
from local.faults.stage import PLAIN, Setting, Stage
from sluice.fluent_bit import Sections

GROUP: Final = "Disk and clock"
DISK_BYTES: Final = 32 * 1024 * 1024
FULL_SECONDS: Final = 8.0
# In the place of 100 s, which the matrix has not.
SHORT_GRACE_SECONDS: Final = 15
HOUR: Final = 3600
_AROUND_SECONDS: Final = 5.0
_EACH_SECONDS: Final = 4.0


def full_disk(stage: Stage) -> None:
    """The disks of all aggregators are full for a while, and then there is room again."""
    stage.become(Setting(edit=_short_grace, disk_bytes=DISK_BYTES))
    time.sleep(_EACH_SECONDS / 2)
    full = [aggregator.buffer for aggregator in stage.aggregators]
    for buffer in full:
        disk.fill(buffer)
    try:
        time.sleep(FULL_SECONDS)
    finally:
        for buffer in full:
            disk.relieve(buffer)
    time.sleep(_EACH_SECONDS)
    stage.become(PLAIN)


def _short_grace(sections: Sections) -> Sections:
    """One whose disk was full waits for all of its grace when it is told to stop, though its buffer is passed on."""
    return replace(sections, service={**sections.service, "grace": SHORT_GRACE_SECONDS})


def _stepping(*steps: int) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        clock = FalseClock(stage.folder / "clock")
        stage.become(Setting(wrapper=clock.wrapper))
        for seconds in steps:
            clock.set(seconds)
            time.sleep(CACHE_SECONDS + _EACH_SECONDS)
        stage.become(PLAIN)

    return act


EVENTS: Final = (
    Event(
        name="full-disk",
        group=GROUP,
        says="the disks of all aggregators are full for 8 s, and then there is room again",
        act=full_disk,
        seconds=_AROUND_SECONDS,
        needs="mount",
    ),
    Event(
        name="clock-forward",
        group=GROUP,
        says="the aggregators' clocks are set forward by an hour while they run, and 5 s later back to the right time",
        act=_stepping(HOUR, 0),
        seconds=_AROUND_SECONDS,
        needs="faketime",
    ),
    Event(
        name="clock-back",
        group=GROUP,
        says="the aggregators' clocks are set back by an hour while they run, and 5 s later to the right time",
        act=_stepping(-HOUR, 0),
        seconds=_AROUND_SECONDS,
        needs="faketime",
    ),
)
