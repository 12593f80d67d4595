"""A run over time: what journals say was sent and acknowledged, what arrived, and what was observed, in equal slots.

Slots begin with the epoch, so that those of every process and reader are the same ones.
"""

from collections.abc import Iterable, Mapping, Sequence

from loadtest.journal import Journal
from loadtest.tally.arrived import Arrived
from loadtest.tally.latency import MAX_SLOTS, slot_seconds
from loadtest.tally.result import Observation, Series


def series_of(seconds: float, journal: Journal, *, arrived: Arrived, observations: Sequence[Observation]) -> Series:
    """The series of a run whose load takes so many seconds, from the load's beginning to the last arrival."""
    step = slot_seconds(seconds)
    sent, acknowledged = _sent(journal, step)
    seen = {int(each.at // step): each for each in observations}
    begin = int(journal.began // step)
    last = max((int((journal.began + seconds) // step), *sent, *acknowledged, *arrived.readable, *seen))
    slots = range(begin, min(last, begin + 2 * MAX_SLOTS) + 1)
    latencies = arrived.latencies.over_time(slots)
    return Series(
        start=float(begin * step),
        step=step,
        sent=_column(sent, slots),
        acknowledged=_column(acknowledged, slots),
        delivered=_column(arrived.readable, slots),
        p50=tuple(each[0] for each in latencies),
        p99=tuple(each[1] for each in latencies),
        cpu=tuple(seen[slot].cpu if slot in seen else None for slot in slots),
        memory=tuple(seen[slot].memory if slot in seen else None for slot in slots),
        buffered=tuple(seen[slot].buffered if slot in seen else None for slot in slots),
    )


def _sent(journal: Journal, step: int) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """Messages sent and acknowledged in each slot, by what the journals said when."""
    sent: dict[int, int] = {}
    acknowledged: dict[int, int] = {}
    before: dict[int, int] = {}
    for entry in journal.entries:
        slot = int(entry.at // step)
        for source, count in entry.sent.items():
            sent[slot] = sent.get(slot, 0) + max(count - before.get(source, 0), 0)
            before[source] = max(count, before.get(source, 0))
        more = sum(end - first for ranges in entry.acknowledged.values() for first, end in ranges)
        acknowledged[slot] = acknowledged.get(slot, 0) + more
    return sent, acknowledged


def _column(counts: Mapping[int, int], slots: Iterable[int]) -> tuple[int, ...]:
    return tuple(counts.get(slot, 0) for slot in slots)
