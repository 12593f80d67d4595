"""Direct PUT's quotas, as token buckets that hold one second's worth.

Real Firehose averages over more than that; a bucket of a second refuses sooner and on less, which is the
side to err on for a client that must survive being refused.

Source: https://docs.aws.amazon.com/firehose/latest/dev/limits.html. The three scale together on request.
"""

from dataclasses import dataclass
from typing import Final

from local.firehose import limits
from local.firehose.clock import Clock


@dataclass(frozen=True)
class Quotas:
    """What one stream takes in a second, PutRecord and PutRecordBatch together."""

    records_per_second: int
    requests_per_second: int
    bytes_per_second: int


LARGE_REGION_QUOTAS: Final = Quotas(
    records_per_second=500_000, requests_per_second=2_000, bytes_per_second=5 * limits.MIB
)
"""us-east-1, us-west-2 and eu-west-1."""

OTHER_REGION_QUOTAS: Final = Quotas(
    records_per_second=100_000, requests_per_second=1_000, bytes_per_second=1 * limits.MIB
)


class QuotaMeter:
    """What is left of one stream's quotas. Not safe for threads: its owner holds a lock."""

    def __init__(self, quotas: Quotas, *, clock: Clock) -> None:
        self._requests = _Bucket(quotas.requests_per_second, clock=clock)
        self._records = _Bucket(quotas.records_per_second, clock=clock)
        self._bytes = _Bucket(quotas.bytes_per_second, clock=clock)

    def take_request(self) -> bool:
        """Count a request if there is room for one."""
        return self._requests.take(1)

    def take_record(self, size: int) -> bool:
        """Count a record of `size` bytes if there is room for it."""
        if not self._records.has(1) or not self._bytes.has(size):
            return False
        return self._records.take(1) and self._bytes.take(size)


class _Bucket:
    def __init__(self, per_second: int, *, clock: Clock) -> None:
        self._per_second = per_second
        self._clock = clock
        self._tokens = float(per_second)
        self._filled_at = clock.now()

    def has(self, amount: int) -> bool:
        now = self._clock.now()
        gained = max(0.0, now - self._filled_at) * self._per_second
        self._tokens = min(float(self._per_second), self._tokens + gained)
        self._filled_at = now
        return self._tokens >= amount

    def take(self, amount: int) -> bool:
        if not self.has(amount):
            return False
        self._tokens -= amount
        return True
