"""What real loggers wrote, and what is made of it. Where each line comes from: tests/events/loggers/README.md."""

import json
from pathlib import Path

import pytest

from lambdas.transform.formats.json_logs import lift_json_bodies
from lambdas.transform.levels import from_otel, from_syslog, read_bunyan, read_level, read_python
from lambdas.transform.steps.severity import find_severities
from lambdas.transform.steps.trace import take_traces
from lambdas.transform.times import read_time

LOGGERS = Path(__file__).parents[3] / "events" / "loggers"
STEPS = (lift_json_bodies, take_traces, find_severities)
NAMES = sorted(path.stem for path in LOGGERS.glob("*.jsonl") if not path.stem.endswith(".expected"))


def read_lines(name):
    return (LOGGERS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()


def run(document):
    for step in STEPS:
        step([document])
    return document


def describe(document):
    """What the goldens hold of a document: what the line says, without what it does not."""
    severity = document.severity
    said = {
        "body": document.body,
        "severity": [severity.text, severity.number] if severity else None,
        "time": document.time,
        "attributes": document.attributes,
        "traceId": document.trace_id,
        "spanId": document.span_id,
    }
    return {name: value for name, value in said.items() if value is not None}


@pytest.mark.parametrize("name", NAMES)
def test_lines_of_a_logger_become_what_was_reviewed(make_document, name):
    found = [describe(run(make_document(line))) for line in read_lines(name)]

    assert found == [json.loads(line) for line in read_lines(f"{name}.expected")]


@pytest.mark.parametrize("name", NAMES)
def test_record_that_holds_the_members_is_read_like_the_line(make_document, name):
    for line in read_lines(name):
        document = run(make_document(None, attributes=json.loads(line)))

        assert describe(document) == describe(run(make_document(line)))


def leaves(value, *, keys=False):
    if isinstance(value, dict):
        value = [*value.values(), *(value if keys else ())]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item, keys=keys)]
    return [value]


def is_level(leaf, severity):
    readers = (read_level, read_bunyan, read_python, from_syslog, from_otel)
    return any(
        level == severity or (level and level.text == severity.text) for level in (read(leaf) for read in readers)
    )


def is_time(leaf, time):
    """All of a time, or one of the two numbers that it was written as."""
    read = read_time(leaf) or ""
    return (bool(read) and time.startswith(read.rstrip("0Z.")[:23])) or leaf == int(time[20:29])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_goes_but_what_became_severity_and_time(make_document, name):
    for line in read_lines(name):
        document = run(make_document(line))
        kept = [*leaves(document.attributes, keys=True), document.body, document.trace_id, document.span_id]
        # What a typed value of OpenTelemetry says besides its value: the type, and a number as text.
        kept += ["STRING", "INT64", *map(str, kept)]
        for leaf in leaves(json.loads(line)):
            assert leaf in kept or is_level(leaf, document.severity) or is_time(leaf, document.time), leaf


def test_there_are_loggers():
    assert len(NAMES) >= 25
