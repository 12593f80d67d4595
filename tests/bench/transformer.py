"""The transformer's speed, as a ratio against a peer and against the floor, in one run on one core.

The peer does the same work written plainly: the standard library's json, one function, no caches. The floor is
what no transformer can go below: base64 and orjson alone, in and out. Each is measured several times in turn,
so that a noisy moment of the machine falls on all of them; the medians are compared.

Run it with `make bench`. It writes .sluice/bench/report.json.
"""

import base64
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lambdas.transform.handler import handler  # noqa: E402 - found through the line above

ROUNDS = 7
PACKED = 100
RECORDS = 50
REPORT = ROOT / ".sluice" / "bench" / "report.json"

Event = dict[str, Any]


def event() -> Event:
    """A batch as Firehose sends it: access log, JSON, logback and logfmt lines of about 300 bytes, packed."""
    return {
        "invocationId": "bench",
        "deliveryStreamArn": "arn:aws:firehose:us-east-1:000000000000:deliverystream/bench",
        "region": "us-east-1",
        "records": [
            {
                "recordId": str(number),
                "approximateArrivalTimestamp": 1_763_700_000_000,
                "data": base64.b64encode(
                    b"".join(line(number * PACKED + at) + b"\n" for at in range(PACKED)) + b"\n"
                ).decode(),
            }
            for number in range(RECORDS)
        ],
    }


def line(number: int) -> bytes:
    """One record as Fluent Bit writes it."""
    told = (
        f'10.0.{number % 256}.7 - - [21/Nov/2026:02:22:24 +0000] "GET /products/{number} HTTP/1.1" 200 {number} "-"',
        json.dumps({"event": "order taken", "level": "info", "order_id": number, "amount": {"value": number / 100}}),
        f"2026-11-21 02:22:24,123 WARN [main] com.example.Shop - stock of {number} is low",
        f'level=error msg="payment declined" order={number} retry=false',
    )[number % 4]
    record = {
        "container_id": "6d33" * 16,
        "container_name": "/ecs-shop-7-web-d492a08f9480c2fcca01",
        "source": "stdout",
        "log": told,
        "_tag": "frontend-web",
        "_time": f"2026-11-21T02:22:24.{number:09d}Z",
    }
    return json.dumps(record, separators=(",", ":")).encode()


def ours(batch: Event) -> int:
    """The transformer."""
    return len(handler(batch, None)["records"])


def plain(batch: Event) -> int:
    """The same work, written plainly."""
    answers = []
    for record in batch["records"]:
        documents = []
        for text in base64.b64decode(record["data"]).decode().split("\n"):
            if not text.strip():
                continue
            raw = json.loads(text)
            canonical = json.dumps(raw, sort_keys=True).encode()
            log, attributes, severity, body = raw["log"], {"log.iostream": raw["source"]}, None, raw["log"]
            if log.startswith("{"):
                inner = json.loads(log)
                body, severity = inner.pop("event", ""), inner.pop("level", None)
                attributes |= inner
            else:
                severity = next((word for word in ("ERROR", "WARN", "INFO") if word in log.upper()), None)
            parts = raw["container_name"].lstrip("/").split("-")
            document = {
                "@timestamp": raw["_time"],
                "observedTimestamp": raw["_time"],
                "body": body,
                "severity": {"text": str(severity).upper(), "number": 9},
                "resource": {
                    "service": {"name": parts[1]},
                    "container": {"id": raw["container_id"], "name": raw["container_name"].lstrip("/")},
                    "aws": {"ecs": {"task": {"family": parts[1], "revision": parts[2]}}},
                },
                "attributes": attributes,
                "tag": raw["_tag"],
                "event_id": hashlib.blake2b(canonical, digest_size=16).hexdigest(),
            }
            documents.append(json.dumps(document) + "\n")
        data = base64.b64encode("".join(documents).encode()).decode()
        answers.append({"recordId": record["recordId"], "result": "Ok", "data": data})
    return len(answers)


def floor(batch: Event) -> int:
    """base64 and orjson, in and out, and nothing between."""
    answers = []
    for record in batch["records"]:
        lines = base64.b64decode(record["data"]).split(b"\n")
        documents = [orjson.dumps(orjson.loads(text), option=orjson.OPT_APPEND_NEWLINE) for text in lines if text]
        answers.append(base64.b64encode(b"".join(documents)).decode())
    return len(answers)


def main() -> None:
    """Measure, show a table, write the report."""
    batch = event()
    kinds: dict[str, Callable[[Event], int]] = {"sluice": ours, "plain json": plain, "floor": floor}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    errors = Console(stderr=True)
    # The transformer writes its metrics to standard output, as Lambda wants them; here they are noise.
    out, silence = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    for _ in track(range(ROUNDS), description="measuring", console=errors):
        for name, run in kinds.items():
            os.dup2(silence, 1)
            began = time.process_time()
            run(batch)
            seconds[name].append(time.process_time() - began)
            sys.stdout.flush()
            os.dup2(out, 1)
    lines = RECORDS * PACKED
    rates = {name: lines / statistics.median(taken) for name, taken in seconds.items()}
    report = {
        "records": lines,
        "rounds": ROUNDS,
        "records_per_cpu_second": {name: round(rate) for name, rate in rates.items()},
        "ratio_to_plain_json": round(rates["sluice"] / rates["plain json"], 2),
        "share_of_floor": round(rates["sluice"] / rates["floor"], 2),
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    table = Table("", "records per CPU second", "of sluice")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:,.0f}", f"{rate / rates['sluice']:.2f}")
    Console().print(table)
    Console().print(f"{lines:,} mixed lines of about 300 bytes, {PACKED} to a record; medians of {ROUNDS} rounds")


if __name__ == "__main__":
    main()
