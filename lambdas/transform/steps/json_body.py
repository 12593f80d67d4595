"""Step `json`: a body that is a JSON object becomes attributes, a message, a severity and a time.

The keys are those that common loggers use: structlog, Python's JSON formatters, bunyan, pino, zap, logrus, logback,
log4j2, Serilog, the ECS and OTel encoders. A key is consumed when its value means what its name says, and then it
lives on as body, severity or `@timestamp`; otherwise it is an attribute like all the others. Without a message the
body is empty text, since the attributes say everything the line said.

A record without `log` is such an object itself: a client or a sidecar has parsed the line already.
"""

from __future__ import annotations

from typing import Any

from lambdas.transform.document import TIME_DOUBT, Document
from lambdas.transform.jsontext import read_object
from lambdas.transform.levels import read_level
from lambdas.transform.times import doubt, read_time

_MESSAGE_KEYS = ("message", "msg", "@message", "@m", "short_message", "event", "log", "text", "body")
_LEVEL_KEYS = (
    "level",
    "severity",
    "log.level",
    "levelname",
    "lvl",
    "loglevel",
    "log_level",
    "@l",
    "level_name",
    "levelno",
)
_TIME_KEYS = ("timestamp", "@timestamp", "time", "ts", "@t", "datetime", "asctime", "eventTime", "date")


def lift_json_body(document: Document) -> None:
    """Lift the members of a JSON object out of the body, or of a record that has none out of its attributes."""
    body = document.body
    if isinstance(body, str):
        if body[:1] != "{" and body.lstrip()[:1] != "{":
            return
        found = read_object(body.encode())
        if found is None:
            return
        members, _, rewritten = found
        document.rewritten += rewritten
    elif isinstance(body, dict):
        members = body
    elif body is None:
        members, document.attributes = document.attributes, {}
    else:
        return
    if not members:
        return
    _take_severity(document, members)
    _take_time(document, members)
    document.body = _take_message(members)
    _keep_all(document, members)


def _take_severity(document: Document, members: dict[str, Any]) -> None:
    for key in _LEVEL_KEYS:
        if key in members and (severity := read_level(members[key])):
            document.severity = severity
            del members[key]
            return


def _take_time(document: Document, members: dict[str, Any]) -> None:
    doubts = []
    for key in _TIME_KEYS:
        if key in members:
            time = read_time(members[key])
            doubted = doubt(time, observed=document.observed) if time else "unparsable"
            if time and not doubted:
                document.time = time
                del members[key]
                return
            doubts.append(doubted)
    if doubts:
        document.keep(TIME_DOUBT, doubts[0])


def _take_message(members: dict[str, Any]) -> str:
    for key in _MESSAGE_KEYS:
        message = members.get(key)
        if isinstance(message, str):
            del members[key]
            return message
    return ""


def _keep_all(document: Document, members: dict[str, Any]) -> None:
    if document.attributes.keys().isdisjoint(members):
        document.attributes.update(members)
        return
    for name, value in members.items():
        document.keep(name, value)
