"""The transformer's speed, as ratios against a peer and against the floor, in one run on one core.

The peer makes the same documents, which is checked, written plainly: the standard library's json, base64 and datetime,
one function per format, no caches. It loses what they lose, and joins, drops and counts nothing. The floor is what no
transformer can go below: base64 and orjson alone, in and out. Each is measured several times in turn, so that a noisy
moment of the machine falls on all of them; medians are compared.
"""

import base64
import gc
import hashlib
import json
import re
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from lambdas.transform.batch import transform_batch
from lambdas.transform.handler import GARBAGE_OBJECTS
from lambdas.transform.pipeline import Pipeline, make_pipeline
from lambdas.transform.settings import Settings
from lambdas.transform.spec import PATTERN_NAMES, Redaction

PACKED = 100
RECORDS = 50
ROUNDS = 9
NOW = "2026-11-21T02:36:31.000000000Z"
EVERY_PATTERN = tuple(Redaction(name, "pattern", name, "mask") for name in PATTERN_NAMES)

Event = dict[str, Any]


def event(records: int = RECORDS, packed: int = PACKED, *, client: str = "10.0.0.7") -> Event:
    """A batch as Firehose sends it: access log, JSON, logback and logfmt lines of about 300 bytes, packed."""
    return {
        "invocationId": "bench",
        "deliveryStreamArn": "arn:aws:firehose:us-east-1:000000000000:deliverystream/bench",
        "region": "us-east-1",
        "records": [
            {
                "recordId": str(number),
                "approximateArrivalTimestamp": 1_795_228_000_000,
                "data": base64.b64encode(
                    b"".join(line(number * packed + at, client) + b"\n" for at in range(packed)) + b"\n"
                ).decode(),
            }
            for number in range(records)
        ],
    }


