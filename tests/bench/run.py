"""Every figure about the transformer, in one run on one core: `make bench`. Writes .sluice/bench/report.json."""

import sys
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import kpl  # noqa: E402 - found through the line above
import process  # noqa: E402
import redaction  # noqa: E402
import shapes  # noqa: E402
import transformer  # noqa: E402

REPORT = ROOT / ".sluice" / "bench" / "report.json"


def main() -> None:
    """Measure, show tables, write the report."""
    parts = {
        "transformer": transformer.measure,
        "batch_sizes_us": transformer.measure_sizes,
        "kpl": kpl.measure,
        "redaction": redaction.measure,
        "shapes": shapes.measure,
        "start": process.measure_start,
        "memory": process.measure_memory,
    }
    report: dict[str, Any] = {}
    for name, measure in track(list(parts.items()), description="measuring", console=Console(stderr=True)):
        report[name] = measure()
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    show(report)


def show(report: dict[str, Any]) -> None:
    """Show what was measured."""
    console = Console()
    told = report["transformer"]
    table = Table("5,000 lines of 300 bytes, packed by 100", "per CPU second", "of sluice")
    for name, rate in told["records_per_cpu_second"].items():
        table.add_row(name, f"{rate:,.0f}", f"{rate / told['records_per_cpu_second']['sluice']:.2f}")
    console.print(table)
    console.print(f"redaction with all patterns adds {told['redaction_adds']:.0%} where there is nothing to redact")
    table = Table("KPL members of 286 bytes", "per CPU second")
    for name in ("sluice", "aws_kinesis_agg", "protobuf"):
        table.add_row(name, f"{report['kpl'][name]:,.0f}")
    console.print(table)
    table = Table(*(f"{size} records" for size in report["batch_sizes_us"]), title="us a record of one line")
    table.add_row(*(f"{each:.1f}" for each in report["batch_sizes_us"].values()))
    console.print(table)
    table = Table(*report["shapes"], title="ways of a line, CPU us and share added")
    table.add_row(*map(str, report["shapes"].values()))
    console.print(table)
    start, memory = report["start"], ", ".join(f"{name}: {each}" for name, each in report["memory"].items())
    console.print(f"start to first answer {start['median_ms']} ms, slowest {start['slowest_ms']} ms")
    console.print(f"memory in multiples of the event: {memory}")
    console.print(f"report: {REPORT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
