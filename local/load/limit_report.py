"""What the search for a limit found, for people: a table in the terminal, and one HTML page that needs nothing else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table

from loadtest.report.charts import nice
from local.load.limit import PER, Limit, Step

WIDTH: Final = 720
HEIGHT: Final = 280
PAGE: Final = "limit.html"
DATA: Final = "limit.json"
_MIB: Final = 1024 * 1024
_BUSY: Final = 0.9
_TICKS: Final = 5


@dataclass(frozen=True)
class Dot:
    """A step in the chart."""

    x: float
    y: float
    sustained: bool
    told: str


@dataclass(frozen=True)
class Tick:
    """A number on an axis, and where."""

    at: float
    told: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """CPU of Fluent Bit, in cores, against messages a second. `line` holds the fitted line's two ends."""

    dots: tuple[Dot, ...]
    line: str
    rates: tuple[Tick, ...]
    cores: tuple[Tick, ...]


def table(found: Limit) -> Table:
    """A row per step, in the order in which they were tried; fits 80 columns."""
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("asked/s", "sent/s", "MB/s", "cpu", "MiB", "machine"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("sustained", overflow="fold")
    for step in found.steps:
        grid.add_row(
            f"{step.rate:,.0f}",
            f"{step.achieved:,.0f}",
            f"{step.mb_per_second:,.1f}",
            f"{step.cpu:.2f}",
            f"{step.memory / _MIB:,.0f}",
            f"{100 * step.machine:.0f} %",
            "[green]yes[/green]" if step.sustained else f"[red]{', '.join(step.failing)}[/red]",
        )
    return grid


def sentences(found: Limit) -> list[str]:
    """What follows, in words; the first is the answer."""
    best = found.best
    if best is None:
        return ["No rate was sustained: begin lower, with --from."]
    bound = "" if found.bounded else " or more: nothing faster was tried"
    told = [f"Highest sustained: {best.achieved:,.0f} messages/s, {best.mb_per_second:,.1f} MB/s{bound}."]
    per_vcpu = best.per_vcpu
    if per_vcpu is not None:
        per_megabytes = best.mb_per_second / best.cpu
        told.append(
            f"Per vCPU of Fluent Bit there: {per_vcpu:,.0f} messages/s, {per_megabytes:,.1f} MB/s "
            f"({best.cpu:.2f} cores were used)."
        )
    if found.line is not None:
        line = found.line
        told.append(
            f"CPU against load: {line.intercept:+.3f} core, and {line.slope:.3f} core per {PER:,} messages/s "
            f"(r² {line.r2:.3f}, {line.points} rates)."
        )
        if line.one_core is not None:
            told.append(f"By that line, one core is full at {line.one_core:,.0f} messages/s.")
    if _machine_bound(found):
        told.append(
            "What failed first was this machine, whose cores Fluent Bit shares with the senders and the Firehose: "
            "the limit of a task with a core of its own is higher, and the line is the better guide."
        )
    return told


def tell(found: Limit, out: Console, *, paths: Sequence[Path]) -> None:
    """Table, sentences, and where the reports are."""
    out.print()
    out.print(table(found))
    first, *rest = sentences(found)
    out.print(f"[bold]{first}[/bold]", highlight=False)
    for sentence in rest:
        out.print(sentence, highlight=False)
    out.print(f"Reports: {' and '.join(map(str, paths))}", soft_wrap=True, highlight=False)


def write(found: Limit, folder: Path, *, profile: str) -> tuple[Path, ...]:
    """Leave the page and the numbers in the folder; where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data = folder / PAGE, folder / DATA
    data.write_text(json.dumps(found.to_json() | {"profile": profile}, indent=2) + "\n", encoding="utf-8")
    here = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined)
    html = environment.get_template(PAGE).render(
        limit=found,
        profile=profile,
        sentences=sentences(found),
        chart=chart(found),
        width=WIDTH,
        height=HEIGHT,
        mib=_MIB,
    )
    page.write_text(html, encoding="utf-8")
    return page, data


def chart(found: Limit) -> Chart:
    """The steps as dots, and the line through those that were sustained."""
    most_rate = nice(max((step.achieved for step in found.steps), default=1.0))
    ends = (found.line.at(0), found.line.at(most_rate)) if found.line is not None else (0.0, 0.0)
    most_cpu = nice(max(*ends, *(step.cpu for step in found.steps)))

    def x(rate: float) -> float:
        return WIDTH * rate / most_rate

    def y(cores: float) -> float:
        return HEIGHT * (1 - cores / most_cpu)

    drawn = f"{x(0):.1f},{y(ends[0]):.1f} {x(most_rate):.1f},{y(ends[1]):.1f}" if found.line is not None else ""
    return Chart(
        dots=tuple(Dot(x(step.achieved), y(step.cpu), step.sustained, _told(step)) for step in found.steps),
        line=drawn,
        rates=tuple(Tick(x(value), f"{value:,.0f}") for value in _ticks(most_rate)),
        cores=tuple(Tick(y(value), f"{value:.2f}".rstrip("0").rstrip(".")) for value in _ticks(most_cpu)),
    )


def _told(step: Step) -> str:
    verdict = "sustained" if step.sustained else ", ".join(step.failing)
    return f"{step.achieved:,.0f} messages/s at {step.cpu:.2f} cores: {verdict}"


def _machine_bound(found: Limit) -> bool:
    """Whether every failing step had a busy machine and a Fluent Bit that still had room on its core."""
    failing = [step for step in found.steps if not step.sustained]
    return bool(failing) and all(step.machine > _BUSY and step.cpu < _BUSY for step in failing)


def _ticks(most: float) -> list[float]:
    return [most * number / _TICKS for number in range(_TICKS + 1)]
