"""How fast the tally is, and that its memory does not grow: documents made on the fly, none of them stored.

    python tests/bench/tally.py             documents per CPU second, and as many times a plain verifier's
    python tests/bench/tally.py 100000000   accounts for so many messages, some lost and some twice, and says the peak

The plain verifier is what one would write first: `json.loads`, a regular expression, a dictionary of messages. Making
the documents is numpy alone and not counted: it has a process of its own.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from loadtest import marker
from loadtest.journal import Entry, Journal
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile
from loadtest.tally import Tally

BEGAN = 1_800_000_000
DOCUMENTS = 2048
SOURCES = 16
RATE = 100_000
BODY = 900
REPEATS = 3
LOST_EVERY, TWICE_EVERY = 9_973, 9_967


def plan_of(messages: int) -> Plan:
    load = {"name": "web", "tag": "web", "connections": SOURCES, "messages_per_second": RATE}
    profile = {"name": "bench", "seconds": messages / RATE, "loads": [load]}
    return make_plan(Profile.model_validate(profile), run=0x5EED)


class Documents:
    """Blocks of documents of a plan, in the order in which they are due, written into one array over and over."""

    def __init__(self, plan: Plan, *, body: int = BODY) -> None:
        text = ("GET /orders/4711 said the customer's basket was sold slowly " * 30)[: body - marker.LENGTH - 1]
        head = {
            "@timestamp": "2026-11-21T03:42:58.889697000Z",
            "observedTimestamp": "2026-11-21T03:42:58.889920596Z",
            "severity": {"text": "INFO", "number": 9},
            "resource": {
                "service": {"name": "shop-orders"},
                "container": {"id": "f" * 64, "name": "ecs-shop-orders-3-abcdef"},
                "aws": {"ecs": {"cluster": {"name": "shop"}, "task": {"id": "5f1a" * 8, "family": "shop-orders"}}},
            },
            "tag": "web",
        }
        fields = {
            "event_id": "E" * 32,
            "body": "M" * marker.LENGTH + " " + text,
            "attributes": {"log.iostream": "stdout"},
        }
        line = json.dumps({**head, **fields}, separators=(",", ":")).encode() + b"\n"
        self._block = np.tile(np.frombuffer(line, np.uint8), (DOCUMENTS, 1))
        self._id, self._marker = line.index(b"E" * 32), line.index(b"M" * marker.LENGTH)
        self._plan = plan
        self.bytes = len(line)

    def __iter__(self) -> Iterator[bytes]:
        each = self._plan.count(self._plan.sources[0])
        rows = DOCUMENTS // SOURCES
        for start in range(0, each, rows):
            sequence = np.repeat(np.arange(start, min(start + rows, each)), SOURCES)
            source = np.tile(np.arange(SOURCES), len(sequence) // SOURCES)
            yield self._write(source, sequence)

    def _write(self, source: "np.typing.NDArray[Any]", sequence: "np.typing.NDArray[Any]") -> bytes:
        number = sequence * SOURCES + source
        keep = number[number % LOST_EVERY != 0]
        keep = np.concatenate((keep, keep[keep % TWICE_EVERY == 0]))
        count, due = len(keep), BEGAN * 1_000_000_000 + (keep // SOURCES + 1) * (1_000_000_000 * SOURCES // RATE)
        block = self._block if count <= len(self._block) else np.resize(self._block, (count, self.bytes))
        parts = ((np.full(count, self._plan.run), 8), (keep % SOURCES, 4), (keep // SOURCES, 8), (due, 16))
        letters = np.concatenate([_digits(each, width) for each, width in parts], axis=1)
        block[:count, self._marker : self._marker + 3] = np.frombuffer(marker.HEAD, np.uint8)
        block[:count, self._marker + 3 : self._marker + marker.LENGTH] = letters + ord("a")
        digits = _digits((keep.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)).view(np.int64), 16)
        digits = digits + np.where(digits < 10, ord("0"), ord("a") - 10).astype(np.uint8)
        block[:count, self._id : self._id + 32] = np.concatenate((digits, digits), axis=1)
        return block[:count].tobytes()


def _digits(numbers: "np.typing.NDArray[Any]", width: int) -> "np.typing.NDArray[np.uint8]":
    """Each number as so many digits of four bits."""
    wide = numbers.astype(">i8").view(np.uint8).reshape(-1, 8)
    return np.stack((wide >> 4, wide & 15), axis=2).reshape(-1, 16)[:, 16 - width :]


def plainly(blocks: list[bytes]) -> float:
    """Documents per CPU second of the verifier that one would write first."""
    seen: dict[tuple[int, int], list[str]] = {}
    began, count = time.process_time(), 0
    for block in blocks:
        for line in block.splitlines():
            document = json.loads(line)
            for each in marker.find(line):
                seen.setdefault((each.source, each.sequence), []).append(document["event_id"])
            count += 1
    return count / (time.process_time() - began)


def tallied(plan: Plan, blocks: list[bytes]) -> float:
    """Documents per CPU second of the tally."""
    with tempfile.TemporaryDirectory() as folder:
        tally = Tally(plan, folder=Path(folder), route_of=lambda tag: tag, check_every=0)
        began = time.process_time()
        for number, block in enumerate(blocks):
            tally.deliver(block, route="web", readable_at=BEGAN + 5 + number / 100)
        taken = time.process_time() - began
        count = tally.delivered
        tally.close(Journal())
    return count / taken


def measure() -> dict[str, Any]:
    """Both verifiers on the same blocks, by turns; the best of each."""
    found: dict[str, Any] = {}
    for body in (200, 900):
        plan = plan_of(80_000)
        documents = Documents(plan, body=body)
        blocks = list(documents)
        rates = [(tallied(plan, blocks), plainly(blocks)) for _ in range(REPEATS)]
        tally, plain = (max(each) for each in zip(*rates, strict=True))
        found[f"{documents.bytes} bytes"] = {
            "tally_per_cpu_second": round(tally),
            "plain_per_cpu_second": round(plain),
            "ratio": round(tally / plain, 1),
        }
    return found


def account(messages: int) -> dict[str, Any]:
    """Account for so many messages; documents come from another process through a pipe."""
    plan = plan_of(messages)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    maker = multiprocessing.get_context("fork").Process(target=_make, args=(plan, theirs), daemon=True)
    maker.start()
    theirs.close()
    began, wall = time.process_time(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = Tally(plan, folder=Path(folder), route_of=lambda tag: tag, check_every=0)
        number = 0
        while block := ours.recv_bytes():
            number += 1
            tally.deliver(block, route="web", readable_at=BEGAN + 5 + number * DOCUMENTS / RATE)
        delivering = time.process_time() - began
        disk = sum(file.stat().st_blocks * 512 for file in Path(folder).iterdir())
        sent = {source.number: plan.count(source) for source in plan}
        ranges = {source: [(0, count)] for source, count in sent.items()}
        told = {source: tuple(each) for source, each in ranges.items()}
        entry = Entry(at=BEGAN + plan.profile.seconds, sent=sent, acknowledged=told, bytes=0, behind=0.0)
        result = tally.close(Journal(run=plan.run, began=BEGAN, sent=sent, acknowledged=ranges, entries=[entry]))
    maker.join()
    every = sum(sent.values())
    lost, twice = (every + LOST_EVERY - 1) // LOST_EVERY, (every + TWICE_EVERY - 1) // TWICE_EVERY
    twice -= (every + LOST_EVERY * TWICE_EVERY - 1) // (LOST_EVERY * TWICE_EVERY)
    assert (result.total.lost_acknowledged, result.total.duplicated) == (lost, twice), result.total
    assert result.total.delivered == every - lost
    return {
        "messages": every,
        "lost": result.total.lost,
        "duplicated": result.total.duplicated,
        "per_cpu_second": round(result.total.delivered / delivering),
        "cpu_seconds": round(time.process_time() - began, 1),
        "wall_seconds": round(time.monotonic() - wall, 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "disk_mb": round(disk / 1e6),
    }


def _make(plan: Plan, to: Any) -> None:
    for block in Documents(plan):
        to.send_bytes(block)
    to.send_bytes(b"")


if __name__ == "__main__":
    told = account(int(sys.argv[1])) if len(sys.argv) > 1 else measure()
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
