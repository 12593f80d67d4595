"""What a matrix run found, and what it has to be: a row for each event and client kind, and the bars.

`report.json`, version 1: `{"version", "passed", "conditions": {…}, "seconds", "outcomes": [{"event", "group", "says",
"repeats", "seconds", "may_lose_acknowledged", "must_lose", "skipped", "error", "broken", "rows": [{"client", "acks",
"sent", "acknowledged", "lost", "lost_acknowledged", "duplicated", "duplicated_otherwise", "failed", "altered",
"misrouted", "latency_p99_ms", "per_second"}]}]}`. `broken` says in words which bars an outcome misses; without an entry
it holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from local.faults.event import Event

VERSION: Final = 1
GATE: Final = "gate"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one kind of client sent through an event, in messages, and what became of it.

    `lost` counts what was sent and is nowhere, `lost_acknowledged` what of that was acknowledged. `duplicated` counts
    copies under the event_id of the first, `duplicated_otherwise` those under another one. `failed` lies in the failure
    store with its reason. `per_second` is the rate at which messages were due.
    """

    client: str
    acks: bool
    sent: int
    acknowledged: int
    lost: int
    lost_acknowledged: int
    duplicated: int
    duplicated_otherwise: int
    failed: int
    altered: int = 0
    misrouted: int = 0
    latency_p99_ms: float | None = None
    per_second: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Found:
    """What running an event gave: its rows, and what went wrong with the event itself."""

    rows: tuple[Row, ...]
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An event and its rows; or why there are none: it was skipped, or went wrong itself."""

    event: str
    group: str
    says: str
    repeats: int
    may_lose_acknowledged: bool
    must_lose: bool
    seconds: float = 0.0
    rows: tuple[Row, ...] = ()
    skipped: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, event: Event, **found: Any) -> Self:  # noqa: ANN401 - its own fields, each typed above
        """An outcome of an event."""
        return cls(
            event=event.name,
            group=event.group,
            says=event.says,
            repeats=event.repeats,
            may_lose_acknowledged=event.may_lose_acknowledged,
            must_lose=event.must_lose,
            **found,
        )

    @property
    def broken(self) -> tuple[str, ...]:
        """The bars that it misses, in words."""
        return () if self.skipped is not None else tuple(_broken(self))


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A run of the matrix. `conditions` are what it ran on and with, as words and numbers."""

    outcomes: tuple[Outcome, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether something was tried and every bar holds."""
        tried = [outcome for outcome in self.outcomes if outcome.skipped is None]
        return bool(tried) and not any(outcome.broken for outcome in tried)

    def to_json(self) -> dict[str, Any]:
        """As it stands in report.json."""
        return {
            "version": VERSION,
            "passed": self.passed,
            "conditions": dict(self.conditions),
            "seconds": round(self.seconds, 1),
            "outcomes": [{**asdict(outcome), "broken": list(outcome.broken)} for outcome in self.outcomes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read report.json. Raises ValueError for one of another version."""
        if data.get("version") != VERSION:
            raise ValueError(f"a matrix of version {data.get('version')}: this reads {VERSION}; run it again")
        outcomes = []
        for fields in data["outcomes"]:
            told = {name: value for name, value in fields.items() if name not in {"rows", "broken"}}
            outcomes.append(Outcome(**told, rows=tuple(Row(**row) for row in fields["rows"])))
        return cls(outcomes=tuple(outcomes), conditions=data["conditions"], seconds=data["seconds"])


def _broken(outcome: Outcome) -> Iterator[str]:
    if outcome.error is not None:
        yield outcome.error
    if not outcome.rows:
        yield "no client's messages were accounted for"
    for row in outcome.rows:
        yield from (f"{row.client}: {what}" for what in _broken_row(outcome, row))
    if outcome.must_lose and not any(_proves(outcome, row) for row in outcome.rows):
        yield "a setting that is known to lose lost nothing: the account cannot be trusted"


def _proves(outcome: Outcome, row: Row) -> bool:
    """Whether a row of a negative control has lost what it had to.

    What clients lose that ask for no acknowledgement they lose with good settings too: it proves only that it is seen.
    """
    return bool(row.lost_acknowledged if outcome.may_lose_acknowledged else row.lost)


def _broken_row(outcome: Outcome, row: Row) -> Iterator[str]:
    if not row.sent:
        yield "sent nothing"
    if outcome.must_lose and outcome.may_lose_acknowledged:
        return
    may_lose = outcome.may_lose_acknowledged and row.client != GATE
    if row.lost_acknowledged and not may_lose:
        yield f"{row.lost_acknowledged:,} acknowledged and lost"
    unacknowledged = row.lost - row.lost_acknowledged
    if row.acks and unacknowledged:
        yield f"{unacknowledged:,} lost of those that were sent again until given up"
    if row.duplicated_otherwise:
        yield f"{row.duplicated_otherwise:,} copies under another event_id"
    for what, number in (("altered", row.altered), ("in another route than theirs", row.misrouted)):
        if number:
            yield f"{number:,} {what}"
