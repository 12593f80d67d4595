"""The Firehose itself, without a network: streams built from their configuration, their workers, faults.

See the package's docstring for how it is used.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from threading import Condition
from types import TracebackType
from typing import Self

from local.firehose import limits
from local.firehose.assembly import PostTo, Surroundings, build_stream
from local.firehose.clock import Clock, SystemClock
from local.firehose.config import StreamConfig
from local.firehose.destinations.opensearch import post_to
from local.firehose.destinations.s3 import PutObject
from local.firehose.errors import not_found, read_only
from local.firehose.faults import NO_FAULTS, Faults
from local.firehose.lambda_stage import Invoke
from local.firehose.quotas import Quotas
from local.firehose.sources.checkpoints import Checkpoints, MemoryCheckpoints
from local.firehose.sources.direct_put import DirectPut, PutResult, Refused
from local.firehose.sources.kinesis import ShardReader
from local.firehose.stream import Counts
from local.firehose.worker import Worker, drain_here

MAX_PENDING_BYTES = 256 * limits.MIB
"""Per stream. Twice the largest S3 buffer, so that a full buffer on its way out does not refuse records."""


class Firehose:
    """Delivery streams that take records, transform them and write them to S3 or OpenSearch.

    `post_bulk` is for streams to OpenSearch, `shards` and `checkpoints` are for those that read a data stream; without
    checkpoints of the caller's these begin anew with each Firehose.

    As a context manager it works in the background, one thread per stream. Outside of one, nothing happens
    but by `work` and `drain` in the calling thread: that is for tests on a ManualClock.
    """

    def __init__(
        self,
        streams: Iterable[StreamConfig],
        *,
        invoke: Invoke,
        put_object: PutObject,
        post_bulk: PostTo = post_to,
        shards: ShardReader | None = None,
        checkpoints: Checkpoints | None = None,
        clock: Clock | None = None,
        quotas: Quotas | None = None,
        max_pending_bytes: int = MAX_PENDING_BYTES,
    ) -> None:
        self._clock = clock or SystemClock()
        around = Surroundings(
            invoke=invoke,
            put_object=put_object,
            post_to=post_bulk,
            shards=shards,
            checkpoints=checkpoints or MemoryCheckpoints(),
            clock=self._clock,
            max_pending_bytes=max_pending_bytes,
        )
        self._streams = {config.name: build_stream(config, around) for config in streams}
        self._sources = {
            name: DirectPut(stream, quotas=quotas, clock=self._clock)
            for name, stream in self._streams.items()
            if stream.config.source is None
        }
        self._workers: list[Worker] = []
        self._faults = NO_FAULTS
        self._faults_end: float | None = None
        self._struck = 0
        self._hanging = Condition()
        self._closing = False

    def __enter__(self) -> Self:
        self._workers = [Worker(stream, clock=self._clock) for stream in self._streams.values()]
        self._closing = False
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._hanging:
            self._closing = True
            self._hanging.notify_all()
        for worker in self._workers:
            worker.stop()
        self._workers = []

    @property
    def streams(self) -> Mapping[str, StreamConfig]:
        """The configurations by stream name."""
        return {name: stream.config for name, stream in self._streams.items()}

    @property
    def faults(self) -> Faults:
        """The faults that are set now."""
        ended = self._faults_end is not None and self._clock.now() >= self._faults_end
        return NO_FAULTS if ended else self._faults

    @property
    def struck(self) -> int:
        """How many calls the faults have hit since they were set."""
        return self._struck

    def strike(self) -> None:
        """Count a call that the faults hit."""
        with self._hanging:
            self._struck += 1

    def inject(self, faults: Faults, *, seconds: float | None = None) -> None:
        """Set `faults` in place of any others, for `seconds` or until the next call; `Faults()` ends them."""
        self._faults, self._struck = faults, 0
        self._faults_end = None if seconds is None else self._clock.now() + seconds

    def put(self, stream: str, records: Sequence[bytes]) -> list[PutResult]:
        """Put `records` as one call of a client; return what became of each, in order.

        Does not wait for the function or for S3. Raises ApiError as the API would answer. Of the faults,
        `fail_every` acts here and the others on the wire.
        """
        source = self._sources.get(stream)
        if source is None:
            raise read_only() if stream in self._streams else not_found(stream)
        results = source.put(records, fail_every=self.faults.fail_every)
        if self.faults.fail_every and any(isinstance(result, Refused) for result in results):
            self.strike()
        return results

    def counts(self) -> dict[str, Counts]:
        """Return where each stream's records are."""
        return {name: stream.counts() for name, stream in self._streams.items()}

    def work(self) -> None:
        """Do what is due, here and now. Only for a Firehose whose workers are not running."""
        for stream in self._streams.values():
            stream.work()

    def drain(self, *, timeout: float | None = None) -> bool:
        """Flush everything now, whatever the buffers' hints, and wait; return whether nothing is pending.

        A data stream is read to its end first. Retries keep their pauses. It waits `timeout` seconds at most (None: as
        long as it takes), and for records that are put meanwhile: stop the clients first.
        """
        until = None if timeout is None else self._clock.now() + timeout
        if self._workers:
            return self._drain_workers(until=until)
        drained = [drain_here(stream, clock=self._clock, until=until) for stream in self._streams.values()]
        return all(drained)

    def _drain_workers(self, *, until: float | None) -> bool:
        with ExitStack() as flushing:
            for worker in self._workers:
                flushing.enter_context(worker.flushing())
            drained = [worker.await_empty(until=until) for worker in self._workers]
        return all(drained)

    def hang(self, seconds: float) -> None:
        """Wait `seconds`, or until the Firehose stops."""
        until = self._clock.now() + seconds
        with self._hanging:
            while not self._closing and self._clock.now() < until:
                self._clock.wait(self._hanging, until)
