"""What an event needs and not every machine has."""

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from local.faults import clock, disk
from local.faults.event import Need

if TYPE_CHECKING:
    from local.faults.stage import Stage


def lacking(need: Need | None, stage: "Stage", *, log: Path) -> str | None:
    """Why the stage cannot have this, in words for the report; None if it can.

    Programs that Debian has are installed, as root; `log` is where that is told.
    """
    match need:
        case None:
            return None
        case "faketime":
            return clock.lacking(log=log)
        case "mount":
            return None if disk.may_mount() else "file systems cannot be mounted here: that takes root's rights"
        case "opensearch":
            return None if stage.search is not None else "no route goes to an OpenSearch here"
        case "gate":
            return None if stage.gate_to is not None else "no listener acknowledges only what Firehose has accepted"
        case other:
            assert_never(other)
