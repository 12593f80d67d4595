"""Recorded events, see tests/events/decode/README.md, give what was reviewed by eye."""

import base64
import json
from pathlib import Path

import pytest

EVENTS = Path(__file__).parents[3] / "events" / "decode"
NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_recorded_event_is_unwrapped(members, name):
    event = json.loads((EVENTS / f"{name}.json").read_text())
    expected = [json.loads(line) for line in (EVENTS / f"{name}.expected.jsonl").read_text().splitlines()]

    assert [members(base64.b64decode(record["data"])) for record in event["records"]] == expected
