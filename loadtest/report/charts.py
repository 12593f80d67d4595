"""The charts of a run, as lines and bars of a drawing: what happened over time, and around each event.

A long run has more slots than a drawing has room, so neighbours are drawn as one: rates by their mean, latencies and
whatever fills up by the highest. Every chart says in words what it shows, for who does not see it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from loadtest.tally.result import MarkAccount, Result, Series

WIDTH: Final = 720
HEIGHT: Final = 200
MOST_POINTS: Final = 240
_MEGABYTE: Final = 1_000_000
_NICE: Final = (1, 2, 2.5, 5, 10)
_BARS_GAP: Final = 0.25
_LETTER_WIDTH: Final = 6.5
_LEAST_LETTERS: Final = 8

Values = Sequence[float | None]


@dataclass(frozen=True)
class Line:
    """A series: its name, the SVG path of it, which has gaps where nothing is known, and its highest value, told."""

    name: str
    path: str
    highest: str


@dataclass(frozen=True)
class Bar:
    """What is counted at one place, as a rectangle; `series` is the number of its colour."""

    x: float
    y: float
    width: float
    height: float
    series: int
    told: str


@dataclass(frozen=True)
class Label:
    """Words at a place of the horizontal axis; `says` is all of it, where they are only its number."""

    x: float
    text: str
    says: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """`most` tells the top of the vertical axis; `marks` are the events, as lines from top to bottom."""

    name: str
    title: str
    says: str
    most: str
    names: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    bars: tuple[Bar, ...] = ()
    marks: tuple[Label, ...] = ()
    labels: tuple[Label, ...] = ()


def charts(result: Result) -> tuple[Chart, ...]:
    """Every chart that there is something for."""
    series, step = result.series, result.series.step

    def rates(counts: Sequence[int | None]) -> Values:
        return _scaled(counts, step)

    found = [
        _over_time(
            result,
            name="rate",
            title="Messages a second, in and out",
            columns={
                "sent": rates(series.sent),
                "acknowledged": rates(series.acknowledged),
                "delivered": rates(series.delivered),
            },
            unit="{:,.0f}/s",
            together=fmean,
        ),
        _over_time(
            result,
            name="latency",
            title="Seconds from due to readable, by when a message was due",
            columns={"p50": _scaled(series.p50, 1000), "p99": _scaled(series.p99, 1000)},
            unit="{:,.3g} s",
        ),
        _around_marks(result.marks),
        _over_time(
            result,
            name="buffer",
            title="What the aggregator holds, in MB",
            columns={"buffered": _scaled(series.buffered, _MEGABYTE)},
            unit="{:,.3g} MB",
        ),
        _over_time(result, name="cpu", title="Cores in use", columns={"cpu": series.cpu}, unit="{:,.3g} cores"),
        _over_time(
            result,
            name="memory",
            title="Memory of the aggregator, in MB",
            columns={"memory": _scaled(series.memory, _MEGABYTE)},
            unit="{:,.0f} MB",
        ),
    ]
    return tuple(chart for chart in found if chart is not None)


def _scaled(values: Values, by: float) -> Values:
    return [None if value is None else value / by for value in values]


def _over_time(
    result: Result,
    *,
    name: str,
    title: str,
    columns: dict[str, Values],
    unit: str,
    together: Callable[[Sequence[float]], float] = max,
) -> Chart | None:
    """Lines over the whole run; None when nothing is known."""
    series = result.series
    drawn = {each: _fewer(values, together) for each, values in columns.items()}
    highest = {
        each: max((value for value in values if value is not None), default=None) for each, values in drawn.items()
    }
    known = [value for value in highest.values() if value is not None]
    if not known:
        return None
    top = nice(max(known))
    told = {each: "nothing" if value is None else unit.format(value) for each, value in highest.items()}
    return Chart(
        name=name,
        title=title,
        says=f"{title}, over {_length(series):,.0f} seconds. Highest: "
        + ", ".join(f"{each} {value}" for each, value in told.items()),
        most=unit.format(top),
        names=tuple(columns),
        lines=tuple(Line(each, _path(values, top), told[each]) for each, values in drawn.items()),
        marks=tuple(_marks(result)),
        labels=(
            Label(0, "0 s"),
            Label(WIDTH / 2, f"{_length(series) / 2:,.0f} s"),
            Label(WIDTH, f"{_length(series):,.0f} s"),
        ),
    )


def _length(series: Series) -> float:
    return len(series.sent) * series.step


def _fewer(values: Values, together: Callable[[Sequence[float]], float]) -> list[float | None]:
    """At most MOST_POINTS of them, neighbours taken together."""
    size = max(math.ceil(len(values) / MOST_POINTS), 1)
    groups = ([each for each in values[at : at + size] if each is not None] for at in range(0, len(values), size))
    return [together(group) if group else None for group in groups]


def _path(values: Values, top: float) -> str:
    """A line through the middle of each slot; one that stands alone is a dot."""
    steps, pen = [], "M"
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        steps.append(f"{pen}{WIDTH * (at + 0.5) / len(values):.1f},{HEIGHT * (1 - value / top):.1f}")
        alone = pen == "M" and (at + 1 == len(values) or values[at + 1] is None)
        steps.append("h0" if alone else "")
        pen = "L"
    return "".join(steps)


def _marks(result: Result) -> Iterator[Label]:
    length = _length(result.series)
    for number, mark in enumerate(result.marks, start=1):
        at = (mark.at - result.series.start) / length
        if 0 <= at <= 1:
            yield Label(WIDTH * at, str(number), mark.name)


def _around_marks(marks: Sequence[MarkAccount]) -> Chart | None:
    """Two bars for each event: what was lost, and what came twice, of the messages that were due around it."""
    if not marks:
        return None
    columns = {"lost": [mark.lost for mark in marks], "duplicated": [mark.duplicated for mark in marks]}
    top = nice(max(max(values) for values in columns.values()))
    room = WIDTH / len(marks)
    width = room * (1 - _BARS_GAP) / len(columns)
    bars = [
        Bar(
            x=room * (at + _BARS_GAP / 2) + width * number,
            y=HEIGHT * (1 - value / top),
            width=width,
            height=HEIGHT * value / top,
            series=number,
            told=f"{marks[at].name}: {value:,} {name}",
        )
        for number, (name, values) in enumerate(columns.items())
        for at, value in enumerate(values)
    ]
    return Chart(
        name="marks",
        title="Lost and duplicated around each event",
        says="Lost and duplicated messages around each event. "
        + "; ".join(f"{mark.name}: {mark.lost:,} lost, {mark.duplicated:,} duplicated" for mark in marks),
        most=f"{top:,.0f} messages",
        names=tuple(columns),
        bars=tuple(bars),
        labels=tuple(
            Label(room * (at + 0.5), _short(at + 1, mark.name, room), mark.name) for at, mark in enumerate(marks)
        ),
    )


def _short(number: int, name: str, room: float) -> str:
    """An event's number, and its name as far as there is room."""
    told, most = f"{number} {name}", int(room / _LETTER_WIDTH)
    return told if len(told) <= most else told[: most - 1] + "…" if most > _LEAST_LETTERS else str(number)


def nice(value: float) -> float:
    """The next round number that is not below; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return float(next(each * power for each in (*_NICE, 10 * _NICE[-1]) if each * power >= value))
