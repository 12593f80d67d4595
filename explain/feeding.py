"""The events that a file makes for a function, whatever it holds, and the clock that its lines are read by."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from explain.function import MEGABYTE, Function
from explain.kinds import Kind, UnfinishedError, UsageError
from explain.packing import Container, Event, batch, pack, read_records, spread
from explain.reading import FAILURES, Input


def make_events(source: Input, function: Function, *, time_ns: int, packed: bool) -> Iterator[Event]:
    """Make the events that Firehose would call the function with.

    UsageError when the input is not what it should be, UnfinishedError when its end cannot be read.

    Args:
        source: what to make them of; an event is used as it is.
        function: whose they are.
        time_ns: when the lines are read and the records arrive.
        packed: many records in one Firehose record, or each in its own.
    """
    try:
        if source.kind is Kind.EVENT:
            yield source.read_event()
        else:
            most = int(function.buffering.transform_size_mb * MEGABYTE)
            datas = _read(source, function, time_ns=time_ns, packed=packed)
            yield from batch(datas, most=most, time_ns=time_ns, stream=function.stream)
    except FAILURES as error:
        raise UnfinishedError(f"{source.name} could not be read to its end: {error}") from None


def _read(source: Input, function: Function, *, time_ns: int, packed: bool) -> Iterator[bytes]:
    """The data of Firehose records."""
    if source.kind is Kind.DATA:
        return iter((source.read_data(),))
    records = read_records(source.stream)
    if source.kind is Kind.LINES:
        name = source.name.partition(".")[0] or source.name
        records = Container(name=name, tag=function.tag, time_ns=time_ns).records(source.stream)
    return pack(records) if packed else spread(records)


def read_clock(at: str | None) -> int:
    """When lines are read, in nanoseconds since 1970: now, or at a time that is named. UsageError when it is none."""
    if at is None:
        return time.time_ns()
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise UsageError(f"--at {at} is no time, as in 2026-11-21T02:36:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000
