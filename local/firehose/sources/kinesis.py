"""A data stream as source: its shards are read as the real Firehose reads them, and nothing can be put.

Each shard is asked for records once a second, and as often as Kinesis allows while there are more. A record goes to
the stream as it is, an aggregate as its members (see `kpl`). What the stream has no room for waits, and its shard is
not asked again until it has gone in: the rest stays in Kinesis, which is what a buffer there is for.

A shard's checkpoint is the last record up to which everything is settled: delivered, in the error output or dropped,
and of an aggregate all members. A new process goes on behind it, so what was under way is read once more: at least
once. Shards without a checkpoint are read from the time that delivery began (LATEST is taken as a time, when the
Firehose is made: a position of Kinesis's own would be lost with a process that settled nothing), or from their oldest
record with TRIM_HORIZON. The children of a split or merged shard are read when their parents have been read to the
end, so that the records of one partition key come in order.

An iterator that expired is got anew; any other error of Kinesis, a throttle among them, is tried again for ever with
a growing pause, for that shard alone. One thread at a time uses this: the stream's worker.

Sources: https://docs.aws.amazon.com/firehose/latest/dev/writing-with-kinesis-streams.html and
https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html.
"""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from local.firehose import kpl, limits
from local.firehose.clock import Clock, backoff_seconds
from local.firehose.config import KinesisSource
from local.firehose.record import Arrival, KinesisOrigin
from local.firehose.sources import Take
from local.firehose.sources.checkpoints import SHARD_END, Checkpoints, Positions

logger = logging.getLogger(__name__)

_NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as Kinesis lists it; `parents` are the one or two it was made of by a split or merge."""

    shard_id: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KinesisRecord:
    """A record as it lies in a shard."""

    sequence_number: str
    partition_key: str
    data: bytes
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class Page:
    """What one call got: `following` is the next iterator, None at the end of a closed shard."""

    records: Sequence[KinesisRecord]
    following: str | None
    behind_ms: int


class ExpiredIteratorError(Exception):
    """An iterator was not used for five minutes."""


class ShardReader(Protocol):
    """What this needs of Kinesis. Each call may raise anything; what is not ExpiredIteratorError is tried again."""

    def shards(self, stream_arn: str) -> Sequence[Shard]:
        """List every shard, closed ones too."""
        ...

    def iterator(self, stream_arn: str, shard_id: str, *, after: str | None, since: float | None) -> str:
        """Return what reads behind the sequence number `after`, else from the time `since`, else from the oldest."""
        ...

    def read(self, iterator: str) -> Page:
        """Read what is there, as much as Kinesis answers at once."""
        ...


@dataclass(slots=True)
class _Receipt:
    """A record that was read, and how many of its members are not settled yet."""

    sequence_number: str
    unsettled: int

    def settle(self) -> None:
        self.unsettled -= 1


@dataclass
class _Progress:
    """One shard: how far it has been read, and how far what was read has come."""

    shard: Shard
    read_to: str | None = None
    settled_to: str | None = None
    iterator: str | None = None
    is_read: bool = False
    waiting: deque[Arrival] = field(default_factory=deque)
    under_way: deque[_Receipt] = field(default_factory=deque)
    called_at: float = 0.0
    retry_at: float = 0.0
    failures: int = 0
    seen_end: int = _NEVER

    @property
    def is_handed_on(self) -> bool:
        """Whether the shard is closed and all it held has gone into the stream."""
        return self.is_read and not self.waiting

    @property
    def is_over(self) -> bool:
        return self.is_handed_on and not self.under_way

    def advance(self) -> None:
        """Move the checkpoint over what is settled without a gap."""
        while self.under_way and not self.under_way[0].unsettled:
            self.settled_to = self.under_way.popleft().sequence_number


class KinesisFeed:
    """The shards of one data stream, read into one delivery stream called `name`."""

    def __init__(
        self, source: KinesisSource, *, name: str, reader: ShardReader, checkpoints: Checkpoints, clock: Clock
    ) -> None:
        self._arn = source.stream_arn
        self._name = name
        self._reader = reader
        self._checkpoints = checkpoints
        self._clock = clock
        self._saved = checkpoints.load(name)
        self._positions = self._saved or Positions(started_at=_first_start(source, clock))
        self._shards: dict[str, _Progress] = {}
        self._is_listed = False
        self._list_at = 0.0
        self._list_failures = 0
        self._look = 0
        self.save()

    @property
    def is_caught_up(self) -> bool:
        """Whether every shard was read to its end after the last `look_again`, and all of it went into the stream."""
        return (
            self._is_listed
            and not self._has_unknown_children()
            and all(
                progress.is_handed_on or (progress.seen_end >= self._look and not progress.waiting)
                for progress in self._shards.values()
            )
        )

    def look_again(self) -> None:
        """Forget that shards were at their end: somebody wants to know that of now. From any thread."""
        self._look += 1

    def due_at(self) -> float:
        """Return when there is something to ask Kinesis for, or something that waits to be handed on."""
        due = [at for progress in self._shards.values() if (at := self._next_at(progress)) is not None]
        if self._wants_listing():
            due.append(self._list_at)
        return min(due, default=self._clock.now() + limits.POLL_SECONDS)

    def work(self, take: Take) -> None:
        """Read what is due and hand it on."""
        if self._wants_listing() and self._list_at <= self._clock.now():
            self._list()
        for progress in list(self._shards.values()):
            next_at = self._next_at(progress)
            if next_at is None or next_at > self._clock.now():
                continue
            if not progress.waiting:
                self._read(progress)
            self._hand_on(progress, take)

    def save(self) -> None:
        """Keep the checkpoints, if they have moved."""
        for progress in self._shards.values():
            progress.advance()
            position = SHARD_END if progress.is_over else progress.settled_to
            if position is not None and self._positions.shards.get(progress.shard.shard_id) != position:
                shards = {**self._positions.shards, progress.shard.shard_id: position}
                self._positions = Positions(self._positions.started_at, shards)
        if self._positions is not self._saved:
            self._checkpoints.save(self._name, self._positions)
            self._saved = self._positions

    def _next_at(self, progress: _Progress) -> float | None:
        if progress.waiting:
            return progress.retry_at
        if progress.is_read or not self._may_be_read(progress):
            return None
        is_behind = progress.seen_end < self._look
        pause = limits.POLL_SECONDS_WHEN_BEHIND if is_behind else limits.POLL_SECONDS
        return max(progress.retry_at, progress.called_at + pause)

    def _may_be_read(self, progress: _Progress) -> bool:
        parents = (self._shards.get(parent) for parent in progress.shard.parents)
        return all(parent is None or parent.is_handed_on for parent in parents)

    def _has_unknown_children(self) -> bool:
        parents = {parent for progress in self._shards.values() for parent in progress.shard.parents}
        return any(progress.is_read and name not in parents for name, progress in self._shards.items())

    def _wants_listing(self) -> bool:
        return not self._is_listed or self._has_unknown_children()

    def _list(self) -> None:
        try:
            listed = {shard.shard_id: shard for shard in self._reader.shards(self._arn)}
        except Exception as error:  # whatever keeps Kinesis from answering is tried again
            self._list_failures += 1
            self._list_at = self._clock.now() + backoff_seconds(self._list_failures)
            logger.warning("%s: listing the shards failed: %s", self._arn, error)
            return
        self._is_listed, self._list_failures = True, 0
        self._list_at = self._clock.now() + limits.POLL_SECONDS
        for name, shard in listed.items():
            if name not in self._shards:
                self._shards[name] = self._found(shard)
        for name in [name for name in self._shards if name not in listed]:
            self._forget(name)

    def _found(self, shard: Shard) -> _Progress:
        position = self._positions.shards.get(shard.shard_id)
        if position == SHARD_END:
            return _Progress(shard, is_read=True)
        return _Progress(shard, read_to=position, settled_to=position)

    def _forget(self, name: str) -> None:
        """A shard that Kinesis has no more, a while after all its records were over their retention."""
        progress = self._shards[name]
        if not progress.is_read:
            logger.warning("%s: %s is gone before it was read to its end", self._arn, name)
            progress.is_read = True
        if progress.is_over:
            del self._shards[name]
            kept = {other: position for other, position in self._positions.shards.items() if other != name}
            self._positions = Positions(self._positions.started_at, kept)

    def _read(self, progress: _Progress) -> None:
        look = self._look
        progress.called_at = self._clock.now()
        try:
            page = self._next_page(progress)
        except ExpiredIteratorError:
            progress.iterator = None
            return
        except Exception as error:  # a throttle, or whatever else keeps Kinesis from answering
            progress.failures += 1
            progress.retry_at = self._clock.now() + backoff_seconds(progress.failures)
            logger.warning("%s: reading %s failed: %s", self._arn, progress.shard.shard_id, error)
            return
        progress.failures = 0
        progress.iterator, progress.is_read = page.following, page.following is None
        progress.seen_end = look if page.behind_ms == 0 else _NEVER
        for record in page.records:
            progress.read_to = record.sequence_number
            self._receive(progress, record)

    def _next_page(self, progress: _Progress) -> Page:
        if progress.iterator is None:
            progress.iterator = self._reader.iterator(
                self._arn, progress.shard.shard_id, after=progress.read_to, since=self._positions.started_at
            )
        return self._reader.read(progress.iterator)

    def _receive(self, progress: _Progress, record: KinesisRecord) -> None:
        inside = kpl.members(record.data)
        members = [kpl.Member(record.data, record.partition_key)] if inside is None else inside
        receipt = _Receipt(record.sequence_number, unsettled=len(members))
        progress.under_way.append(receipt)
        for number, member in enumerate(members):
            origin = KinesisOrigin(progress.shard.shard_id, record.sequence_number, number, member.partition_key)
            progress.waiting.append(Arrival(member.data, record.arrived_ms, origin, receipt.settle))

    def _hand_on(self, progress: _Progress, take: Take) -> None:
        for _ in range(take(list(progress.waiting))):
            progress.waiting.popleft()
        if progress.waiting:
            progress.retry_at = self._clock.now() + limits.POLL_SECONDS_WHEN_BEHIND


def _first_start(source: KinesisSource, clock: Clock) -> float | None:
    match source.start:
        case "TRIM_HORIZON":
            return None
        case "LATEST":
            # Kinesis tells arrivals in milliseconds, the last of which may have begun before now.
            return int(clock.now() * 1000) / 1000
        case started_at:
            return started_at
