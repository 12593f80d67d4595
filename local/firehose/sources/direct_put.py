"""Direct PUT: what PutRecord and PutRecordBatch take and refuse.

A call that breaks a limit is refused as a whole. Records beyond a quota, beyond the memory that may be
pending, or hit by a fault fail one by one and the rest of their call is taken, which is what makes
clients of PutRecordBatch read FailedPutCount.

Source: https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias

from local.firehose import limits
from local.firehose.clock import Clock
from local.firehose.errors import ApiError
from local.firehose.quotas import QuotaMeter, Quotas
from local.firehose.stream import Stream


@dataclass(frozen=True, slots=True)
class Accepted:
    """The record is the stream's now."""

    record_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The record was not taken; the client is to send it again."""

    code: str = "ServiceUnavailableException"
    message: str = "Slow down."


PutResult: TypeAlias = Accepted | Refused


class DirectPut:
    """The entrance of one stream for its clients' calls. Safe for threads."""

    def __init__(self, stream: Stream, *, quotas: Quotas | None, clock: Clock) -> None:
        self._stream = stream
        self._meter = None if quotas is None else QuotaMeter(quotas, clock=clock)
        self._seen = 0
        self._lock = Lock()

    def put(self, records: Sequence[bytes], *, fail_every: int = 0) -> list[PutResult]:
        """Take what can be taken of one call; return what became of each record, in order.

        With `fail_every` n, every n-th record that is put to the stream is refused, counted over calls.
        Raises ApiError for a call over a limit.
        """
        check_limits(records)
        with self._lock:
            admitted = self._admit(records, fail_every)
        ids = self._stream.accept([records[index] for index in admitted])
        taken = dict(zip(admitted, ids, strict=True))
        return [
            Refused() if (record_id := taken.get(index)) is None else Accepted(record_id)
            for index in range(len(records))
        ]

    def _admit(self, records: Sequence[bytes], fail_every: int) -> list[int]:
        if self._meter is not None and not self._meter.take_request():
            return []
        return [index for index, data in enumerate(records) if self._admits(data, fail_every)]

    def _admits(self, data: bytes, fail_every: int) -> bool:
        self._seen += 1
        if fail_every and self._seen % fail_every == 0:
            return False
        return self._meter is None or self._meter.take_record(len(data))


def check_limits(records: Sequence[bytes]) -> None:
    """Raise the ApiError that a call with these records deserves, if any."""
    if not 1 <= len(records) <= limits.RECORDS_PER_CALL:
        raise ApiError(
            "ValidationException",
            f"1 validation error detected: {len(records)} records at 'records' failed to satisfy constraint: "
            f"Member must have length between 1 and {limits.RECORDS_PER_CALL}",
        )
    for position, data in enumerate(records, start=1):
        if len(data) > limits.BYTES_PER_RECORD:
            raise ApiError(
                "ValidationException",
                f"1 validation error detected: {len(data)} bytes at 'records.{position}.member.data' failed to "
                f"satisfy constraint: Member must have length less than or equal to {limits.BYTES_PER_RECORD}",
            )
    if sum(map(len, records)) > limits.BYTES_PER_CALL:
        raise ApiError("InvalidArgumentException", "Records size exceeds 4 MB limit")
