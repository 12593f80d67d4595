"""`sluice transform`: a file through a route's function, and what became of it.

What is called is what the deployed handler calls, with the settings that the stack would give it. Documents that it
sends to its stream once more come back to it in batches of their own, as they would from Firehose. Cost: the
transformer's own, and the memory of one batch, its answer and what it sent.
"""

from __future__ import annotations

import gc
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import orjson

from explain.feeding import make_events
from explain.function import MEGABYTE, Function, Loop
from explain.kinds import UnfinishedError
from explain.packing import Event, batch
from explain.reading import Input
from lambdas.transform.batch import transform_batch
from lambdas.transform.handler import GARBAGE_OBJECTS
from lambdas.transform.pipeline import make_pipeline
from lambdas.transform.resend import make_resender
from lambdas.transform.tally import Counts, Failure, Tally
from lambdas.transform.times import format_time


@dataclass(slots=True)
class Totals:
    """What became of all records and lines so far; `seconds` are the function's own, without reading and writing."""

    batches: int = 0
    records: int = 0
    delivered: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    dropped_records: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    counts: Counts = field(default_factory=Counts)

    def add(self, tally: Tally, seconds: float = 0.0, *, again: bool = False) -> None:
        """Add a batch. Of one with what came `again`, the records and bytes were there before."""
        if not again:
            self.batches += 1
            self.records += tally.records
            self.bytes_in += tally.bytes_in
        self.delivered += tally.delivered
        self.bytes_out += tally.bytes_out
        self.seconds += seconds
        self.dropped_records.update(tally.dropped)
        self.failed.update(failure.reason for failure in tally.failures)
        self.counts.merge(tally.counts)

    @property
    def complete(self) -> bool:
        """Whether every record was delivered or dropped, and every line accounted for."""
        return not self.failed and not self.counts.unaccounted

    def to_json(self) -> dict[str, Any]:
        """The object that --json prints."""
        lines = self.counts
        return {
            "batches": self.batches,
            "records": self.records,
            "lines": lines.lines,
            "documents": lines.documents,
            "joined": lines.joined,
            "dropped": lines.dropped,
            "redacted": lines.redacted,
            "truncated": lines.truncated,
            "parts": lines.parts,
            "resent": lines.resent,
            "returned": lines.returned,
            "partition_none": lines.partition_none,
            "partition_other": lines.partition_other,
            "dropped_records": dict(self.dropped_records),
            "failed": dict(self.failed),
            "unaccounted": lines.unaccounted,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "seconds": round(self.seconds, 3),
        }


class Runner:
    """Runs events through a function, writes the documents, and keeps what failed."""

    def __init__(self, function: Function, *, out: IO[bytes], failed: IO[bytes] | None, time_ns: int) -> None:
        self.totals = Totals()
        self._function = function
        self._loop = Loop()
        self._time_ns = time_ns
        self._pipeline = make_pipeline(function.settings, store=function.store, key=function.key)
        self._out = out
        self._failed = failed
        self._now = format_time(time_ns)

    def run(self, event: Event, *, clock: Callable[[], float] = time.perf_counter) -> None:
        """Run one event, and what it sends once more. ValueError when it is no transformation event."""
        self._run(event, clock, again=False)
        function = self._function
        most = int(function.buffering.transform_size_mb * MEGABYTE)
        while records := self._loop.take():
            for returned in batch(records, most=most, time_ns=self._time_ns, stream=function.stream):
                self._run(returned, clock, again=True)

    def _run(self, event: Event, clock: Callable[[], float], *, again: bool) -> None:
        started = clock()
        resender = make_resender(self._function.settings, key=self._function.key, stream=self._loop)
        response, tally = transform_batch(event, pipeline=self._pipeline, now=self._now, resender=resender)
        self.totals.add(tally, clock() - started, again=again)
        for answer in response["records"]:
            if "data" in answer:
                self._out.write(b64decode(answer["data"]))
        if self._failed is not None:
            for failure in tally.failures:
                self._failed.write(_tell(failure, event))


def transform_file(
    source: Input,
    function: Function,
    runner: Runner,
    *,
    time_ns: int,
    packed: bool | None,
    advance: Callable[[int], None],
) -> str | None:
    """Run a file through the runner; what kept it from being read to its end, or None. UsageError as make_events.

    `packed` None: as the route packs. `advance` is told the number of lines after each batch.
    """
    packed = function.buffering.pack if packed is None else packed
    gc.set_threshold(GARBAGE_OBJECTS)
    try:
        for event in make_events(source, function, time_ns=time_ns, packed=packed):
            runner.run(event)
            advance(runner.totals.counts.lines)
    except UnfinishedError as error:
        return f"{error}; what came before is transformed"
    return None


def _tell(failure: Failure, event: Event) -> bytes:
    """A line for a failed record, with its data as Firehose would keep it."""
    members = (member for member in event["records"] if isinstance(member, dict))
    raw = next((member.get("data") for member in members if member.get("recordId") == failure.record_id), None)
    told = {
        "recordId": failure.record_id,
        "reason": failure.reason,
        "error": failure.error,
        "place": failure.place,
        "rawData": raw,
    }
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)
