"""What a run came to, as values and as JSON.

The JSON (`Result.to_json`, version 1) is the object of these fields, dataclass by dataclass; numbers are counts of
messages unless they say otherwise. Times are Unix seconds, latencies milliseconds from when a message was due to when
it was readable. `null` stands for what is not known: a latency where nothing was delivered, a CPU where nobody
looked, `reordered` and `altered` in an account that SQL made. A field is added without a new version; one that is
removed, or means something else, takes a new one, and what has another version is refused.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Self, TypeVar

VERSION: Final = 1


AnyAccount = TypeVar("AnyAccount", bound="Account")


class ReportVersionError(ValueError):
    """A report of another version than this program writes."""

    def __init__(self, found: object) -> None:
        super().__init__(
            f"the report has version {found!r}, and this Sluice reads version {VERSION}: "
            "run the load again, or read it with the Sluice that wrote it"
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened in a run, and until when its traces are looked for; None: until the next, or the end."""

    name: str
    at: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """The target at a time: cores in use, bytes of memory, bytes and chunks it holds, whether its input is paused."""

    at: float
    cpu: float
    memory: int
    buffered: int = 0
    chunks: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds, each at most 9 % too high, `max` exact; None when nothing was delivered."""

    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of messages: sent = delivered + failed + dropped + lost.

    `delivered`, `failed`, `lost`, `altered`, `misrouted` and `reordered` count messages; `duplicated` and
    `duplicated_otherwise` count further copies, under the event_id of the first and under another one. `unexpected`
    counts messages that arrived and were never sent. `lost_acknowledged` is at most what it says if rules dropped some:
    nobody can tell a dropped message from a lost one, and what is left over counts as lost.
    """

    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    failed: int = 0
    failed_by_reason: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    lost: int = 0
    lost_acknowledged: int = 0
    duplicated: int = 0
    duplicated_otherwise: int = 0
    reordered: int | None = 0
    altered: int | None = 0
    misrouted: int = 0
    unexpected: int = 0
    latency: Percentiles = Percentiles()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAccount(Account):
    """One load's. `due` is how many messages the profile asks for."""

    name: str
    client: str
    ack: bool
    tracer: bool
    tag: str
    route: str
    connections: int
    due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAccount(Account):
    """That of all loads of a route."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkAccount:
    """What became of the messages that were due within a mark's window; copies beyond 255 of one are not counted."""

    name: str
    at: float
    until: float
    sent: int
    acknowledged: int
    lost: int
    lost_acknowledged: int
    duplicated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A run over time, in slots of `step` seconds from `start`; all columns are of one length.

    `sent`, `acknowledged` and `delivered` are messages in the slot, by the time at which that was said (journals) or
    they could be read. Latencies are of the messages that were *due* in the slot. What was observed is the slot's last.
    """

    start: float
    step: int
    sent: tuple[int, ...] = ()
    acknowledged: tuple[int, ...] = ()
    delivered: tuple[int | None, ...] = ()
    p50: tuple[float | None, ...] = ()
    p99: tuple[float | None, ...] = ()
    cpu: tuple[float | None, ...] = ()
    memory: tuple[int | None, ...] = ()
    buffered: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Breach:
    """Why a run has failed: what was limited, to what, and what was found; `says` is the sentence for people."""

    name: str
    limit: float | None
    found: float | None
    says: str


@dataclass(frozen=True, slots=True)
class Example:
    """One of the messages that something happened to, to look for: a few of each kind are kept."""

    kind: str
    load: str
    source: int
    sequence: int
    count: int = 1
    """How many from that sequence on: losses come in runs."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The whole account. `foreign` counts markers of other runs, `unreadable` lines that could not be read.

    `notes` say what this account cannot know. `target` is whatever the caller says of what was tested.
    """

    run: str
    profile: str
    says: str
    seed: int
    seconds: float
    began: float
    ended: float
    bytes: int
    behind: float
    loads: tuple[LoadAccount, ...]
    routes: tuple[RouteAccount, ...]
    total: Account
    marks: tuple[MarkAccount, ...]
    series: Series
    breaches: tuple[Breach, ...]
    examples: tuple[Example, ...] = ()
    foreign: int = 0
    unreadable: int = 0
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    target: Mapping[str, str] = field(default_factory=dict)

    @property
    def due(self) -> int:
        """How many messages the profile asks for."""
        return sum(load.due for load in self.loads)

    @property
    def achieved_percent(self) -> float:
        """Of what was due, how much was sent."""
        return 100 * self.total.sent / self.due if self.due else 0.0

    @property
    def passed(self) -> bool:
        """Whether nothing was breached."""
        return not self.breaches

    def without(self, *names: str, note: str) -> Self:
        """The same, but nobody knows these of any account's fields; the note says why."""

        unknown: dict[str, Any] = dict.fromkeys(names)

        def unknowing(account: AnyAccount) -> AnyAccount:
            return replace(account, **unknown)

        return replace(
            self,
            loads=tuple(map(unknowing, self.loads)),
            routes=tuple(map(unknowing, self.routes)),
            total=unknowing(self.total),
            notes=(*self.notes, note),
        )

    def to_json(self) -> dict[str, Any]:
        """The report, ready for `json.dumps`; see the module for its form."""
        derived = {"due": self.due, "achieved_percent": round(self.achieved_percent, 2), "passed": self.passed}
        return {"version": VERSION, **derived, **asdict(self)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The result that a report tells of. Raises ReportVersionError for one of another version."""
        if found.get("version") != VERSION:
            raise ReportVersionError(found.get("version"))
        made: dict[str, Any] = {each.name: found[each.name] for each in fields(cls) if each.name in found}
        made["loads"] = tuple(_account(LoadAccount, each) for each in found["loads"])
        made["routes"] = tuple(_account(RouteAccount, each) for each in found["routes"])
        made["total"] = _account(Account, found["total"])
        made["marks"] = tuple(MarkAccount(**_known(MarkAccount, each)) for each in found["marks"])
        columns: dict[str, Any] = _known(Series, found["series"])
        columns |= {name: tuple(column) for name, column in columns.items() if isinstance(column, list)}
        made["series"] = Series(**columns)
        made["breaches"] = tuple(Breach(**_known(Breach, each)) for each in found["breaches"])
        made["examples"] = tuple(Example(**_known(Example, each)) for each in found.get("examples", ()))
        made["errors"], made["notes"] = tuple(found.get("errors", ())), tuple(found.get("notes", ()))
        return cls(**made)


def _account(kind: type[AnyAccount], found: Mapping[str, Any]) -> AnyAccount:
    made = _known(kind, found)
    return kind(**{**made, "latency": Percentiles(**_known(Percentiles, made.get("latency") or {}))})


def _known(kind: type[Any], found: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: found[each.name] for each in fields(kind) if each.name in found}
