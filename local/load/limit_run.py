"""One step of the search for a limit: a rate, on a new aggregator, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from loadtest.plan import make_plan
from loadtest.profile import Profile
from loadtest.tally import Observation, Result
from local.fluent_bit import FluentBit
from local.load.adjust import adjusted, rate_of, steady
from local.load.interrupts import Interrupts
from local.load.limit import Step, grows
from local.load.running import SENDING, Moment, Show, run
from local.load.stage import counting_stage
from sluice.model import Config

SETTLE_SECONDS: Final = 10
FLUSH_SECONDS: Final = 1.3
"""A client like FireLens holds messages back for a second; a load that ends so late was in time."""
WARM_SECONDS: Final = 1.5
GROWTH: Final = 0.05
"""A buffer grows when this share of what comes in stays in it."""
DEFAULT_ACHIEVED: Final = 95.0
START_SECONDS: Final = 6
"""Starting a stage, and emptying it."""


def seconds_at_most(seconds: float, steps: int) -> float:
    """How long a search may take: every step's load, as much again for one that falls behind, starting and settling."""
    return steps * (2 * seconds + FLUSH_SECONDS + START_SECONDS + SETTLE_SECONDS)


@dataclass(kw_only=True)
class Measurement:
    """Measures rates of one profile; call it with messages a second."""

    config: Config
    engine: FluentBit
    settings: Mapping[str, str] = field(default_factory=dict)
    profile: Profile
    folder: Path
    interrupts: Interrupts
    show: Show = lambda _moment: None
    number: int = field(default=0, init=False)

    def __call__(self, rate: float) -> Step:
        """One step. Raises what `running.run` does, and ConfigError for a rate beyond a profile's limits."""
        self.number += 1
        work = self.folder / f"step-{self.number}"
        profile = adjusted(steady(self.profile), times=rate / rate_of(self.profile))
        plan = make_plan(profile.model_copy(update={"settle_seconds": SETTLE_SECONDS}))
        pace = Pace(self.show)
        psutil.cpu_percent()
        with counting_stage(self.config, self.engine, work=work / "stage", settings=self.settings) as stage:
            overtime = profile.seconds + FLUSH_SECONDS
            result = run(plan, stage, folder=work, show=pace, interrupts=self.interrupts, overtime=overtime)
        if self.interrupts.asked:
            raise KeyboardInterrupt
        return judged(result, pace, rate=rate, least_percent=profile.thresholds.achieved_percent)


@dataclass
class Pace:
    """Notes how a load went while it is shown."""

    show: Show
    finished: float = 0.0
    """When the last message was handed over, in seconds after the load began."""
    machine: float | None = None
    """The share of all cores that was busy while it was sent."""
    sent: int = 0
    observations: list[Observation] = field(default_factory=list)

    def __call__(self, moment: Moment) -> None:
        """Take a moment, and pass it on."""
        if moment.progress.sent > self.sent:
            self.sent, self.finished = moment.progress.sent, moment.elapsed
        if self.machine is None and moment.phase != SENDING:
            self.machine = psutil.cpu_percent() / 100
        seen = moment.observation
        if seen is not None and (not self.observations or self.observations[-1] is not seen):
            self.observations.append(seen)
        self.show(moment)


def judged(result: Result, pace: Pace, *, rate: float, least_percent: float | None) -> Step:
    """What a run at a rate says about it. Pure."""
    load = [
        seen
        for seen in pace.observations
        if result.began + WARM_SECONDS <= seen.at <= result.began + max(pace.finished, result.seconds)
    ]
    achieved = result.total.sent / max(pace.finished - FLUSH_SECONDS, result.seconds)
    mean_bytes = result.bytes / result.total.sent if result.total.sent else 0.0
    depths = [(seen.at, seen.buffered) for seen in load]
    failing = []
    least = DEFAULT_ACHIEVED if least_percent is None else least_percent
    if 100 * achieved / rate < least:
        failing.append(f"only {100 * achieved / rate:.0f} % was sent in time")
    if any(seen.paused for seen in load):
        failing.append("the input paused")
    if grows(depths, tolerated=GROWTH * achieved * mean_bytes):
        failing.append("the buffer grows")
    if result.total.lost:
        failing.append(f"{result.total.lost:,} lost")
    failing += result.errors[:1]
    return Step(
        rate=rate,
        achieved=achieved,
        bytes_per_message=mean_bytes,
        cpu=sum(seen.cpu for seen in load) / len(load) if load else 0.0,
        memory=max((seen.memory for seen in load), default=0),
        machine=pace.machine or 0.0,
        failing=tuple(failing),
    )