def line(number: int, client: str = "10.0.0.7") -> bytes:
    """One record as Fluent Bit writes it."""
    told = (
        f'{client} - - [21/Nov/2026:02:22:24 +0000] "GET /products/{number} HTTP/1.1" 200 {number} "-" "curl/8.5.0"',
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


def transform(batch: Event, pipeline: Pipeline) -> int:
    """The transformer, without what it tells CloudWatch of each batch, under the handler's setting for garbage."""
    usual = gc.get_threshold()
    gc.set_threshold(GARBAGE_OBJECTS)
    response, tally = transform_batch(batch, pipeline=pipeline, now=NOW)
    gc.set_threshold(*usual)
    assert not tally.failures
    return len(response["records"])


ACCESS = re.compile(
    r'(\S+) (\S+) (\S+) \[([^\]]+)\] "(\S+) (\S+) HTTP/([\d.]+)" (\d{3}) (\d+|-)(?: "([^"]*)")?(?: "([^"]*)")?$'
)
LOGBACK = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) ([A-Z]+) \[([^\]]+)\] (\S+) - ")
LOGFMT = re.compile(r'([\w.]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
NUMBERS = {"DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17}


def plain(batch: Event) -> int:
    """The same work, written plainly."""
    answers = []
    for record in batch["records"]:
        documents = [
            json.dumps(plain_document(json.loads(text))) + "\n"
            for text in base64.b64decode(record["data"]).decode().split("\n")
            if text.strip()
        ]
        data = base64.b64encode("".join(documents).encode()).decode()
        answers.append({"recordId": record["recordId"], "result": "Ok", "data": data})
    return len(answers)


def plain_document(raw: dict[str, Any]) -> dict[str, Any]:
    """One document, as anybody would write it."""
    event_id = hashlib.blake2b(json.dumps(raw, sort_keys=True).encode(), digest_size=16).hexdigest()
    body, when, level, found = plain_line(raw["log"])
    parts = raw["container_name"].lstrip("/").split("-")
    document: dict[str, Any] = {
        "@timestamp": when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z") if when else raw["_time"],
        "observedTimestamp": raw["_time"],
        "body": body,
        "resource": {
            "service": {"name": parts[1]},
            "container": {"id": raw["container_id"], "name": raw["container_name"].lstrip("/")},
            "aws": {"ecs": {"container": {"name": parts[3]}, "task": {"family": parts[1], "revision": parts[2]}}},
        },
        "attributes": {"log.iostream": raw["source"], **found},
        "tag": raw["_tag"],
        "event_id": event_id,
    }
    if level:
        document["severity"] = {"text": level.upper(), "number": NUMBERS[level.upper()]}
    return document


def plain_line(log: str) -> tuple[str, datetime | None, str | None, dict[str, Any]]:
    """Body, time, level and attributes of a line."""
    if log.startswith("{"):
        inner = json.loads(log)
        return inner.pop("event", ""), None, inner.pop("level", None), inner
    if access := ACCESS.match(log):
        client, _, user, when, method, path, version, status, size, referrer, agent = access.groups()
        path, _, query = path.partition("?")
        found = {
            "client.address": client,
            "user.name": user,
            "http.request.method": method,
            "url.path": path,
            "url.query": query,
            "network.protocol.name": "http",
            "network.protocol.version": version,
            "http.response.status_code": int(status),
            "http.response.body.size": int(size) if size != "-" else None,
            "http.request.header.referer": [referrer] if referrer not in ("", "-") else None,
            "user_agent.original": agent,
        }
        told = {name: value for name, value in found.items() if value not in (None, "", "-")}
        return log, datetime.strptime(when, "%d/%b/%Y:%H:%M:%S %z"), None, told
    if logback := LOGBACK.match(log):
        stamp, level, thread, logger = logback.groups()
        when_ = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC)
        return log, when_, level, {"thread.name": thread, "log.logger": logger}
    pairs = {name: quoted or bare for name, quoted, bare in LOGFMT.findall(log)}
    return log, None, pairs.pop("level", None), pairs


def floor(batch: Event) -> int:
    """base64 and orjson, in and out, and nothing between."""
    answers = []
    for record in batch["records"]:
        lines = base64.b64decode(record["data"]).split(b"\n")
        documents = [orjson.dumps(orjson.loads(text), option=orjson.OPT_APPEND_NEWLINE) for text in lines if text]
        answers.append(base64.b64encode(b"".join(documents)).decode())
    return len(answers)


def check_peer() -> None:
    """Hold the peer to the same documents; only an event_id is made of other bytes."""
    event_ = event(1, 4)
    response, _ = transform_batch(event_, pipeline=make_pipeline(Settings()), now=NOW)
    raw = [json.loads(text) for text in base64.b64decode(event_["records"][0]["data"]).splitlines() if text]
    for ours, record in zip(base64.b64decode(response["records"][0]["data"]).splitlines(), raw, strict=True):
        theirs = plain_document(record)
        assert json.loads(ours) | {"event_id": ""} == theirs | {"event_id": ""}


def measure() -> dict[str, Any]:
    """Records per CPU second of each, ours as ratios to them, and what redaction adds; medians of all rounds."""
    check_peer()
    every = make_pipeline(Settings())
    redacting = make_pipeline(Settings(redact=EVERY_PATTERN))
    batch, clean = event(), event(client="web-7.internal")
    kinds: dict[str, Callable[[], int]] = {
        "sluice": lambda: transform(batch, every),
        "plain json": lambda: plain(batch),
        "floor": lambda: floor(batch),
        "sluice, nothing to redact": lambda: transform(clean, every),
        "sluice, nothing to redact, all patterns": lambda: transform(clean, redacting),
        "sluice, an address in every fourth, all patterns": lambda: transform(batch, redacting),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, run in kinds.items():
            began = time.process_time()
            run()
            seconds[name].append(time.process_time() - began)
    taken = {name: statistics.median(each) for name, each in seconds.items()}
    lines = RECORDS * PACKED
    return {
        "records_per_cpu_second": {name: round(lines / each) for name, each in taken.items()},
        "ratio_to_plain_json": round(taken["plain json"] / taken["sluice"], 2),
        "share_of_floor": round(taken["floor"] / taken["sluice"], 3),
        "redaction_adds": round(
            taken["sluice, nothing to redact, all patterns"] / taken["sluice, nothing to redact"] - 1, 3
        ),
    }


def measure_sizes() -> dict[str, float]:
    """Microseconds a record of one line each costs in batches of 1 to 5,000."""
    pipeline = make_pipeline(Settings())
    found = {}
    for size in (1, 10, 100, 1000, 5000):
        batch = event(size, 1)
        taken = []
        for _ in range(max(5, 5000 // size)):
            began = time.perf_counter()
            transform(batch, pipeline)
            taken.append((time.perf_counter() - began) / size * 1e6)
        found[str(size)] = round(statistics.median(taken), 1)
    return found
