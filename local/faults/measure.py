"""One event of the matrix, for real: a load, the event in its middle, and the account of every message.

The load begins some seconds before the event and ends some after it; then the clients flush and stop, the stage
settles, and what arrived is read until nothing new comes. A run has a number of its own, so that what an event left
behind is not counted for the next.

What was sent and found lies in the event's folder: the journals, and `result.json` with examples of what was lost.
"""

import json
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from loadtest.drive import Driver
from loadtest.plan import make_plan
from loadtest.tally import LoadAccount, Mark, Result, Tally
from loadtest.tally.readers import Reader, read_into
from local.faults.clients import addresses, kind_of, profile_of, route_of
from local.faults.event import Event
from local.faults.rows import Found, Row
from local.faults.stage import Stage

BEFORE_SECONDS: Final = 1.0
AFTER_SECONDS: Final = 1.0
# The longest fault, 60 s, and the longest pause after it, with room: no client gives up before.
_GIVE_UP_SECONDS: Final = 150.0
_FLUSH_SECONDS: Final = _GIVE_UP_SECONDS + 10
_POLL_SECONDS: Final = 0.4
# A Firehose with a long way to go, on a busy machine, may take minutes to be empty.
_SETTLE_TRIES: Final = 3
# When all is settled all can be read. What then is missing still has this long to turn up before it is lost.
_PATIENCE_SECONDS: Final = 2.0
_SHOWN_CHARACTERS: Final = 300

Tell = Callable[[str], None]


class Measure:
    """Runs events on a stage; see `local.faults.matrix.run`. Its folder is emptied of an event's former run."""

    def __init__(self, stage: Stage, *, folder: Path) -> None:
        self._stage, self._folder = stage, folder
        self._readers: Sequence[Reader] = stage.readers()

    def __call__(self, event: Event, tell: Tell) -> Found:
        """Run an event under load and account for each kind of client; `tell` hears what is being done."""
        stage, folder = self._stage, self._folder / event.name
        shutil.rmtree(folder, ignore_errors=True)
        profile = profile_of(event.name, stage.deployment, gate=stage.gate_to is not None)
        plan = make_plan(profile)
        tally = Tally(plan, folder=folder / "tally", route_of=lambda tag: route_of(stage.deployment, tag))
        with _Collecting(tally, self._readers) as collecting:
            to = addresses(profile, to=stage.to, gate_to=stage.gate_to)
            with Driver(plan, to=to, folder=folder / "sent", give_up_after=_GIVE_UP_SECONDS) as driver:
                marks, error = self._happen(event, tell)
                tell("the clients stop")
                driver.stop()
                journal = driver.wait(timeout=_FLUSH_SECONDS)
                wrong = driver.progress().errors
            tell("the stage settles")
            settled = any(stage.settle() for _ in range(_SETTLE_TRIES))
            if stage.search is not None:
                stage.search.indices.refresh(index=f"{stage.deployment.prefix}-*")
            collecting.finish(sum(journal.sent.values()))
        result = tally.close(journal, marks=marks)
        (folder / "result.json").write_text(json.dumps(result.to_json(), indent=1))
        shutil.rmtree(folder / "tally", ignore_errors=True)
        if error is None and wrong:
            error = f"a client went wrong: {wrong[0]}"[:_SHOWN_CHARACTERS]
        if error is None and not settled:
            error = "the stage did not settle: a buffer is not passed on"
        return Found(rows=rows_of(result), error=error)

    def _happen(self, event: Event, tell: Tell) -> tuple[list[Mark], str | None]:
        began = time.monotonic()
        time.sleep(BEFORE_SECONDS)
        marks: list[Mark] = []
        try:
            for number in range(1, event.repeats + 1):
                tell(event.says if event.repeats == 1 else f"{number} of {event.repeats}")
                marks.append(Mark(f"{event.name} {number}", time.time()))
                event.act(self._stage)
        except Exception as error:  # its own failure, told in its row; the clients are stopped in order all the same
            return marks, f"{type(error).__name__}: {error}"[:_SHOWN_CHARACTERS]
        time.sleep(max(AFTER_SECONDS, began + event.seconds - time.monotonic()))
        return marks, None


def rows_of(result: Result) -> tuple[Row, ...]:
    """The rows of a result, a kind of client each."""
    loads: dict[str, list[LoadAccount]] = defaultdict(list)
    for load in result.loads:
        loads[kind_of(load.name).name].append(load)
    return tuple(_row(name, each) for name, each in loads.items())


def _row(client: str, loads: Sequence[LoadAccount]) -> Row:
    latencies = [load.latency.p99 for load in loads if load.latency.p99 is not None]
    return Row(
        client=client,
        acks=all(load.ack for load in loads),
        sent=sum(load.sent for load in loads),
        acknowledged=sum(load.acknowledged for load in loads),
        lost=sum(load.lost for load in loads),
        lost_acknowledged=sum(load.lost_acknowledged for load in loads),
        duplicated=sum(load.duplicated for load in loads),
        duplicated_otherwise=sum(load.duplicated_otherwise for load in loads),
        failed=sum(load.failed for load in loads),
        altered=sum(load.altered or 0 for load in loads),
        misrouted=sum(load.misrouted for load in loads),
        latency_p99_ms=max(latencies, default=None),
        per_second=kind_of(loads[0].name).rate * len(loads),
    )


class _Collecting:
    """Reads what arrives into a tally, in a thread of its own, from the beginning of the block to its end."""

    def __init__(self, tally: Tally, readers: Iterable[Reader]) -> None:
        self._tally, self._readers = tally, [*readers]
        self._ending = threading.Event()
        self._error: Exception | None = None
        self._expected = 0
        self._thread = threading.Thread(target=self._run, name="what arrives", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def finish(self, expected: int) -> None:
        """Read on until all is there, or nothing new comes for a while, and stop. Raises what the reading raised."""
        self._expected = expected
        self._ending.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._ending.wait(_POLL_SECONDS):
                read_into(self._tally, self._readers)
            patient_until = time.monotonic() + _PATIENCE_SECONDS
            while True:
                if read_into(self._tally, self._readers):
                    patient_until = time.monotonic() + _PATIENCE_SECONDS
                if self._tally.delivered >= self._expected or time.monotonic() > patient_until:
                    return
                time.sleep(_POLL_SECONDS)
        except Exception as error:  # told by `finish`, in the thread that waits
            self._error = error
