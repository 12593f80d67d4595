"""The clients that ECS has: Docker's fluentd driver (EC2) and a FireLens sidecar (Fargate).

Mechanism: each follows the pipes of a real process and ships every line with the record keys, the tag and
the carrier mode of the client it stands for, and writes it into the ledger first. All sending happens in
the thread that calls `follow`. Cost: a line is encoded once; a sidecar's batch is held until it is flushed.

One thing differs from Docker, on purpose: parts of a long line get a time each (Docker gives them all the
time of the first), so that source and time identify every record.

Formats: https://docs.docker.com/engine/logging/drivers/fluentd/ and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_firelens.html
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO

from loadtest.chunk import encode_entry, encode_message, encode_packed
from loadtest.forward import ForwardClient
from loadtest.ledger import Key, Ledger, Sent
from loadtest.lines import Line, follow_pipes

# Fluent Bit's default flush interval, and a batch well under in_forward's buffer_max_size (6,144,000 B).
FLUSH_SECONDS = 1.0
BATCH_BYTES = 512_000
IDLE_TICK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container: its 64-digit id, and its name as Docker gives it, with the leading slash."""

    id: str
    name: str

    @classmethod
    def new(cls, name: str) -> "Container":
        """A container of that name with an id of its own; the slash is added."""
        return cls(id=secrets.token_hex(32), name="/" + name.removeprefix("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The ECS task that a sidecar runs in.

    `definition` is "family:revision"; `container` is the name in the task definition.
    """

    cluster: str
    arn: str
    definition: str
    container: str

    @property
    def tag(self) -> str:
        """FireLens's tag: `<container>-firelens-<task id>`."""
        return f"{self.container}-firelens-{self.arn.rsplit('/', 1)[-1]}"

    def fields(self) -> dict[str, str]:
        """What `enable-ecs-log-metadata` adds to each record."""
        return {
            "ecs_cluster": self.cluster,
            "ecs_task_arn": self.arn,
            "ecs_task_definition": self.definition,
        }


@dataclass(slots=True, kw_only=True)
class Source:
    """One container's records: gives each its time and its line in the ledger.

    `clock` gives Unix nanoseconds; the times handed out strictly increase whatever it does.
    """

    container: Container
    tag: str
    client: str
    ledger: Ledger | None
    extra: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], int] = time.time_ns
    last: int = 0
    stamped: int = 0
    acknowledged: int = 0

    def stamp(self, line: Line) -> tuple[int, dict[str, str]]:
        """The line's time (Unix ns) and its record, written into the ledger."""
        self.last = max(self.clock(), self.last + 1)
        self.stamped += 1
        part = line.part
        if self.ledger is not None:
            self.ledger.record(
                Sent(
                    source=self.container.id,
                    time_unix_nano=self.last,
                    tag=self.tag,
                    text=line.text,
                    client=self.client,
                    sent_at=time.time(),
                    stream=line.stream,
                    partial_id=part.id if part else None,
                    partial_ordinal=part.ordinal if part else 0,
                    partial_last=bool(part and part.last),
                )
            )
        record = {
            "container_id": self.container.id,
            "container_name": self.container.name,
            "source": line.stream,
            "log": line.text,
            **self.extra,
        }
        return self.last, record | part.fields() if part else record

    def acknowledge(self, times: list[int]) -> None:
        """Write into the ledger that the records of these times were acknowledged."""
        self.acknowledged += len(times)
        if self.ledger is not None:
            keys: list[Key] = [(self.container.id, time_unix_nano) for time_unix_nano in times]
            self.ledger.acknowledge(keys, at=time.time())


class DockerDriver:
    """Docker's fluentd log driver: one message per line.

    `ack` is `fluentd-request-ack`, `sub_second` is `fluentd-sub-second-precision`. A client with a window
    of 1 waits for each acknowledgement before the next line, as the driver does. Without `sub_second` the
    aggregator learns whole seconds only, so nothing can be accounted for: that takes `ledger=None`.
    """

    def __init__(
        self,
        client: ForwardClient,
        *,
        container: Container,
        tag: str,
        ledger: Ledger | None,
        ack: bool = True,
        sub_second: bool = True,
    ) -> None:
        if ledger is not None and not sub_second:
            raise ValueError("whole seconds cannot identify a record: give sub_second=True or ledger=None")
        self._client = client
        self._source = Source(container=container, tag=tag, client="docker", ledger=ledger)
        self._ack, self._sub_second = ack, sub_second

    def follow(self, out: IO[bytes], err: IO[bytes]) -> int:
        """Ship what a process prints until both of its pipes end; how many records that was.

        Raises UnacknowledgedError when the aggregator stays away too long.
        """
        for line in follow_pipes(out, err, tick=IDLE_TICK_SECONDS):
            if line is None:
                self._client.poll()
            else:
                self.ship(line)
        self._client.flush()
        return self._source.stamped

    def ship(self, line: Line) -> None:
        """Send one line."""
        at, record = self._source.stamp(line)
        chunk = encode_message(
            tag=self._source.tag, time_unix_nano=at, record=record, ack=self._ack, sub_second=self._sub_second
        )
        self._client.send(chunk, acknowledged=lambda: self._source.acknowledge([at]))


class FireLensSidecar:
    """A FireLens sidecar's out_forward: batches in PackedForward mode, gzipped on request.

    A batch goes out after `flush_seconds`, or when it reaches 512,000 bytes.
    """

    def __init__(
        self,
        client: ForwardClient,
        *,
        container: Container,
        task: Task,
        ledger: Ledger | None,
        ack: bool = True,
        compress: bool = False,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        self._client = client
        self._source = Source(container=container, tag=task.tag, client="firelens", ledger=ledger, extra=task.fields())
        self._batch = Batch(client, source=self._source, ack=ack, compress=compress)
        self._flush_seconds = flush_seconds

    def follow(self, out: IO[bytes], err: IO[bytes]) -> int:
        """Ship what a process prints until both of its pipes end; how many records that was.

        Raises UnacknowledgedError when the aggregator stays away too long.
        """
        due = time.monotonic() + self._flush_seconds
        for line in follow_pipes(out, err, tick=self._flush_seconds):
            if line is not None:
                self._batch.add(line)
            if time.monotonic() >= due:
                self._batch.send()
                self._client.poll()
                due = time.monotonic() + self._flush_seconds
        self._batch.send()
        self._client.flush()
        return self._source.stamped


class Batch:
    """The entries that go out together in one PackedForward chunk."""

    def __init__(self, client: ForwardClient, *, source: Source, ack: bool, compress: bool) -> None:
        self._client, self._source = client, source
        self._ack, self._compress = ack, compress
        self._entries: list[bytes] = []
        self._times: list[int] = []
        self._bytes = 0

    def add(self, line: Line) -> None:
        """Add a line; a batch that has reached its size is sent."""
        at, record = self._source.stamp(line)
        entry = encode_entry(time_unix_nano=at, record=record)
        self._entries.append(entry)
        self._times.append(at)
        self._bytes += len(entry)
        if self._bytes >= BATCH_BYTES:
            self.send()

    def send(self) -> None:
        """Send what there is, if anything."""
        if not self._entries:
            return
        chunk = encode_packed(tag=self._source.tag, entries=self._entries, ack=self._ack, compress=self._compress)
        times = self._times
        self._entries, self._times, self._bytes = [], [], 0
        self._client.send(chunk, acknowledged=lambda: self._source.acknowledge(times))
