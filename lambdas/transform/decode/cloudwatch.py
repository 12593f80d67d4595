"""Payloads of CloudWatch Logs subscriptions: many events of one log stream in one JSON object.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html

They come as gzip, or as plain JSON where Firehose was told to decompress them. Each event becomes a record:

| In the payload | In each record |
|---|---|
| message, timestamp (ms) of an event | `log`, `_time` |
| id of an event | `log.record.uid` |
| owner | `cloud.account.id` |
| logGroup, logStream | `aws.log.group.names`, `aws.log.stream.names`: lists, as the conventions have it |
| anything else of either, as subscriptionFilters, policyLevel and extractedFields | `cloudwatch.` and its name |

https://opentelemetry.io/docs/specs/semconv/resource/cloud-provider/aws/logs/

A control message, with which the service tests that a destination is there, is dropped under the name of its rule.
"""

from __future__ import annotations

from typing import Any

from lambdas.transform.decode.record import Dropped, Record
from lambdas.transform.times import format_time

CONTROL = Dropped("cloudwatch_control")
MARK = b'"messageType"'
"""What every payload has, in writings of the service as its first key."""

_REQUIRED = frozenset(("messageType", "owner", "logGroup", "logStream", "subscriptionFilters", "logEvents"))
_OF_PAYLOAD = frozenset(("messageType", "owner", "logGroup", "logStream", "logEvents"))
_YEAR_10000 = 253_402_300_800_000
_OF_EVENT = frozenset(("id", "message", "timestamp"))


def read_payload(record: Record) -> list[Record | Dropped] | None:
    """Take a payload apart into its events, in order; None when the record is no payload, but one of its own."""
    payload = record.members
    events = payload.get("logEvents")
    if not payload.keys() >= _REQUIRED or not isinstance(events, list):
        return None
    if payload["messageType"] == "CONTROL_MESSAGE":
        return [CONTROL]
    if payload["messageType"] != "DATA_MESSAGE" or not all(map(_is_event, events)):
        return None
    shared = {
        "cloud.account.id": payload["owner"],
        "aws.log.group.names": [payload["logGroup"]],
        "aws.log.stream.names": [payload["logStream"]],
        **{f"cloudwatch.{name}": value for name, value in payload.items() if name not in _OF_PAYLOAD},
    }
    return [_read_event(event, shared, record.rewritten) for event in events]


def _is_event(event: object) -> bool:
    if not isinstance(event, dict) or not isinstance(event.get("message"), str):
        return False
    timestamp = event.get("timestamp")
    return type(timestamp) is int and 0 <= timestamp < _YEAR_10000


def _read_event(event: dict[str, Any], shared: dict[str, Any], rewritten: tuple[str, ...]) -> Record:
    members = {"log": event["message"], "_time": format_time(event["timestamp"] * 10**6), **shared}
    if "id" in event:
        members["log.record.uid"] = event["id"]
    members |= {f"cloudwatch.{name}": value for name, value in event.items() if name not in _OF_EVENT}
    return Record(members, rewritten)
