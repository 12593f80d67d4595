"""The values that pass between a source, the transformation and a destination."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a source took it in.

    `arrived_ms` is milliseconds since 1970, the unit of `approximateArrivalTimestamp`.
    """

    record_id: str
    data: bytes
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class Ok:
    """The record goes on to the destination as `data`."""

    data: bytes


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

    `failure` is the error code for a line of the error output, None for a delivered record.
    """

    data: bytes
    arrived_ms: int
    raw_bytes: int
    failure: str | None = None
