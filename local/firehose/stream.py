"""One delivery stream: what was taken in, on its way to where it ends.

A record is *pending* from the moment it is acknowledged until the object that carries it (or its error
line) has been written, or the function has dropped it. At every moment

    incoming = delivered + failed + dropped + pending

All of it is in memory: what is pending when the process ends is lost, where real Firehose keeps it for
24 hours; only what was read from a data stream is still there, and is read once more. The memory is bounded
by refusing records once `max_pending_bytes` are pending; counted are the records' own bytes, so a function
that inflates them can take a multiple of that.

`accept` and `take` only queue, under a lock that is never held over I/O; transforming and delivering is `work`,
which one thread at a time calls whenever something is due (see `worker`).
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Condition, Lock
from types import MappingProxyType
from typing import Final, assert_never

from local.firehose.clock import Clock
from local.firehose.config import StreamConfig
from local.firehose.destinations import Destination
from local.firehose.lambda_stage import Batch, Intake, LambdaStage
from local.firehose.record import Arrival, Dropped, Failed, Ok, Outgoing, Record, Verdict
from local.firehose.sources import Feed

_NO_KEYS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True)
class Counts:
    """Where a stream's records are, in records unless it says bytes (of the records as they came in)."""

    incoming: int
    delivered: int
    failed: Mapping[str, int]
    dropped: int
    pending: int
    incoming_bytes: int
    pending_bytes: int


class Stream:
    """The way of one stream's records from a source to a destination. Safe for threads."""

    def __init__(
        self,
        config: StreamConfig,
        *,
        stage: LambdaStage | None,
        destination: Destination,
        errors: Destination,
        clock: Clock,
        max_pending_bytes: int,
        feed: Feed | None = None,
    ) -> None:
        self.config = config
        self._stage = stage
        self._destination = destination
        self._errors = errors
        self._clock = clock
        self._max_pending_bytes = max_pending_bytes
        self._feed = feed
        self._working = Lock()
        self.changed = Condition()  # guards what follows, and tells of its changes
        self._intake = Intake()
        self._counter: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        # Ids must differ from those of an earlier process whose objects are in the same bucket.
        self._epoch = time.time_ns()

    def accept(self, records: Sequence[bytes]) -> list[str | None]:
        """Take `records`; return the id of each, None for one there is no room for."""
        with self.changed:
            arrived_ms = int(self._clock.now() * 1000)
            ids = [self._accept_one(Arrival(data, arrived_ms)) for data in records]
            self.changed.notify_all()
        return ids

    def take(self, arrivals: Sequence[Arrival]) -> int:
        """Take the first of `arrivals` that there is room for; return how many. What is larger than all goes alone."""
        with self.changed:
            for taken, arrival in enumerate(arrivals):
                is_alone = not self._counter["pending_bytes"]
                if self._accept_one(arrival, even_if_large=is_alone) is None:
                    return taken
        return len(arrivals)

    def look_again(self) -> None:
        """Have the source read to its end once more before `is_done` is true."""
        with self.changed:
            if self._feed is not None:
                self._feed.look_again()
            self.changed.notify_all()

    @property
    def is_done(self) -> bool:
        """Whether nothing is pending, and nothing is left in the source if it is one that is read."""
        with self.changed:
            return self.counts().pending == 0 and (self._feed is None or self._feed.is_caught_up)

    def counts(self) -> Counts:
        """Return where the records are, as of one moment."""
        with self.changed:
            count = self._counter
            failed = dict(self._failed)
            settled = count["delivered"] + count["dropped"] + sum(failed.values())
            return Counts(
                incoming=count["incoming"],
                delivered=count["delivered"],
                failed=failed,
                dropped=count["dropped"],
                pending=count["incoming"] - settled,
                incoming_bytes=count["incoming_bytes"],
                pending_bytes=count["pending_bytes"],
            )

    def work(self, *, flush: bool = False) -> None:
        """Do all that is due, or with `flush` all there is, except what failed and is to rest first."""
        with self._working:
            if self._feed is not None:
                self._feed.work(self.take)
            while self._transform(flush=flush):
                self._deliver(flush=False)
            self._deliver(flush=flush)

    def due_at(self, *, flush: bool = False) -> float | None:
        """Return when there is work to do (seconds since 1970), None if there is none.

        For the thread that works, holding `changed`.
        """
        with self.changed:
            due = [self._intake_due_at(flush=flush)]
            due += [output.due_at(flush=flush) for output in (self._destination, self._errors)]
            due += [] if self._feed is None else [self._feed.due_at()]
        return min((at for at in due if at is not None), default=None)

    def _intake_due_at(self, *, flush: bool) -> float | None:
        if self._stage is not None:
            return self._stage.due_at(self._intake, flush=flush)
        return 0.0 if self._intake else None

    def _accept_one(self, arrival: Arrival, *, even_if_large: bool = False) -> str | None:
        size = len(arrival.data)
        if self._counter["pending_bytes"] + size > self._max_pending_bytes and not even_if_large:
            return None
        self._counter["incoming"] += 1
        self._counter["incoming_bytes"] += size
        self._counter["pending_bytes"] += size
        origin = arrival.origin
        record_id = (
            f"{self._epoch}{self._counter['incoming']:037d}"
            if origin is None
            else f"{origin.sequence_number}{origin.subsequence_number:06d}"
        )
        self._intake.append(Record(record_id, arrival.data, arrival.arrived_ms, origin, arrival.on_settled))
        return record_id

    def _transform(self, *, flush: bool) -> bool:
        """Move one batch on; return whether there may be another one."""
        if self._stage is None:
            with self.changed:
                records = self._intake.take_all()
            for record in records:
                self._destination.add(_outgoing(record, record.data))
            return False
        with self.changed:
            batch = self._stage.next_batch(self._intake, flush=flush)
        verdicts = None if batch is None else self._stage.attempt(batch)
        if batch is None or verdicts is None:
            return False
        for record, verdict in zip(batch.records, verdicts, strict=True):
            self._pass_on(self._stage, batch, record, verdict)
        return True

    def _pass_on(self, stage: LambdaStage, batch: Batch, record: Record, verdict: Verdict) -> None:
        match verdict:
            case Ok(data, partition_keys):
                self._destination.add(_outgoing(record, data, partition_keys=partition_keys))
            case Failed(code, _):
                line = stage.error_line(record, verdict, attempts=batch.attempts)
                self._errors.add(_outgoing(record, line, failure=code))
            case Dropped():
                with self.changed:
                    self._counter["dropped"] += 1
                    self._counter["pending_bytes"] -= len(record.data)
                record.on_settled()
            case _:
                assert_never(verdict)

    def _deliver(self, *, flush: bool) -> None:
        for output in (self._destination, self._errors):
            arrived = output.work(flush=flush)
            with self.changed:
                for outgoing in arrived:
                    self._settle(outgoing)
                self.changed.notify_all()
        if self._feed is not None:
            self._feed.save()

    def _settle(self, outgoing: Outgoing) -> None:
        self._counter["pending_bytes"] -= outgoing.raw_bytes
        if outgoing.failure is None:
            self._counter["delivered"] += 1
        else:
            self._failed[outgoing.failure] += 1
        outgoing.on_settled()


def _outgoing(
    record: Record, data: bytes, *, failure: str | None = None, partition_keys: Mapping[str, str] = _NO_KEYS
) -> Outgoing:
    return Outgoing(
        data,
        record.arrived_ms,
        len(record.data),
        failure,
        partition_keys=partition_keys,
        on_settled=record.on_settled,
    )
