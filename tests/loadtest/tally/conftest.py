"""What tests of the tally need: a small plan, the documents of its messages, and journals."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from loadtest.journal import Entry, Journal
from loadtest.marker import Marker
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile
from loadtest.tally import Mark, Observation, Result, Tally

RUN = 0xABCD
BEGAN = 1_800_000_000.0
SECONDS = 10


def small_profile(**changes: Any) -> Profile:
    loads = [
        {"name": "web", "tag": "frontend-web", "connections": 2, "messages_per_second": 10},
        {"name": "tracers", "tag": "backend-tracer", "messages_per_second": 2, "tracer": True},
    ]
    return Profile.model_validate({"name": "small", "seconds": SECONDS, "loads": loads, **changes})


def route_of(tag: str) -> str:
    return tag.partition("-")[0]


class Run:
    """A run of a small plan: 50 messages of sources 0 and 1 each (route frontend), 20 of source 2 (backend)."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.plan: Plan = make_plan(small_profile(**changes), run=RUN)
        self.folder = folder
        self.tally = self.new_tally()

    def new_tally(self, **options: Any) -> Tally:
        made = {"route_of": route_of, "check_every": 1, "text_of": text_of, **options}
        return Tally(self.plan, folder=self.folder, **made)

    def due(self, source: int, sequence: int) -> int:
        """When a message is due; the plan's sources are steady."""
        each = self.plan.sources[source]
        return int((BEGAN + (sequence + 1) / (each.load.rate * each.share)) * 1_000_000_000)

    def text(self, source: int, sequence: int) -> str:
        return text_of(self.plan, self.plan.sources[source], sequence, self.due(source, sequence))

    def document(self, source: int, sequence: int, **changes: Any) -> dict[str, Any]:
        return {
            "@timestamp": "2026-11-21T03:42:58.889697000Z",
            "tag": self.plan.sources[source].load.tag,
            "event_id": event_id(source, sequence),
            "body": self.text(source, sequence),
            "attributes": {"log.iostream": "stdout"},
        } | changes

    def route(self, source: int) -> str:
        return route_of(self.plan.sources[source].load.tag)

    def deliver(self, *documents: dict[str, Any], route: str | None = None, after: float = 1.0) -> None:
        """Documents that are readable so long after the load's beginning."""
        self.tally.deliver(as_lines(documents), route=route, readable_at=BEGAN + after)

    def everything(self, *, but: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
        """Every message, in the order in which they are due, bar some."""
        without = set(but)
        every = [(each.number, number) for each in self.plan for number in range(self.plan.count(each))]
        return [each for each in sorted(every, key=lambda each: (self.due(*each), each)) if each not in without]

    def deliver_all(self, *, but: Iterable[tuple[int, int]] = ()) -> None:
        for source, sequence in self.everything(but=but):
            late = (self.due(source, sequence) / 1e9 - BEGAN) + 0.5
            self.deliver(self.document(source, sequence), route=self.route(source), after=late)

    def journal(self, *, sent: dict[int, int] | None = None, acknowledged: Any = None, **fields: Any) -> Journal:
        """All was sent and acknowledged, unless said otherwise."""
        sent = {each.number: self.plan.count(each) for each in self.plan} if sent is None else sent
        ranges = {each: ((0, count),) for each, count in sent.items()} if acknowledged is None else acknowledged
        entries = [Entry(at=BEGAN + SECONDS, sent=sent, acknowledged=ranges, bytes=1000, behind=0.0)] if sent else []
        made = {"run": RUN, "began": BEGAN, **fields}
        return Journal(
            sent=dict(sent), acknowledged={each: list(those) for each, those in ranges.items()}, entries=entries, **made
        )

    def close(
        self,
        journal: Journal | None = None,
        *,
        marks: Iterable[Mark] = (),
        observations: Iterable[Observation] = (),
        dropped: dict[str, int] | None = None,
    ) -> Result:
        return self.tally.close(
            journal or self.journal(), marks=tuple(marks), observations=tuple(observations), dropped=dropped
        )


def text_of(plan: Plan, source: Any, sequence: int, due: int) -> str:
    marker = Marker(plan.run, source.number, sequence, due).encode().decode()
    return f'line {sequence} of {source.number}: {marker} \\ "event_id":"{"f" * 32}" \u00e9 sl slt'


def event_id(source: int, sequence: int, more: int = 0) -> str:
    return f"{source:08x}{sequence:08x}{more:016x}"


def as_lines(documents: Iterable[dict[str, Any]]) -> bytes:
    told = [json.dumps(each, separators=(",", ":"), ensure_ascii=False) + "\n" for each in documents]
    return "".join(told).encode("utf-8", "surrogatepass")


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    return lambda **changes: Run(tmp_path / "tally", **changes)


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    return make_run()
