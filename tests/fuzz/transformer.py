"""The transformer under a fuzzer: any bytes in, and what Firehose was promised still holds.

Atheris (libFuzzer for Python) follows the branches of `lambdas`, so that inputs grow towards what has not been tried.
Each input is one batch: its first byte says how the rest is cut into Firehose records and how those are wrapped. An
input fails when an exception escapes, when an answer is missing, twice or too long, when a line that comes out is not
a document, or when it takes seconds; the run fails when memory keeps growing.

    make fuzz ARGS=-runs=1000000

Inputs that failed are kept in .sluice/fuzz/ and are run first the next time. Cost: about 5,000 inputs a second.
"""

import base64
import gzip
import json
import resource
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["lambdas"]):
    from lambdas.transform.batch import transform_batch
    from lambdas.transform.limits import MAX_RESPONSE_BYTES
    from lambdas.transform.pipeline import make_pipeline
    from lambdas.transform.settings import Settings
    from lambdas.transform.spec import PATTERN_NAMES, Redaction

CORPUS = ROOT / ".sluice" / "fuzz"
SEEDS = ROOT / "tests" / "events"
NOW = "2026-11-21T02:36:31.000000000Z"
SLOW_SECONDS = 10
GROWTH_MIB = 512
"""How much more memory than after its first thousand inputs a run may come to hold."""

PIPELINE = make_pipeline(
    Settings(route="fuzz", redact=tuple(Redaction(name, "pattern", name, "mask") for name in PATTERN_NAMES))
)
_runs = 0
_settled = 0


def check(data: bytes) -> None:
    """Transform one input and hold the answer to the contract."""
    event = make_event(data)
    response, tally = transform_batch(event, pipeline=PIPELINE, now=NOW)
    answers = response["records"]
    assert [answer["recordId"] for answer in answers] == [record["recordId"] for record in event["records"]]
    assert len(json.dumps(response)) <= MAX_RESPONSE_BYTES
    written = 0
    for answer in answers:
        if answer["result"] == "Ok":
            for line in base64.b64decode(answer["data"], validate=True).splitlines():
                document = json.loads(line)
                assert len(document["event_id"]) >= 32
                assert {"@timestamp", "observedTimestamp", "body"} <= document.keys()
                written += 1
    assert written == tally.counts.documents + tally.counts.parts
    assert tally.counts.unaccounted == 0
    assert tally.records == tally.delivered + tally.dropped.total() + len(tally.failures)
    assert not any(failure.reason == "unexpected_error" for failure in tally.failures), tally.failures
    watch_memory()


def make_event(data: bytes) -> dict[str, object]:
    """Make a batch of the bytes: the first one tells how."""
    how, rest = data[:1], data[1:]
    kind = how[0] if how else 0
    parts = rest.split(b"\x00\xff\x00") if kind & 1 else [rest]
    if kind & 2:
        parts = [b'{"log":' + json.dumps(part.decode("utf-8", "replace")).encode() + b"}" for part in parts]
    if kind & 4:
        parts = [gzip.compress(part, 1) for part in parts]
    return {
        "records": [
            {
                "recordId": str(number),
                "approximateArrivalTimestamp": 1_795_228_591_000,
                "data": base64.b64encode(part).decode(),
            }
            for number, part in enumerate(parts)
        ]
    }


def watch_memory() -> None:
    """Fail when the process holds much more than it did once it had warmed up."""
    global _runs, _settled  # noqa: PLW0603 - the fuzzer calls one function, ever again
    _runs += 1
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if _runs == 1000:  # a warm-up
        _settled = held
    assert not _settled or held - _settled < GROWTH_MIB, f"{held} MiB after {_runs} inputs, {_settled} at first"


def main() -> None:
    """Run the fuzzer with the recorded events as its first inputs."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    for file in SEEDS.rglob("*"):
        if file.is_file() and file.suffix in {".log", ".jsonl", ".txt"}:
            (CORPUS / f"seed-{file.parent.name}-{file.name}").write_bytes(b"\x02" + file.read_bytes()[:8000])
    atheris.Setup([*sys.argv, str(CORPUS), f"-timeout={SLOW_SECONDS}", f"-artifact_prefix={CORPUS}/"], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
