"""What the aggregator costs: a real Fluent Bit 5 on the rendered configuration, in front of a counting Firehose.

`make bench-aggregator`. Writes .sluice/bench/aggregator.json. Costs are CPU seconds of Fluent Bit's process, from the
first message until Firehose has all of them, so that a busy machine changes them little; each is a median of rounds in
which every case takes its turn. A vCPU's worth is one over that. The peer is the same Fluent Bit on a bare
configuration: no filter, no packing, no time.
"""

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from forwarder import Forwarder, Shape  # noqa: E402 - found through the lines above

from local.aggregator import Aggregator, Edit  # noqa: E402
from local.firehose import Certificate, make_certificate  # noqa: E402
from local.firehose.counting import CountingServer, counting  # noqa: E402
from local.fluent_bit import FluentBit, find  # noqa: E402
from sluice import limits  # noqa: E402
from sluice.fluent_bit import Sections  # noqa: E402
from sluice.load import load  # noqa: E402
from sluice.model import Deployment, deployment  # noqa: E402

REPORT: Final = ROOT / ".sluice" / "bench" / "aggregator.json"
TAG: Final = "backend-orders"  # of a route that packs
FIRELENS: Final = Shape(records=400, text_bytes=900)
DOCKER: Final = Shape(records=1, text_bytes=900)
SHAPES: Final = (FIRELENS, DOCKER, Shape(20, 900), Shape(400, 100), Shape(400, 4000), Shape(1, 100), Shape(1, 4000))
LEVELS: Final = (2_500, 5_000, 10_000, 20_000, 30_000, 40_000)
ROUNDS: Final = 3
SECONDS: Final = 8.0
CHUNKS: Final = 64  # of a task of 250 MiB


@dataclass(frozen=True)
class Cost:
    """What some records cost: CPU seconds of Fluent Bit, how long it took, and how many bytes Firehose was given."""

    records: int
    cpu: float
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Stage:
    """What all measurements need."""

    engine: FluentBit
    here: Deployment
    certificate: Certificate
    folder: Path

    @contextmanager
    def running(self, edit: Edit) -> Iterator[tuple[Aggregator, CountingServer, psutil.Process]]:
        """An aggregator before a counting Firehose, and its process."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        with (
            counting(self.certificate, folder=folder / "firehose") as firehose,
            Aggregator(
                self.engine,
                self.here,
                folder=folder / "aggregator",
                aws=(firehose.host, firehose.port, firehose.ca_file),
                edit=edit,
            ) as aggregator,
        ):
            yield aggregator, firehose, psutil.Process(aggregator.process.pid)

    def cost(self, shape: Shape, *, edit: Edit, records: int, rate: float | None = None) -> Cost:
        """Send, and wait until Firehose has all of it."""
        with self.running(edit) as (aggregator, firehose, process):
            connections = 16 if shape.is_docker else 4
            with Forwarder(aggregator.port, shape, tag=TAG, connections=connections) as forwarder:
                warm = forwarder.send(40 * shape.records)
                _await(firehose, warm)
                before, bytes_before, began = _cpu(process), firehose.counts().bytes, time.monotonic()
                sent = forwarder.send(records, rate=rate)
                _await(firehose, warm + sent)
            seconds = time.monotonic() - began
            return Cost(sent, _cpu(process) - before, seconds, firehose.counts().bytes - bytes_before)


def ours(sections: Sections) -> Sections:
    """The configuration as it is deployed."""
    return sections


def bare(sections: Sections) -> Sections:
    """The same inputs and outputs without what Sluice adds for the records' sake."""
    added = {"simple_aggregation", "time_key", "time_key_format"}
    outputs = tuple({key: value for key, value in each.items() if key not in added} for each in sections.outputs)
    return replace(sections, filters=(), outputs=outputs)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _await(firehose: CountingServer, records: int) -> None:
    """Until all have arrived: as lines of packed records, or as records of their own, which end without a line end."""
    while max(firehose.counts().lines, firehose.counts().records) < records:
        time.sleep(0.02)


