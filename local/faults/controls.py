"""Negative controls: known-bad settings under the same faults. Each has to be reported as loss.

A harness that never reported any would prove nothing by reporting none. What each setting does wrong is told in
docs/decisions/0003-fluent-bit-settings.md; the faults are those that a plainly configured aggregator survives.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from local.aggregator import Edit
from local.faults.event import Event
from local.faults.stage import PLAIN, Setting, Stage
from sluice.fluent_bit import Sections
from sluice.fluent_bit_outputs import Section

GROUP: Final = "Negative controls"
BLOCKED_SECONDS: Final = 8.0
_AROUND_SECONDS: Final = 5.0
GATHERING_SECONDS: Final = 4.0
# A retry waits for some seconds, and a buffer that was left behind is taken up in as many.
RECOVERY_SECONDS: Final = 6.0
# Some milliseconds for each call: far less than a redaction by many regular expressions takes.
_SLOW_FILTER: Final = """\
function slow(tag, timestamp, record)
    local until_then = os.clock() + 0.004
    while os.clock() < until_then do end
    return 0, timestamp, record
end
"""


def memory_storage(sections: Sections) -> Sections:
    """What is acknowledged is in memory only."""
    return _inputs(sections, {"storage.type": "memory"})


def threaded(sections: Sections) -> Sections:
    """The input runs in a thread of its own and acknowledges before the append, which a slow filter holds up."""
    return _inputs(_slowed(sections), {"threaded": True})


def workers(sections: Sections) -> Sections:
    """The input has two workers, which acknowledge what a slow filter still holds up; sometimes 5.1.1 hangs in them."""
    return _inputs(_slowed(sections), {"workers": 2})


def checksums(sections: Sections) -> Sections:
    """Every chunk has a checksum, which a kill leaves wrong."""
    return replace(sections, service={**sections.service, "storage.checksum": True})


def one_retry(sections: Sections) -> Sections:
    """Outputs give up after one retry, Fluent Bit's default."""
    return _outputs(sections, {"retry_limit": 1})


def little_storage(sections: Sections) -> Sections:
    """The oldest goes when an output has little room, and it was acknowledged."""
    return _outputs(sections, {"storage.total_limit_size": "64K"})


def _slowed(sections: Sections) -> Sections:
    slow: Section = {"name": "lua", "match": "*", "code": _SLOW_FILTER, "call": "slow"}
    return replace(sections, filters=(slow, *sections.filters))


def _inputs(sections: Sections, changed: Section) -> Sections:
    return replace(sections, inputs=tuple({**section, **changed} for section in sections.inputs))


def _outputs(sections: Sections, changed: Section) -> Sections:
    outputs = (section if section["name"] == "null" else {**section, **changed} for section in sections.outputs)
    return replace(sections, outputs=tuple(outputs))


def killed(stage: Stage) -> None:
    """SIGKILL with the disk kept, while Firehose takes nothing: what a good buffer survives."""
    with stage.throttled():
        time.sleep(GATHERING_SECONDS)
        for aggregator in stage.aggregators:
            stage.crash(aggregator)
    time.sleep(RECOVERY_SECONDS)


def starved(stage: Stage) -> None:
    """Firehose takes nothing for a while, and nothing else happens: what patience survives."""
    with stage.throttled():
        time.sleep(BLOCKED_SECONDS)
    time.sleep(RECOVERY_SECONDS)


def frozen_and_killed(stage: Stage) -> None:
    """Every aggregator hangs, its kernel still takes what clients write, and then it is killed; the disk is kept."""
    for aggregator in stage.aggregators:
        aggregator.process.send(signal.SIGSTOP)
    time.sleep(GATHERING_SECONDS)
    for aggregator in stage.aggregators:
        stage.crash(aggregator)


def under(edit: Edit, happening: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """What happens, to aggregators of another configuration; plain ones take their place afterwards."""

    def act(stage: Stage) -> None:
        stage.become(Setting(edit=edit))
        happening(stage)
        stage.become(PLAIN)

    return act


def _control(name: str, says: str, edit: Edit, happening: Callable[[Stage], None]) -> Event:
    return Event(
        name=name,
        group=GROUP,
        says=says,
        act=under(edit, happening),
        seconds=_AROUND_SECONDS,
        may_lose_acknowledged=True,
        must_lose=True,
    )


EVENTS: Final = (
    _control("control-memory", "`storage.type memory`, kill -9 with the disk kept", memory_storage, killed),
    _control("control-threaded", "`threaded on` and a slow filter, kill -9 with the disk kept", threaded, killed),
    _control("control-workers", "`workers 2` and a slow filter, kill -9 with the disk kept", workers, killed),
    _control("control-checksum", "`storage.checksum on`, kill -9 with the disk kept", checksums, killed),
    _control("control-one-retry", "`retry_limit 1`, Firehose throttles for 8 s", one_retry, starved),
    _control(
        "control-total-limit", "`storage.total_limit_size 64K`, Firehose throttles for 8 s", little_storage, starved
    ),
    # As configured: what is lost is what clients sent that ask for no acknowledgement.
    Event(
        name="control-no-acknowledgements",
        group=GROUP,
        says="clients that ask for none; every task hangs for 4 s, then kill -9 with the disk kept",
        act=frozen_and_killed,
        seconds=_AROUND_SECONDS,
        must_lose=True,
    ),
)
