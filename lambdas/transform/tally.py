"""What became of a batch: of its records, and of the lines in them, so that nothing can go missing between the two.

Every record is delivered, failed or dropped. Of the records that were delivered or dropped every line is accounted
for:

    lines + returned = documents + resent + dropped + joined

`returned` are documents that this route sent once more (resend) and now got back, so over all invocations resent and
returned cancel out, but for what was sent by a record that failed afterwards. A record that fails takes its lines with
it: what it counted until then is thrown away, since it lies whole in the failure store. Cost: a Counts per record, a
microsecond.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed record, told without its content: the digest finds it among what Firehose stores under failed/."""

    record_id: str
    reason: str
    sha256: str
    data_bytes: int
    error: str = ""
    place: str = ""


@dataclass(slots=True)
class Counts:
    """What became of the lines of a record, or of many.

    `parts` are lines written beyond one per document. `partition_none` and `partition_other` are documents of which a
    partition key is that.
    """

    lines: int = 0
    returned: int = 0
    documents: int = 0
    resent: int = 0
    joined: int = 0
    parts: int = 0
    truncated: int = 0
    partition_none: int = 0
    partition_other: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    redacted: dict[str, int] = field(default_factory=dict)

    @property
    def unaccounted(self) -> int:
        """Lines that came and of which nobody said what became. Anything but zero is our mistake."""
        gone = self.documents + self.resent + sum(self.dropped.values()) + self.joined
        return self.lines + self.returned - gone

    def drop(self, rule: str) -> None:
        """Count a line that a rule drops."""
        self.dropped[rule] = self.dropped.get(rule, 0) + 1

    def redact(self, pattern: str, places: int = 1) -> None:
        """Count places that a pattern redacted."""
        self.redacted[pattern] = self.redacted.get(pattern, 0) + places

    def merge(self, record: Counts) -> None:
        """Add what a record counted."""
        self.lines += record.lines
        self.returned += record.returned
        self.documents += record.documents
        self.resent += record.resent
        self.joined += record.joined
        self.parts += record.parts
        self.truncated += record.truncated
        self.partition_none += record.partition_none
        self.partition_other += record.partition_other
        if record.dropped:
            self.dropped = _sum(self.dropped, record.dropped)
        if record.redacted:
            self.redacted = _sum(self.redacted, record.redacted)


@dataclass(slots=True)
class Tally:
    """A batch. `dropped` counts records by why they hold nothing; bytes out are documents, before base64."""

    records: int = 0
    delivered: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


def _sum(ours: Mapping[str, int], theirs: Mapping[str, int]) -> dict[str, int]:
    return {**ours, **{name: ours.get(name, 0) + count for name, count in theirs.items()}}
