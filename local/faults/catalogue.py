"""Every event there is, in the order of the report."""

from collections.abc import Iterable
from typing import Final

from local.faults import controls, deployments, destinations, machine, network, tasks
from local.faults.event import Event

EVENTS: Final[tuple[Event, ...]] = (
    *deployments.EVENTS,
    *tasks.EVENTS,
    *network.EVENTS,
    *machine.EVENTS,
    *destinations.EVENTS,
    *controls.EVENTS,
)

QUICK: Final = ("rolling-deployment", "crash", "lose", "firehose-partial", "control-one-retry")
"""A minute's worth: one of each kind, one that loses and has to be seen to."""

# The fifty deployments of the whole matrix have this one in them.
_CONTAINED: Final = ("rolling-deployment",)


class UnknownEventError(Exception):
    """No event has this name."""


def chosen(names: Iterable[str]) -> tuple[Event, ...]:
    """The events of these names, or for none those of the whole matrix. Raises UnknownEventError."""
    wanted = [*names]
    known = {event.name: event for event in EVENTS}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UnknownEventError(f"there is no event {', '.join(unknown)}: `sluice faults --list` has all there are")
    if wanted:
        return tuple(event for event in EVENTS if event.name in wanted)
    return tuple(event for event in EVENTS if event.name not in _CONTAINED)
