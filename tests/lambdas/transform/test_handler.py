"""The handler against recorded events, against Firehose's contract, and in a process that is told nothing."""

import base64
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from lambdas.transform.batch import transform_batch
from lambdas.transform.errors import RecordError
from lambdas.transform.event_id import Arrival
from lambdas.transform.handler import handler
from lambdas.transform.limits import MAX_RESPONSE_BYTES
from lambdas.transform.pipeline import Pipeline, make_pipeline
from lambdas.transform.rules import compile_rules
from lambdas.transform.settings import Settings
from lambdas.transform.store import NoStore
from lambdas.transform.tally import Counts

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "tests" / "events" / "transform"
NOW = "2026-11-21T02:36:31.000000000Z"


def results(response):
    return [answer["result"] for answer in response["records"]]


def documents(response):
    return [
        json.loads(line)
        for answer in response["records"]
        for line in base64.b64decode(answer.get("data", "")).splitlines()
    ]


def metrics(capsys):
    lines = capsys.readouterr().out.splitlines()
    (blob,) = [blob for blob in map(json.loads, lines) if "_aws" in blob]
    return blob


PLAIN = make_pipeline(Settings(steps=()))
"""A route without steps."""


def reasons(caplog):
    return [record.reason for record in caplog.records]


@pytest.mark.parametrize("name", ["docker_packed", "firelens", "single", "odd_lines"])
def test_recorded_event_becomes_the_documents_that_were_reviewed(name):
    """The first three were recorded from Fluent Bit 5.1.1, the last is everything odd we know of."""
    response = handler(json.loads((EVENTS / f"{name}.json").read_text()), None)

    written = ""
    for answer in response["records"]:
        written += json.dumps({"recordId": answer["recordId"], "result": answer["result"]}) + "\n"
        written += base64.b64decode(answer.get("data", "")).decode()
    assert written == (EVENTS / f"{name}.expected.jsonl").read_text()


def test_bad_record_costs_its_batch_nothing_and_says_why_without_its_content(make_event, capsys, caplog):
    event = make_event(b"first", b"secret", b"third")
    event["records"][1]["data"] = "not base64: secret"

    response = handler(event, None)

    assert results(response) == ["Ok", "ProcessingFailed", "Ok"]
    (failure,) = caplog.records
    assert (failure.reason, failure.record_id) == ("not_base64", event["records"][1]["recordId"])
    assert failure.sha256 == sha256(b"not base64: secret").hexdigest()
    assert failure.data_bytes == len("not base64: secret")
    assert "secret" not in str(vars(failure))
    counts = metrics(capsys)
    assert (counts["Records"], counts["Delivered"], counts["Failed"]) == ([3], [2], [1])
    assert counts["Failed.not_base64"] == [1]


def test_exception_in_a_step_fails_its_record_alone_and_is_told_without_its_message(make_event):
    def stumble(documents):
        if documents[0].body == "secret":
            raise KeyError(documents[0].body)

    pipeline = Pipeline(
        steps=[stumble], joins=False, rules=compile_rules(Settings()), oversize="truncate", store=NoStore()
    )
    event = make_event(b"first", b"secret", b"third")
    response, tally = transform_batch(event, pipeline=pipeline, now=NOW)

    assert results(response) == ["Ok", "ProcessingFailed", "Ok"]
    (failure,) = tally.failures
    assert (failure.reason, failure.error) == ("unexpected_error", "KeyError")
    assert failure.place.startswith("test_handler.py:")
    assert failure.sha256 == sha256(b"secret").hexdigest()
    assert "secret" not in str(failure)


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ({"recordId": "x"}, "no_data"),
        ({"recordId": "x", "data": None}, "no_data"),
        ({"recordId": "x", "data": ["eA=="]}, "no_data"),
        ({"recordId": "x", "data": "eA="}, "not_base64"),
        ({"recordId": "x", "data": "e\nA=="}, "not_base64"),
        ({"recordId": "x", "data": "\ud800"}, "not_base64"),
    ],
)
def test_malformed_member_is_a_failed_record(make_event, caplog, member, reason):
    event = make_event(b"good")
    event["records"].append(member)

    response = handler(event, None)

    assert results(response) == ["Ok", "ProcessingFailed"]
    assert reasons(caplog) == [reason]


@pytest.mark.parametrize("member", [{"data": "eA=="}, {"recordId": 7, "data": "eA=="}, None, "text"])
def test_member_without_an_id_is_reported_and_cannot_be_answered(make_event, caplog, member):
    event = make_event(b"good")
    event["records"].append(member)

    response = handler(event, None)

    assert results(response) == ["Ok"]
    assert reasons(caplog) == ["no_record_id"]


def test_id_that_occurs_twice_is_answered_once_and_firehose_keeps_both(make_event):
    event = make_event(b"one", b"two", b"three")
    event["records"][2]["recordId"] = event["records"][0]["recordId"]

    response = handler(event, None)

    answered = {answer["recordId"]: answer["result"] for answer in response["records"]}
    assert len(response["records"]) == 2
    assert answered == {event["records"][0]["recordId"]: "ProcessingFailed", event["records"][1]["recordId"]: "Ok"}