def measure_shapes(stage: Stage) -> dict[str, Any]:
    """CPU seconds per million records of every shape, and of the peer for two of them; and what that is made of."""
    cases = {
        **{f"{shape.records} x {shape.text_bytes}": (shape, ours) for shape in SHAPES},
        **{f"{shape.records} x {shape.text_bytes} bare": (shape, bare) for shape in (FIRELENS, DOCKER)},
    }
    costs: dict[str, list[Cost]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, (shape, edit) in cases.items():
            records = 60_000 if shape.is_docker else 160_000 if shape.text_bytes <= FIRELENS.text_bytes else 60_000
            costs[name].append(stage.cost(shape, edit=edit, records=records))
    found = {name: _told(cases[name][0], each) for name, each in costs.items()}
    return {"cases": found, "model": _model({name: cases[name][0] for name in cases if "bare" not in name}, found)}


def _told(shape: Shape, costs: list[Cost]) -> dict[str, float]:
    each = [cost.cpu / cost.records for cost in costs]
    median = statistics.median(each)
    carried = statistics.median(cost.bytes / cost.records for cost in costs)
    return {
        "cpu_seconds_per_million": round(median * 1e6, 2),
        "least": round(min(each) * 1e6, 2),
        "most": round(max(each) * 1e6, 2),
        "messages_per_vcpu_second": round(1 / median),
        "mb_of_messages_per_vcpu_second": round(shape.text_bytes / median / 1e6, 1),
        "mb_to_firehose_per_vcpu_second": round(carried / median / 1e6, 1),
        "bytes_to_firehose_per_message": round(carried),
    }


def _model(shapes: dict[str, Shape], found: dict[str, dict[str, float]]) -> dict[str, float]:
    """CPU microseconds of a forward message, a record and a kilobyte of text: least squares of relative errors."""
    names = list(shapes)
    costs = np.array([found[name]["cpu_seconds_per_million"] for name in names])
    rows = np.array([[1 / shapes[name].records, 1.0, shapes[name].text_bytes / 1000] for name in names])
    solved, *_ = np.linalg.lstsq(rows / costs[:, None], np.ones(len(names)), rcond=None)
    worst = float(np.max(np.abs(rows @ solved / costs - 1)))
    forward, record, kilobyte = (round(float(each), 2) for each in solved)
    return {"us_per_forward_message": forward, "us_per_record": record, "us_per_kb": kilobyte, "worst_off": worst}


def measure_levels(stage: Stage) -> dict[str, Any]:
    """Cores used at rising rates, and how well a straight line through them fits."""
    points = []
    for rate in LEVELS:
        cost = stage.cost(FIRELENS, edit=ours, records=int(rate * SECONDS), rate=rate)
        points.append((cost.records / cost.seconds, cost.cpu / cost.seconds))
    rates, cores = np.array(points).T
    slope, intercept = np.polyfit(rates, cores, 1)
    left = float(np.sum((cores - (slope * rates + intercept)) ** 2))
    return {
        "points": [{"messages_per_second": round(rate), "cores": round(core, 4)} for rate, core in points],
        "us_per_message": round(float(slope) * 1e6, 2),
        "cores_at_rest": round(float(intercept), 4),
        "r_squared": round(1 - left / float(np.sum((cores - cores.mean()) ** 2)), 4),
    }


def measure_memory(stage: Stage) -> dict[str, Any]:
    """Fill an aggregator whose Firehose takes nothing until it holds back; then let it go."""
    memory = CHUNKS * limits.FLUENT_BIT_CHUNK_BYTES * 2
    edit = _with_chunks
    with stage.running(edit) as (aggregator, firehose, process):
        firehose.block()
        acknowledged, peak, quiet = 0, 0, 0
        while quiet < 3:  # three attempts in a row without an acknowledgement
            try:
                with Forwarder(aggregator.port, FIRELENS, tag=TAG, connections=1) as forwarder:
                    got = forwarder.send(4_000, give_up_after=1.0)
            except OSError:
                got = 0
            acknowledged, quiet = acknowledged + got, 0 if got else quiet + 1
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.0 if got else 1.0)
        firehose.unblock()
        _await(firehose, acknowledged)
        peak = max(peak, process.memory_info().rss)
    return {
        "task_mib": round(memory / limits.MIB),
        "buffer_mib": round(memory / 2 / limits.MIB),
        "acknowledged_before_it_held_back": acknowledged,
        "mb_held": round(acknowledged * FIRELENS.text_bytes / 1e6, 1),
        "peak_rss_mib": round(peak / limits.MIB, 1),
        "arrived_after": firehose.counts().lines,
    }


def _with_chunks(sections: Sections) -> Sections:
    return replace(sections, service={**sections.service, "storage.max_chunks_up": CHUNKS})


def main() -> None:
    """Measure, show tables, write the report."""
    here = deployment(load(ROOT / "sluice.yaml"), "dev")
    engine = find(cache=ROOT / ".cache", image_tag=None)
    if engine.version < (5,):
        sys.exit(f"Fluent Bit {engine.version_text} is not the one in AWS: put a 5.x on PATH, or into FLUENT_BIT")
    loads = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(engine, here, make_certificate(Path(folder) / "tls"), Path(folder))
        report: dict[str, Any] = {"fluent_bit": engine.version_text, "cpus": os.cpu_count()}
        report["shapes"] = measure_shapes(stage)
        report["levels"] = measure_levels(stage)
        report["memory"] = measure_memory(stage)
    loads.append(os.getloadavg()[0])
    report["load_average"] = {"before": loads[0], "after": loads[1]}
    spent = resource.getrusage(resource.RUSAGE_SELF)
    report["sender_cpu_seconds"] = round(spent.ru_utime + spent.ru_stime, 1)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    show(report)


def show(report: dict[str, Any]) -> None:
    """Show what was measured."""
    console = Console(width=140)
    heads = ("CPU s per million", "messages/s per vCPU", "MB/s of messages", "MB/s to Firehose")
    table = Table("records to a forward message x bytes", *heads, title=f"Fluent Bit {report['fluent_bit']}")
    for name, told in report["shapes"]["cases"].items():
        spread = f"{told['cpu_seconds_per_million']} ({told['least']} to {told['most']})"
        rates = (told["mb_of_messages_per_vcpu_second"], told["mb_to_firehose_per_vcpu_second"])
        table.add_row(name, spread, f"{told['messages_per_vcpu_second']:,}", *map(str, rates))
    console.print(table)
    model = report["shapes"]["model"]
    console.print(
        f"made of {model['us_per_forward_message']} us a forward message, {model['us_per_record']} us a record and "
        f"{model['us_per_kb']} us a kilobyte of text; at worst {model['worst_off']:.0%} off"
    )
    table = Table("messages/s", "cores")
    for point in report["levels"]["points"]:
        table.add_row(f"{point['messages_per_second']:,}", f"{point['cores']:.3f}")
    console.print(table)
    levels, memory = report["levels"], report["memory"]
    console.print(f"a straight line: {levels['us_per_message']} us a message, r² {levels['r_squared']}")
    console.print(
        f"blocked: {memory['mb_held']} MB acknowledged before it held back; at most {memory['peak_rss_mib']} MiB "
        f"resident, of a task of {memory['task_mib']} MiB"
    )
    console.print(f"report: {REPORT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
