"""Lines that AWS Lambda writes about an invocation, and Node's, which it puts a header before.

    START RequestId: 8f5a6b7c-0d1e-4f2a-8b3c-4d5e6f7a8b9c Version: $LATEST
    END RequestId: 8f5a6b7c-…
    REPORT RequestId: 8f5a6b7c-…\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t…
    INIT_START Runtime Version: python:3.13.v12\tRuntime Version ARN: arn:aws:lambda:…
    2026-11-21T02:36:00.123Z\t8f5a6b7c-…\tINFO\tpaid

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
"""

from __future__ import annotations

import re
from typing import Any

from lambdas.transform.formats.found import UNREADABLE, Found
from lambdas.transform.levels import read_level
from lambdas.transform.times import read_time

LEADS = ("ST", "EN", "RE", "IN", "-T")

_INVOCATION = re.compile(r"(?:START|END|REPORT) RequestId: ([0-9a-f-]{36})(?: Version: ([^\s]{1,64}))?", re.ASCII)
_STARTS = ("START Req", "END Reque", "REPORT Re", "INIT_STAR")
_FIELD = re.compile(
    r"(Duration|Billed Duration|Init Duration|Memory Size|Max Memory Used): (\d{1,9}(?:\.\d{1,6})?)", re.ASCII
)
_NAMES = {
    "Duration": "faas.duration_ms",
    "Billed Duration": "faas.billed_duration_ms",
    "Init Duration": "faas.init_duration_ms",
    "Memory Size": "faas.memory_size_mb",
    "Max Memory Used": "faas.max_memory_used_mb",
}
_NODE = re.compile(r"([\d:.TZ-]{24})\t([0-9a-f-]{36}|undefined)\t([A-Z]{4,5})\t", re.ASCII)
_LONGEST_REPORT = 1024


def read_lambda(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read a line of the Lambda runtime."""
    if text[:9] in _STARTS:
        return _read_invocation(text)
    found = _NODE.match(text) if text[24:25] == "\t" else None
    severity = read_level(found[3]) if found else None
    if found is None or severity is None:
        return None
    attributes = {} if found[2] == "undefined" else {"faas.invocation_id": found[2]}
    return attributes, severity, read_time(found[1]) or UNREADABLE


def _read_invocation(text: str) -> Found | None:
    if text.startswith("INIT_START Runtime Version: "):
        return {"faas.runtime_version": text[28:156].partition("\t")[0]}, None, None
    found = _INVOCATION.match(text)
    if found is None:
        return None
    attributes: dict[str, Any] = {"faas.invocation_id": found[1]}
    if found[2]:
        attributes["faas.version"] = found[2]
    for part in text[found.end() : _LONGEST_REPORT].split("\t"):
        if field := _FIELD.match(part):
            attributes[_NAMES[field[1]]] = float(field[2]) if "." in field[2] else int(field[2])
    return attributes, None, None
