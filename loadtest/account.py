"""What the oracle found, as values: per route and in total, and as the report's JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from sent to readable; None when nothing was delivered."""

    p50: float | None
    p99: float | None
    max: float | None

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Self:
        """The nearest-rank percentiles of a sample."""
        if not milliseconds:
            return cls(None, None, None)
        ordered = sorted(milliseconds)
        p50, p99 = (ordered[math.ceil(len(ordered) * percent / 100) - 1] for percent in (50, 99))
        return cls(p50=p50, p99=p99, max=ordered[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAccount:
    """What became of a route's records: sent = delivered + failed + dropped + lost.

    `duplicated` counts further copies under the record's own event_id, which a reader can remove. The
    rest are violations: further copies under another event_id, documents that nobody sent, records whose
    content changed, records under an event_id of another record, records found in another route's place.
    """

    name: str
    destination: str
    sent: int
    acknowledged: int
    delivered: int
    failed: int
    dropped: int
    lost: int
    duplicated: int
    duplicated_otherwise: int
    unexpected: int
    altered: int
    shared_event_id: int
    misrouted: int
    latency: Latency

    @property
    def violations(self) -> dict[str, int]:
        """What must not happen, by name."""
        return {
            "duplicated_otherwise": self.duplicated_otherwise,
            "unexpected": self.unexpected,
            "altered": self.altered,
            "shared_event_id": self.shared_event_id,
            "misrouted": self.misrouted,
        }


@dataclass(frozen=True, slots=True)
class Account:
    """The whole account. `unreadable` counts lines of the failure store that could not be read."""

    routes: tuple[RouteAccount, ...]
    unreadable: int

    @property
    def complete(self) -> bool:
        """Whether records were sent, each is accounted for, and nothing happened that must not."""
        clean = all(route.lost == 0 and not any(route.violations.values()) for route in self.routes)
        return clean and self.unreadable == 0 and any(route.sent for route in self.routes)

    def to_json(self, *, seconds: float) -> dict[str, Any]:
        """The report: `routes`, `seconds`, `complete`, `unreadable`; times in the routes are milliseconds."""
        return {
            "routes": [_route_json(route) for route in self.routes],
            "seconds": round(seconds, 3),
            "complete": self.complete,
            "unreadable": self.unreadable,
        }


def _route_json(route: RouteAccount) -> dict[str, Any]:
    latency = {"p50": route.latency.p50, "p99": route.latency.p99, "max": route.latency.max}
    return {
        "name": route.name,
        "destination": route.destination,
        "sent": route.sent,
        "acknowledged": route.acknowledged,
        "delivered": route.delivered,
        "failed": route.failed,
        "dropped": route.dropped,
        "lost": route.lost,
        "duplicated": route.duplicated,
        "violations": route.violations,
        "latency_ms": {name: None if ms is None else round(ms, 1) for name, ms in latency.items()},
    }
