"""A run of the matrix from beginning to end: the stage, the events, `report.json` and the table.

Everything lies below `.sluice/faults`: report.json, a folder for each event, and the stage's own logs and buffers.
"""

import logging
import os
import platform
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.faults import clients, matrix
from local.faults.event import Event
from local.faults.fleet import TIMES
from local.faults.measure import Measure
from local.faults.needs import lacking
from local.faults.rows import Matrix, Outcome
from local.faults.stage import Stage, whole_stage
from local.steps import Steps
from sluice.fluent_bit import RETRY_CAP_SECONDS
from sluice.fluent_bit_outputs import IO_TIMEOUT_SECONDS
from sluice.load import load
from sluice.model import Config

FOLDER: Final = Path(".sluice/faults")
REPORT: Final = "report.json"


def run(events: Sequence[Event], *, file: Path, root: Path, search: bool | None, quiet: bool) -> Matrix:
    """Start a stage, run events on it, stop it, and write the report below `root`, after each event anew.

    Args:
        events: what is to happen, in this order.
        file: the configuration file; what runs is that and a listener that acknowledges what was accepted.
        root: the project.
        search: whether to start an OpenSearch; None: if it is to be had.
        quiet: whether to say nothing meanwhile.

    Raises ConfigError, and what `whole_stage` raises.
    """
    began = time.monotonic()
    work = root / FOLDER
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    outcomes: list[Outcome] = []
    steps = Steps(quiet=quiet)
    file, config = with_gate(file, work)
    _log_to(work / "firehose.log")
    with whole_stage(config, file=file, root=root, work=work / "stage", search=search, steps=steps) as stage:
        conditions = _conditions(stage)
        measure = Measure(stage, folder=work)
        for outcome in matrix.run(
            events,
            measure=measure,
            lacks=lambda need: lacking(need, stage, log=work / "install.log"),
            steps=steps,
        ):
            outcomes.append(outcome)
            found = Matrix(outcomes=tuple(outcomes), conditions=conditions, seconds=time.monotonic() - began)
            (work / REPORT).write_bytes(orjson.dumps(found.to_json(), option=orjson.OPT_INDENT_2))
    return Matrix(outcomes=tuple(outcomes), conditions=conditions, seconds=time.monotonic() - began)


def tell(found: Matrix) -> None:
    """The table on standard output, a line for each event, and what did not hold."""
    out = Console()
    grid = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    names = ("event", "sent", "lost", "after ack", "duplicated", "other id", "failed")
    for name in names:
        grid.add_column(name, justify="left" if name == "event" else "right", no_wrap=True)
    for outcome in found.outcomes:
        fields = ("sent", "lost", "lost_acknowledged", "duplicated", "duplicated_otherwise", "failed")
        numbers = [f"{sum(getattr(row, field) for row in outcome.rows):,}" for field in fields]
        cells = numbers if outcome.skipped is None else ["skipped", *[""] * 5]
        name = f"[red]{outcome.event}[/red]" if outcome.broken else outcome.event
        grid.add_row(name, *cells)
    out.print(grid)
    for outcome in found.outcomes:
        for what in outcome.broken:
            out.print(f"[red]{escape(outcome.event)}[/red]: {escape(what)}", soft_wrap=True)


def with_gate(file: Path, work: Path) -> tuple[Path, Config]:
    """The configuration with a listener that acknowledges what was accepted; as it is if it has one."""
    config = load(file)
    if any(listener.acknowledge == "accepted" for listener in config.listeners):
        return file, config
    listeners = [listener.model_dump() for listener in config.listeners]
    port = max(listener.port for listener in config.listeners) + 1
    accepted = {"name": "accepted", "protocol": "forward", "port": port, "acknowledge": "accepted"}
    augmented = work / file.name
    augmented.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "listeners": [*listeners, accepted]}))
    return augmented, load(augmented)


def _log_to(file: Path) -> None:
    """What Firehose says of each failed try, which here is hundreds of lines, into a file."""
    log = logging.getLogger("local.firehose")
    log.addHandler(logging.FileHandler(file))
    log.propagate = False


def _conditions(stage: Stage) -> dict[str, Any]:
    profile = clients.profile_of("load", stage.deployment, gate=stage.gate_to is not None)
    rate = sum(load.rate for load in profile.loads)
    return {
        "Fluent Bit": stage.behind.fluent_bit.version_text,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, everything on it",
        "load": f"{rate:.0f} messages/s in {len(profile.loads)} loads over "
        f"{sum(load.connections for load in profile.loads)} connections, log-normal sizes around 600 bytes",
        "aggregators": f"{len(stage.aggregators)}, on the rendered configuration, behind HAProxy",
        "waits": f"Fluent Bit tries again after {RETRY_CAP_SECONDS} s at most and gives a silent connection up after "
        f"{IO_TIMEOUT_SECONDS} s, as deployed; a target drains for {TIMES.drain:g} s (60 in AWS); Firehose "
        "writes objects every 2 s",
        "destinations": "S3 in the emulator, and a real OpenSearch" if stage.search else "S3 in the emulator",
    }
