"""What redaction costs, per document and as a share of the whole transform, in one run on one core.

Three kinds of lines, 300 bytes each as Fluent Bit writes them: ordinary ones that hold nothing to redact, though they
are full of numbers, times and identifiers; the same with an address in every fourth; and the same with two values in
every one. Each is redacted with all built-in patterns. What the whole transform of such lines takes is measured in
between, without rules, so that a noisy moment of the machine falls on both; the medians are compared.

`make bench` shows the ratios; python tests/bench/redaction.py shows them alone.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lambdas.transform.document import Document, Resource, Source  # noqa: E402 - found through the line above
from lambdas.transform.rules import Rules, compile_rules  # noqa: E402
from lambdas.transform.settings import Settings  # noqa: E402
from lambdas.transform.spec import PATTERN_NAMES, Redaction  # noqa: E402

ROUNDS = 15
PACKED = 100
RECORDS = 20

SOURCE = Source(
    resource=Resource({"service": {"name": "shop"}, "container": {"id": "6d33" * 16, "name": "ecs-shop-7-web"}}),
    tag="frontend-web",
    attributes={"log.iostream": "stdout"},
    shared=b"",
)
Batch = list[list[Document]]


def clean(number: int) -> tuple[str, dict[str, object]]:
    """A line that holds nothing to redact, and what a parser makes of it."""
    match number % 4:
        case 0:
            return (
                f'web-{number}.internal - - [21/Nov/2026:02:22:24 +0000] "GET /products/{number} HTTP/1.1" 200 5316 "-"'
                ' "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0.0.0 Safari/537.36"',
                {
                    "http.request.method": "GET",
                    "url.path": f"/products/{number}",
                    "http.response.status_code": 200,
                    "http.response.body.size": 5316,
                    "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0.0.0 Safari/537.36",
                },
            )
        case 1:
            return (
                "order taken",
                {
                    "order_id": 100_000_000_000 + number,
                    "time": 1_795_228_944_123,
                    "request_id": f"550e8400-e29b-41d4-a716-{446_655_440_000 + number}",
                    "amount": {"value": number / 100, "currency": "EUR"},
                },
            )
        case 2:
            return (
                f"2026-11-21 02:22:24,123 WARN [main] com.example.Shop@1b2c3d4e - stock of {number} is low",
                {"log.logger": "com.example.Shop", "thread.name": "main"},
            )
        case _:
            return (
                f'level=error msg="payment declined" order={number} retry=false took=0.123456789s',
                {"msg": "payment declined", "order": str(number), "retry": "false", "took": "0.123456789s"},
            )


def batch(hits: Callable[[int], str]) -> Batch:
    """Documents of several Firehose records, with what `hits` puts at the end of a line."""
    made = []
    for record in range(RECORDS):
        documents = []
        for number in range(record * PACKED, (record + 1) * PACKED):
            body, attributes = clean(number)
            document = Document(SOURCE, "2026-11-21T02:22:24.123456789Z", body + hits(number), f"{number:032x}")
            document.add(attributes)
            documents.append(document)
        made.append(documents)
    return made


def microseconds(rules: Rules, documents: Batch, *, expected: int) -> float:
    """CPU time to redact one document."""
    counts: dict[str, int] = {}
    began = time.process_time()
    for packed in documents:
        rules.apply(packed, counts)
    taken = time.process_time() - began
    assert sum(counts.values()) == expected, counts
    return taken / (RECORDS * PACKED) * 1e6


def measure(transform_microseconds: float | None = None) -> dict[str, float]:
    """Measure microseconds a document for each kind; given what a whole transform takes, also the share of that."""
    rules = compile_rules(Settings(redact=tuple(Redaction(name, "pattern", name, "mask") for name in PATTERN_NAMES)))
    kinds: dict[str, tuple[Callable[[int], str], int]] = {
        "nothing to redact": (lambda _: "", 0),
        "an address in every fourth": (lambda number: "" if number % 4 else " from 10.1.2.3", RECORDS * PACKED // 4),
        "two values in every one": (lambda _: " bob@example.com from 10.1.2.3", RECORDS * PACKED * 2),
    }
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, (hits, expected) in kinds.items():
            taken[name].append(microseconds(rules, batch(hits), expected=expected))
    found = {f"{name}, us": round(statistics.median(each), 2) for name, each in taken.items()}
    if transform_microseconds:
        for name, each in taken.items():
            found[f"{name}, added"] = round(statistics.median(each) / transform_microseconds, 3)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(), indent=2) + "\n")
