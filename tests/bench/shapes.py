"""What the ways of a record cost beside plain S3: the search shape, folders by field, and a line per record.

The same lines of the transformer's bench, each way in turn in one run on one core. The share that counts is that of the
same batch to S3: packed against packed, single against single. `make bench` shows it; python tests/bench/shapes.py
shows it alone.
"""

import json
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from transformer import Event, event, transform  # noqa: E402 - found through the line above

from lambdas.transform.pipeline import Pipeline, make_pipeline  # noqa: E402
from lambdas.transform.settings import Settings  # noqa: E402
from lambdas.transform.spec import PartitionKey  # noqa: E402

ROUNDS = 9
LINES = 2_000
PACKED = 100


def measure() -> dict[str, float]:
    """Measure CPU microseconds a line by way, and what each adds to the same batch to S3."""
    stored = make_pipeline(Settings())
    by_tag = make_pipeline(Settings(partition_by=(PartitionKey(name="tag", field="tag"),)))
    packed, single = event(LINES // PACKED, PACKED), event(LINES, 1)
    ways: dict[str, tuple[Event, Pipeline]] = {
        "S3, packed": (packed, stored),
        "S3 by tag, packed": (packed, by_tag),
        "S3, single": (single, stored),
        "OpenSearch, single": (single, make_pipeline(Settings(shape="search"))),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (batch, pipeline) in ways.items():
            began = time.process_time()
            transform(batch, pipeline)
            taken[name].append((time.process_time() - began) / LINES * 1e6)
    found = {f"{name}, us": round(statistics.median(each), 1) for name, each in taken.items()}
    for name in ways:
        way, _, how = name.rpartition(", ")
        if way != "S3":
            found[f"{name}, added"] = round(found[f"{name}, us"] / found[f"S3, {how}, us"] - 1, 3)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(), indent=2) + "\n")
