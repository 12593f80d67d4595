"""How much one aggregator task takes: the search for its limit, and what its CPU costs by load.

A rate is sustainable when the load was sent in time, the inputs did not pause, the buffer did not grow and nothing was
lost. The search doubles the rate until one is not, then halves the interval. Every step is a new aggregator on an
empty buffer, so a bad step leaves nothing behind for the next; their number is bounded and known before.

The line of CPU against load is fitted through all sustained steps by least squares. It says what the search alone
cannot on a small machine, where senders and Fluent Bit share the cores: what one core of Fluent Bit would take.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from loadtest.profile import MEGABYTE

PER: Final = 10_000
"""The line's slope is told for so many messages a second."""
_FEW: Final = 2


@dataclass(frozen=True, kw_only=True)
class Step:
    """One rate, tried for a while.

    `rate` is what was asked for and `achieved` what was sent, in messages a second; `bytes_per_message` is their mean
    length; `cpu` is Fluent Bit's, in cores, and `machine` the share of all cores that were busy; `failing` says why it
    is not sustainable, empty when it is.
    """

    rate: float
    achieved: float
    bytes_per_message: float
    cpu: float
    memory: int
    machine: float
    failing: tuple[str, ...]

    @property
    def sustained(self) -> bool:
        """Whether it was."""
        return not self.failing

    @property
    def mb_per_second(self) -> float:
        """Megabytes of messages a second."""
        return self.achieved * self.bytes_per_message / MEGABYTE

    @property
    def per_vcpu(self) -> float | None:
        """Messages a second for each core that Fluent Bit used."""
        return self.achieved / self.cpu if self.cpu > 0 else None


@dataclass(frozen=True, kw_only=True)
class Line:
    """CPU against load: cores = intercept + slope * messages a second / 10,000. `r2` is 1 for a perfect fit.

    It goes through so many points; through two, any line fits.
    """

    slope: float
    intercept: float
    r2: float
    points: int

    def at(self, rate: float) -> float:
        """Cores at so many messages a second."""
        return self.intercept + self.slope * rate / PER

    @property
    def one_core(self) -> float | None:
        """Messages a second at which one core is used up: an extrapolation, since most of the work is one thread's."""
        return (1 - self.intercept) / self.slope * PER if self.slope > 0 else None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What the search found. `best` is the highest step that was sustained, None if none was."""

    steps: tuple[Step, ...]
    best: Step | None
    line: Line | None
    bounded: bool
    """Whether something faster was tried that was not sustained: if not, the limit is higher."""

    def to_json(self) -> dict[str, Any]:
        """Stable keys, for a machine."""
        return {
            "version": 1,
            "highest": None if self.best is None else _step_json(self.best),
            "bounded": self.bounded,
            "line": None if self.line is None else {**asdict(self.line), "one_core": self.line.one_core, "per": PER},
            "steps": [_step_json(step) for step in self.steps],
        }


def search(measure: Callable[[float], Step], *, first: float, most_steps: int) -> Limit:
    """The highest rate that is sustained, in `most_steps` measurements at most, the first one at `first`.

    Each doubles while it is sustained, and halves until one is; then the interval is halved. The limit is known to
    within 1/2^n of an octave after n more steps.
    """
    steps: list[Step] = []
    good: float | None = None
    bad: float | None = None
    rate = first
    while len(steps) < most_steps:
        step = measure(rate)
        steps.append(step)
        if step.sustained:
            good = max(good or rate, rate)
        else:
            bad = min(bad or rate, rate)
        rate = _next(good, bad)
    return Limit(steps=tuple(steps), best=_best(steps), line=fit(steps), bounded=bad is not None)


def _next(good: float | None, bad: float | None) -> float:
    if bad is None:
        return 2 * (good or 0)
    return bad / 2 if good is None else (good + bad) / 2


def _best(steps: Sequence[Step]) -> Step | None:
    return max((step for step in steps if step.sustained), key=lambda step: step.rate, default=None)


def fit(steps: Sequence[Step]) -> Line | None:
    """The line of CPU against load through the sustained steps; None for fewer than two different rates."""
    points = [(step.achieved / PER, step.cpu) for step in steps if step.sustained]
    if len({x for x, _ in points}) < _FEW:
        return None
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    intercept = mean_y - slope * mean_x
    total = sum((y - mean_y) ** 2 for _, y in points)
    left = sum((y - intercept - slope * x) ** 2 for x, y in points)
    return Line(slope=slope, intercept=intercept, r2=1 - left / total if total > 0 else 1.0, points=count)


def grows(depths: Sequence[tuple[float, int]], *, tolerated: float) -> bool:
    """Whether a buffer grows: its depths (second, bytes) rise by more than `tolerated` bytes a second.

    The second half's median against the first's, so that one full flush more or less decides nothing.
    """
    half = len(depths) // 2
    if half < _FEW:
        return False
    (first_at, first), (last_at, last) = _middle(depths[:half]), _middle(depths[half:])
    return last - first > tolerated * (last_at - first_at)


def _middle(depths: Sequence[tuple[float, int]]) -> tuple[float, float]:
    at = [when for when, _ in depths]
    ordered = sorted(depth for _, depth in depths)
    return sum(at) / len(at), ordered[len(ordered) // 2]


def _step_json(step: Step) -> dict[str, Any]:
    return {
        **asdict(step),
        "sustained": step.sustained,
        "mb_per_second": step.mb_per_second,
        "messages_per_second_per_vcpu": step.per_vcpu,
        "mb_per_second_per_vcpu": None if step.cpu <= 0 else step.mb_per_second / step.cpu,
    }
