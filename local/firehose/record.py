"""The values that pass between a source, the transformation and a destination."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

PROCESSING_FAILED: Final = "processing-failed"
"""The error-output-type of what the transformation gave up, and Firehose's word for it."""


def _nobody_waits() -> None:
    return None


@dataclass(frozen=True, slots=True)
class KinesisOrigin:
    """Where in a data stream a record stood; `subsequence_number` counts the members of an aggregate from 0."""

    shard_id: str
    sequence_number: str
    subsequence_number: int
    partition_key: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that a source was sent or has read, and whom it tells when the record is settled.

    `arrived_ms` is milliseconds since 1970, the unit of `approximateArrivalTimestamp`. `on_settled` is called once,
    when the record was delivered, is in the error output or was dropped, from the thread that works.
    """

    data: bytes
    arrived_ms: int
    origin: KinesisOrigin | None = None
    on_settled: Callable[[], None] = _nobody_waits


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the stream took it in; the rest is as in `Arrival`."""

    record_id: str
    data: bytes
    arrived_ms: int
    origin: KinesisOrigin | None = None
    on_settled: Callable[[], None] = _nobody_waits


@dataclass(frozen=True, slots=True)
class Ok:
    """The record goes on to the destination as `data`, into the partition that `partition_keys` name."""

    data: bytes
    partition_keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dropped:
    """The function dropped the record on purpose: it ends here and is counted."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The record goes to the error output under Firehose's `code` and `message`."""

    code: str
    message: str


Verdict: TypeAlias = Ok | Dropped | Failed


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Bytes on their way to a destination, and what their arrival there settles.

    `failure` is the error code for a line of the error output, which lies under `error_type`; None for a delivered
    record. What fails on its way is replaced by its line, so that `on_settled` stays with it.
    """

    data: bytes
    arrived_ms: int
    raw_bytes: int
    failure: str | None = None
    error_type: str = PROCESSING_FAILED
    partition_keys: Mapping[str, str] = field(default_factory=dict)
    on_settled: Callable[[], None] = _nobody_waits
