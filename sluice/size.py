"""`sluice size`: what a load needs, or what the configured aggregator carries, as text and for a machine."""

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from sluice import sizing
from sluice.model import Deployment
from sluice.sizing import Client, Load, Size


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Sizes for a load: what the rule chooses, and what is configured, with as many tasks as always run."""

    load: Load
    outage_seconds: float
    target_percent: int
    chosen: Size
    configured: Size

    def as_data(self) -> dict[str, Any]:
        """For a machine."""
        return {
            "messages_per_second": self.load.messages_per_second,
            "message_bytes": self.load.message_bytes,
            "client": self.load.client.value,
            "vcpu": round(self.load.cores, 3),
            "outage_seconds": self.outage_seconds,
            "cpu_target_percent": self.target_percent,
            "chosen": _rounded(self.chosen),
            "configured": _rounded(self.configured),
        }

    def snippet(self) -> str:
        """The chosen size as sluice.yaml has it."""
        most = max(2 * self.chosen.tasks, self.chosen.tasks + 2)
        return (
            "aggregator:\n"
            f"  cpu: {self.chosen.cpu}\n"
            f"  memory_mib: {self.chosen.memory_mib}\n"
            f"  min_tasks: {self.chosen.tasks}\n"
            f"  max_tasks: {most}\n"
            f"  cpu_target_percent: {self.target_percent}\n"
            f"  expected: {{messages_per_second: {self.load.messages_per_second:g}, message_bytes: "
            f"{self.load.message_bytes}, client: {self.load.client}, outage_seconds: {self.outage_seconds:g}}}\n"
        )


def answer(here: Deployment, load: Load, *, outage_seconds: float) -> Answer:
    """What a load needs in an environment."""
    aggregator = here.aggregator
    return Answer(
        load=load,
        outage_seconds=outage_seconds,
        target_percent=aggregator.cpu_target_percent,
        chosen=sizing.choose(
            load, aggregator.model_copy(update={"min_tasks": here.network.zones}), outage_seconds=outage_seconds
        ),
        configured=sizing.judge(load, aggregator, tasks=aggregator.min_tasks),
    )


def capacities(here: Deployment, message_bytes: int) -> list[dict[str, Any]]:
    """What the configured aggregator carries, by client and by how many of its tasks run."""
    aggregator = here.aggregator
    found = []
    for client in Client:
        for tasks in sorted({1, aggregator.min_tasks, aggregator.max_tasks}):
            load = sizing.full_load(aggregator, tasks=tasks, message_bytes=message_bytes, client=client)
            size = sizing.judge(load, aggregator, tasks=tasks)
            rate = load.messages_per_second
            found.append(
                {
                    "client": client.value,
                    "tasks": tasks,
                    "messages_per_second": round(rate),
                    "mb_per_second": round(rate * message_bytes / 1e6, 1),
                    "outage_seconds": round(size.outage_seconds),
                    "dollars_per_month": round(size.month),
                }
            )
    return found


def show_answer(out: Console, told: Answer) -> None:
    """Both sizes and the snippet."""
    load = told.load
    out.print(
        f"{load.messages_per_second:,.0f} messages a second of {load.message_bytes} bytes, sent by {load.client}: "
        f"{load.cores:.2f} vCPU, a factor of {sizing.SAFETY:g} for safety included",
        highlight=False,
    )
    table = Table("", "tasks", "CPU units", "MiB", "busy", "outage", "a month")
    for name, size in (("chosen", told.chosen), ("configured", told.configured)):
        sizes = (size.tasks, size.cpu, size.memory_mib)
        busy, held = f"{size.busy_percent:.0f} %", f"{size.outage_seconds:.0f} s"
        table.add_row(name, *map(str, sizes), busy, held, f"${size.month:,.0f}")
    out.print(table)
    out.print(told.snippet(), highlight=False)


def show_capacities(out: Console, here: Deployment, message_bytes: int) -> None:
    """What the configured aggregator carries."""
    aggregator = here.aggregator
    out.print(
        f"{here.environment}: tasks of {aggregator.cpu} CPU units and {aggregator.memory_mib} MiB, at "
        f"{aggregator.cpu_target_percent} % of CPU, messages of {message_bytes} bytes",
        highlight=False,
    )
    table = Table("client", "tasks", "messages/s", "MB/s", "outage", "a month")
    for row in capacities(here, message_bytes):
        rate, held, month = row["messages_per_second"], row["outage_seconds"], row["dollars_per_month"]
        table.add_row(
            row["client"], str(row["tasks"]), f"{rate:,}", str(row["mb_per_second"]), f"{held} s", f"${month}"
        )
    out.print(table)


def _rounded(size: Size) -> dict[str, Any]:
    return {key: round(value, 1) for key, value in asdict(size).items()}