@pytest.mark.parametrize("event", [{}, {"records": None}, {"Records": []}])
def test_what_is_no_transformation_event_is_refused_by_name(event):
    with pytest.raises(ValueError, match="not a Firehose transformation event"):
        handler(event, None)


def test_record_of_blank_lines_is_dropped_and_counted(make_event, capsys):
    response = handler(make_event(b"\n \n\t\r\n", b""), None)

    assert results(response) == ["Dropped", "Dropped"]
    assert metrics(capsys)["DroppedRecords.empty"] == [2]


def test_record_that_does_not_say_when_it_arrived_came_now(make_event):
    event = make_event(b"text")
    event["records"][0]["approximateArrivalTimestamp"] = "soon"

    response, _ = transform_batch(event, pipeline=PLAIN, now=NOW)

    assert documents(response)[0]["observedTimestamp"] == NOW


def test_response_is_full_at_the_limit_and_one_byte_more_fails_only_its_record(make_event):
    lines = (b"x" * 900_000 + b"\n") * 5
    small = handler(make_event(b"x", lines + b"a"), None)
    data = small["records"][1]["data"]
    room = (MAX_RESPONSE_BYTES - len(json.dumps(small)) + len(data)) // 4 * 3
    estimate = room - len(base64.b64decode(data)) + 1

    responses = {
        length: handler(make_event(b"x", lines + b"a" * length), None) for length in range(estimate - 5, estimate + 6)
    }
    largest = max(length for length, response in responses.items() if results(response) == ["Ok", "Ok"])

    assert MAX_RESPONSE_BYTES - 8 < len(json.dumps(responses[largest])) <= MAX_RESPONSE_BYTES
    assert results(responses[largest + 1]) == ["Ok", "ProcessingFailed"]


def test_documents_may_fill_their_room_and_not_one_byte_more():
    arrival = Arrival(record_id="r1", time=NOW)

    def transform(room):
        [group] = PLAIN.write(PLAIN.read(b"one\ntwo", arrival, Counts()), room, Counts())
        return group.lines

    size = sum(map(len, transform(10_000)))

    assert len(transform(size)) == 2
    with pytest.raises(RecordError, match="response_too_large"):
        transform(size - 1)


def test_record_of_tiny_lines_that_grows_beyond_any_response_fails_alone(make_event, caplog):
    response = handler(make_event(b"x\n" * 512_000, b"good"), None)

    assert results(response) == ["ProcessingFailed", "Ok"]
    assert reasons(caplog) == ["response_too_large"]


def test_full_packed_record_of_short_docker_lines_fits_with_its_documents(make_event):
    """1,000 KiB is the most that Firehose takes and 1,024,000 bytes the most that Fluent Bit packs: the same."""
    lines = b""
    for number in range(5_000):
        line = {
            "container_id": "3f1c" * 16,
            "container_name": "/ecs-shop-web-12-nginx-9eb1a6b8d9fdf3c3ab01",
            "source": "stdout",
            "log": "ok",
            "_tag": "docker.shop",
            "_time": f"2026-11-21T02:36:00.{number:09d}Z",
        }
        packed = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        if len(lines) + len(packed) >= 1_024_000:
            break
        lines += packed

    response = handler(make_event(lines + b"\n"), None)

    assert len(lines) > 1_023_000
    assert results(response) == ["Ok"]
    assert len(documents(response)) == lines.count(b"\n")


def run_process(event, **environment):
    """A fresh process with this environment and no more: the handler's, as Lambda starts it."""
    program = (
        "import json, sys\n"
        "from lambdas.transform.handler import handler\n"
        "response = handler(json.load(sys.stdin), None)\n"
        "assert not {'boto3', 'aws_xray_sdk'} & set(sys.modules)\n"
        "print(json.dumps(response))\n"
    )
    command = [sys.executable, "-c", program]
    text = json.dumps(event)
    return subprocess.run(
        command, input=text, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def test_runs_without_any_environment_and_imports_no_client(make_event):
    ended = run_process(make_event(b"INFO a"))

    assert (ended.returncode, ended.stderr) == (0, "")
    (document,) = documents(json.loads(ended.stdout.splitlines()[-1]))
    assert document["severity"] == {"text": "INFO", "number": 9}


def test_route_runs_the_steps_it_names_and_is_counted_under_its_name(make_event):
    ended = run_process(make_event(b"INFO a", b'{"msg":"b"}'), SLUICE_STEPS="json", SLUICE_ROUTE="raw")

    assert ended.returncode == 0, ended.stderr
    counts, response = map(json.loads, ended.stdout.splitlines())
    text, lifted = documents(response)
    assert "severity" not in text
    assert (lifted["body"], counts["route"]) == ("b", "raw")
    assert "route" in counts["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]


def test_settings_that_are_wrong_stop_the_function_at_its_first_batch(make_event):
    ended = run_process(make_event(b"a"), SLUICE_STEPS="json,sevrity")

    assert ended.returncode != 0
    assert "SLUICE_STEPS='json,sevrity': no step is called sevrity; known are multiline, json" in ended.stderr
