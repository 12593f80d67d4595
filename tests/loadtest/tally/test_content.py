"""What the load's own generator wrote, through the real transformer, is found unaltered; a byte less is not."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.transform.batch import transform_batch
from lambdas.transform.pipeline import make_pipeline
from lambdas.transform.settings import Settings
from loadtest.compare import as_delivered
from loadtest.drive.records import Names
from loadtest.journal import Journal
from loadtest.lines import Part
from loadtest.messages import pool_of, text_of
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile
from loadtest.tally import Tally

FORMATS = ("text", "access", "json", "multiline", "split", "hostile")
BEGAN = 1_795_228_000
NOW = datetime.fromtimestamp(BEGAN + 60, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
MESSAGES = 300


def plan_of(format_: str) -> Plan:
    load = {"name": "web", "tag": "web", "messages_per_second": 100, "formats": {format_: 1}, "size": {"median": 300}}
    profile = {"name": "content", "seconds": MESSAGES / 100, "loads": [load]}
    return make_plan(Profile.model_validate(profile), run=77)


def lines_of(plan: Plan) -> list[bytes]:
    """Every message as Fluent Bit writes it."""
    [source] = plan.sources
    names = Names.of(plan, source.load).numbered(0)
    pool, lines = pool_of(plan.profile.seed, source.load), []
    for number in range(MESSAGES):
        due = BEGAN * 1_000_000_000 + number * 10_000_000
        text = pool.at(0, number)
        record = {
            "container_id": names.container_id,
            "container_name": names.container,
            "source": text.stream,
            "log": as_delivered(text_of(plan, source, number, due)),
            "_tag": "web",
            "_time": f"{datetime.fromtimestamp(BEGAN, UTC):%Y-%m-%dT%H:%M:%S}.{number:09d}Z",
        }
        if text.part is not None:
            ordinal, count = text.part
            first = number - ordinal
            record |= Part(f"{names.partial_id}{first:08x}", ordinal, last=ordinal == count).fields()
        lines.append(json.dumps(record, ensure_ascii=False).encode() + b"\n")
    return lines


def transformed(lines: list[bytes]) -> bytes:
    """The documents that the transformer makes of a packed record."""
    record = {
        "recordId": "1",
        "approximateArrivalTimestamp": BEGAN * 1000 + 60_000,
        "data": base64.b64encode(b"".join(lines)).decode(),
    }
    event = {"invocationId": "x", "deliveryStreamArn": "arn", "region": "eu-west-1", "records": [record]}
    response, _ = transform_batch(event, pipeline=make_pipeline(Settings()), now=NOW)
    [answer] = response["records"]
    assert answer["result"] == "Ok"
    return base64.b64decode(answer["data"])


def tallied(plan: Plan, documents: bytes, folder: Any) -> Any:
    tally = Tally(plan, folder=folder, route_of=str, check_every=1)
    tally.deliver(documents, route="web", readable_at=BEGAN + 70)
    return tally.close(Journal(run=plan.run, began=BEGAN, sent={0: MESSAGES}))


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_delivered_unaltered_and_found_so(format_, tmp_path):
    plan = plan_of(format_)
    documents = transformed(lines_of(plan))
    result = tallied(plan, documents, tmp_path)
    total = result.total
    # a line whose last part was not sent is there in its parts; whatever is joined is one document
    assert (total.delivered, total.lost, total.altered, total.unexpected) == (MESSAGES, 0, 0, 0), result.examples
    assert (total.duplicated, total.duplicated_otherwise, result.unreadable) == (0, 0, 0)
    if format_ in {"multiline", "split"}:
        assert documents.count(b"\n") < MESSAGES


@pytest.mark.parametrize("format_", FORMATS)
def test_a_letter_that_is_another_is_found_in_every_format(format_, tmp_path):
    plan = plan_of(format_)
    changed = []
    for line in lines_of(plan):
        record = json.loads(line)
        marker = record["log"].index("slt")
        places = [*range(marker + 40, len(record["log"])), *range(marker)]
        at = next((at for at in places if record["log"][at].isalpha()), None)
        if at is None:  # of noise
            continue
        letter = "z" if record["log"][at] != "z" else "y"
        record["log"] = record["log"][:at] + letter + record["log"][at + 1 :]
        changed.append(json.dumps(record).encode() + b"\n")
    total = tallied(plan, transformed(changed), tmp_path).total
    # not in all: in JSON a letter may be one that the document spells in another way, as a time's or a level's
    assert total.delivered > MESSAGES / 2
    assert total.altered >= 0.95 * total.delivered
