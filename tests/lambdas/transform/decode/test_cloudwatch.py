"""Payloads of CloudWatch Logs subscriptions. The recorded forms are in tests/events/decode/cloudwatch_logs.json."""

import gzip
import json

import pytest

PAYLOAD = {
    "messageType": "DATA_MESSAGE",
    "owner": "111122223333",
    "logGroup": "/ecs/shop",
    "logStream": "web/1",
    "subscriptionFilters": ["all"],
    "logEvents": [
        {"id": "1", "timestamp": 1_795_228_560_123, "message": "first\nof two lines"},
        {"id": "2", "timestamp": 0, "message": '{"level":"info"}', "extractedFields": {"level": "info"}},
    ],
}
CONTROL = PAYLOAD | {"messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs"}
SHARED = {
    "cloud.account.id": "111122223333",
    "aws.log.group.names": ["/ecs/shop"],
    "aws.log.stream.names": ["web/1"],
    "cloudwatch.subscriptionFilters": ["all"],
}
EVENTS = [
    {"log": "first\nof two lines", "_time": "2026-11-21T02:36:00.123000000Z", "log.record.uid": "1", **SHARED},
    {
        "log": '{"level":"info"}',
        "_time": "1970-01-01T00:00:00.000000000Z",
        "log.record.uid": "2",
        "cloudwatch.extractedFields": {"level": "info"},
        **SHARED,
    },
]


def write(payload, **options):
    return json.dumps(payload, **options).encode()


@pytest.mark.parametrize("options", [{}, {"separators": (",", ":")}, {"indent": 2}, {"sort_keys": True}])
def test_each_event_is_a_record(members, options):
    assert members(gzip.compress(write(PAYLOAD, **options))) == EVENTS


def test_payload_that_firehose_decompressed_is_taken_apart(members, aggregate):
    assert members(write(PAYLOAD)) == EVENTS
    assert members(aggregate([write(PAYLOAD), b'{"n":1}'])) == [*EVENTS, {"n": 1}]


@pytest.mark.parametrize("between", [b"", b"\n"])
def test_payloads_in_a_row_are_all_taken_apart(members, between):
    data = between.join([write(PAYLOAD), write(CONTROL), write(PAYLOAD)])

    assert members(data) == members(gzip.compress(data)) == [*EVENTS, {"dropped": "cloudwatch_control"}, *EVENTS]


def test_what_else_there_is_is_kept(members):
    (first, _) = members(write(PAYLOAD | {"policyLevel": "ACCOUNT_LEVEL_POLICY"}))

    assert first == EVENTS[0] | {"cloudwatch.policyLevel": "ACCOUNT_LEVEL_POLICY"}


@pytest.mark.parametrize(
    "change",
    [
        {"messageType": "OTHER"},
        {"logEvents": None},
        {"logEvents": [1]},
        {"logEvents": [{"id": "1", "timestamp": "now", "message": "x"}]},
        {"logEvents": [{"id": "1", "timestamp": True, "message": "x"}]},
        {"logEvents": [{"id": "1", "timestamp": 1, "message": None}]},
        {"logEvents": [{"id": "1", "timestamp": 253_402_300_800_000, "message": "x"}]},
        {"logEvents": [{"id": "1", "timestamp": -1, "message": "x"}]},
    ],
)
def test_what_is_no_payload_is_a_record_as_it_is(members, change):
    assert members(write(PAYLOAD | change)) == [PAYLOAD | change]


def test_last_moment_that_can_be_written_is_one(members):
    event = {"id": "1", "timestamp": 253_402_300_799_999, "message": "x"}

    assert members(write(PAYLOAD | {"logEvents": [event]}))[0]["_time"] == "9999-12-31T23:59:59.999000000Z"


def test_payload_without_events_gives_nothing(members):
    assert members(write(PAYLOAD | {"logEvents": []})) == []


@pytest.mark.parametrize("missing", ["owner", "logGroup", "logStream", "subscriptionFilters", "logEvents"])
def test_record_of_a_user_that_looks_like_a_control_message_is_not_dropped(members, missing):
    record = {name: value for name, value in CONTROL.items() if name != missing}

    assert members(write(record)) == [record]
