"""How large a task of the aggregator has to be for a load, and what a task of a size carries.

The rule: a load costs CPU for each forward message, each record and each byte of it, as measured; that, times a safety
factor, is to stay within the share of CPU that scaling aims at. And half of the memory holds what comes in while
Firehose takes nothing. Every measured figure is here, once; `make bench-aggregator` measures it anew.

Source: docs/performance.md, section Aggregator; docs/decisions/0020-size-of-a-task.md.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sluice import limits, prices
from sluice.model import Aggregator, Expected

US_PER_FORWARD_MESSAGE: Final = 20.0
US_PER_RECORD: Final = 8.6
US_PER_KILOBYTE: Final = 8.2
"""Of text; with what FireLens adds to each record, 0.4 kB, in the figure for the record."""
SAFETY: Final = 1.5
"""The bench's vCPU is a hyperthread of an AMD EPYC. Fargate's are of several generations, and the fit is 18 % off."""
RECORDS_PER_FORWARD_MESSAGE: Final = 100
"""Of a sidecar: what a busy container logs in its flush interval of a second. Docker's driver sends one by one."""
ADDED_BYTES: Final = {"firelens": 380, "docker": 170}
"""What a record takes in the buffer beyond its text: the client's keys, the tag, the time."""
USEFUL_CPU: Final = 2048
"""Inputs and filters are one thread, which does 0.6 of the work: beyond 1.7 vCPU a task gets no quicker."""

TYPICAL_BYTES: Final = 900
"""Of a message, where nobody says otherwise: the blog's."""

_ROUNDING: Final = 1e-9
_VCPU: Final = 1024
_MIB_PER_GB: Final = 1024


class Client(StrEnum):
    """Who sends."""

    FIRELENS = "firelens"
    DOCKER = "docker"


@dataclass(frozen=True, kw_only=True)
class Load:
    """What comes in, all tasks together; `message_bytes` are of a text."""

    messages_per_second: float
    message_bytes: int
    client: Client = Client.FIRELENS

    @property
    def cores(self) -> float:
        """The CPU it takes, safety included."""
        return self.messages_per_second * seconds_per_message(self.message_bytes, self.client)

    @property
    def buffered_per_second(self) -> float:
        """Bytes that are added to the buffers in a second while Firehose takes nothing."""
        return self.messages_per_second * (self.message_bytes + ADDED_BYTES[self.client])


@dataclass(frozen=True, kw_only=True)
class Size:
    """Tasks for a load: how busy each is under it, and how long an outage of Firehose they ride out.

    `month` is in dollars, for these tasks all the time; disk is not asked for, for Fargate's free 20 GiB hold more than
    the memory lets in.
    """

    cpu: int
    memory_mib: int
    tasks: int
    busy_percent: float
    outage_seconds: float
    month: float


def expected_load(expected: Expected) -> Load:
    """What a configuration says will come."""
    return Load(
        messages_per_second=expected.messages_per_second,
        message_bytes=expected.message_bytes,
        client=Client(expected.client),
    )


def seconds_per_message(message_bytes: int, client: Client) -> float:
    """CPU seconds of a message, safety included."""
    share = 1.0 if client is Client.DOCKER else 1 / RECORDS_PER_FORWARD_MESSAGE
    told = US_PER_FORWARD_MESSAGE * share + US_PER_RECORD + US_PER_KILOBYTE * message_bytes / 1000
    return told * SAFETY / 1e6


def buffer_bytes(memory_mib: int) -> float:
    """What a task holds at least before it holds back: see `fluent_bit.chunks_in_memory`."""
    return memory_mib * limits.MIB / 2


def useful_cores(cpu: int) -> float:
    """How much of a task's CPU Fluent Bit can use."""
    return min(cpu, USEFUL_CPU) / _VCPU


def judge(load: Load, aggregator: Aggregator, *, tasks: int) -> Size:
    """How so many tasks of an aggregator do under a load."""
    return Size(
        cpu=aggregator.cpu,
        memory_mib=aggregator.memory_mib,
        tasks=tasks,
        busy_percent=100 * load.cores / (tasks * useful_cores(aggregator.cpu)),
        outage_seconds=tasks * buffer_bytes(aggregator.memory_mib) / load.buffered_per_second,
        month=per_month(aggregator, tasks=tasks),
    )


def choose(load: Load, aggregator: Aggregator, *, outage_seconds: float) -> Size:
    """The cheapest tasks that carry a load within the aggregator's CPU target and ride an outage out.

    Of equally cheap ones the fewest; of the aggregator, everything but the sizes and `max_tasks` counts.
    """
    fitting = [
        judge(load, sized, tasks=_tasks(load, sized, outage_seconds))
        for cpu, memories in limits.FARGATE_MEMORY_MIB.items()
        for memory in memories
        if cpu <= USEFUL_CPU
        for sized in [aggregator.model_copy(update={"cpu": cpu, "memory_mib": memory})]
    ]
    return min(fitting, key=lambda size: (round(size.month, 2), size.tasks))


def _tasks(load: Load, aggregator: Aggregator, outage_seconds: float) -> int:
    busy = load.cores / (useful_cores(aggregator.cpu) * aggregator.cpu_target_percent / 100)
    held = load.buffered_per_second * outage_seconds / buffer_bytes(aggregator.memory_mib)
    return max(aggregator.min_tasks, math.ceil(busy - _ROUNDING), math.ceil(held - _ROUNDING))


def full_load(
    aggregator: Aggregator,
    *,
    tasks: int,
    message_bytes: int = TYPICAL_BYTES,
    client: Client = Client.FIRELENS,
) -> Load:
    """The most that so many tasks carry within the CPU that scaling aims at."""
    cores = tasks * useful_cores(aggregator.cpu) * aggregator.cpu_target_percent / 100
    return Load(
        messages_per_second=cores / seconds_per_message(message_bytes, client),
        message_bytes=message_bytes,
        client=client,
    )


def per_month(aggregator: Aggregator, *, tasks: int) -> float:
    """Dollars for so many tasks that run all the time."""
    processor = aggregator.architecture.value
    per_hour = aggregator.cpu / _VCPU * prices.FARGATE_VCPU_HOUR[processor]
    per_hour += aggregator.memory_mib / _MIB_PER_GB * prices.FARGATE_GB_HOUR[processor]
    return tasks * per_hour * prices.HOURS_PER_MONTH
