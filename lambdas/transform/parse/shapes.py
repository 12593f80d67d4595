"""The line in a record: what each shipper calls it, its stream, its time and its level.

| Shipper | Line | Stream | Time | Level |
|---|---|---|---|---|
| Docker's fluentd driver, FireLens | log | source | | |
| Docker's json-file, read by an agent | log, which ends in a line feed | stream | time | |
| CRI (containerd), read by Fluent Bit | log | stream | time | |
| journald | MESSAGE | | _SOURCE_REALTIME_TIMESTAMP, else __REALTIME_TIMESTAMP | PRIORITY |
| Fluent Bit's syslog input | message | | time | pri, of which it is the last three bits |
| GELF (Logspout, Docker's gelf driver) | short_message | | timestamp | level |

A shipper is told by companions of the line: `MESSAGE` alone is no journal. `source` and `stream` are a stream when they
say stdout or stderr, else they are what the application calls so. A member is taken when its value means what its name
says; the others stay, such as partial_*, logtag, attrs, pri (which holds the facility as well) and what an agent says
of a pod. A record that is none of these has no line, and its body is None.

- https://docs.docker.com/engine/logging/drivers/fluentd/ and json-file/, gelf/, journald/
- https://www.freedesktop.org/software/systemd/man/latest/systemd.journal-fields.html
- https://docs.fluentbit.io/manual/data-pipeline/inputs/syslog
- https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lambdas.transform.levels import Severity, from_syslog

_STREAMS = frozenset({"stdout", "stderr"})
_JOURNAL = frozenset({"__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "PRIORITY", "_HOSTNAME", "_TRANSPORT"})
_JOURNAL_TIMES = ("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")
_SYSLOG = frozenset({"host", "ident", "pid", "msgid"})
_MOST_PRI_DIGITS = 3


class Line(NamedTuple):
    """A line: its text (any JSON where `log` was no text, None without one), its stream, the value of its shipper's
    time as it came, and its severity where the shipper knows it."""

    body: Any
    stream: str | None = None
    time: object = None
    severity: Severity | None = None


def take_line(members: dict[str, Any]) -> Line:
    """Take what a shipper calls the line out of a record's members, which are changed."""
    stream = _take_stream(members)
    if "log" in members:
        return _take_log(members, stream)
    if "MESSAGE" in members and not _JOURNAL.isdisjoint(members):
        return _take_journal(members)
    if type(members.get("short_message")) is str and "version" in members:
        return _take_gelf(members)
    if type(members.get("message")) is str and "pri" in members and not _SYSLOG.isdisjoint(members):
        return _take_syslog(members)
    return Line(None, stream)


def _take_stream(members: dict[str, Any]) -> str | None:
    for name in ("source", "stream"):
        value = members.get(name)
        if type(value) is str and value in _STREAMS:
            del members[name]
            return value
    return None


def _take_log(members: dict[str, Any], stream: str | None) -> Line:
    body = members.pop("log")
    # Only json-file and CRI say the time beside the line: with others it is what the application called so.
    if stream is None or type(members.get("time")) is not str:
        return Line(body, stream)
    if type(body) is str:
        body = body.removesuffix("\n")
    return Line(body, stream, members.pop("time"))


def _take_journal(members: dict[str, Any]) -> Line:
    body = members["MESSAGE"]
    if type(body) is list:
        body = _read_bytes(body)
    if type(body) is not str:
        return Line(None)
    del members["MESSAGE"]
    time = next((members.pop(name) for name in _JOURNAL_TIMES if name in members), None)
    return Line(body, None, time, _take_severity(members, "PRIORITY"))


def _read_bytes(numbers: list[Any]) -> str | None:
    """A message that is not UTF-8 is written as its bytes by `journalctl -o json`."""
    if not numbers or not all(type(number) is int and 0 <= number < 256 for number in numbers):  # noqa: PLR2004
        return None
    return bytes(numbers).decode("utf-8", "backslashreplace")


def _take_gelf(members: dict[str, Any]) -> Line:
    severity = _take_severity(members, "level")
    return Line(members.pop("short_message"), None, members.pop("timestamp", None), severity)


def _take_syslog(members: dict[str, Any]) -> Line:
    pri = members["pri"]
    if type(pri) is str and len(pri) <= _MOST_PRI_DIGITS and pri.isascii() and pri.isdecimal():
        pri = int(pri)
    severity = from_syslog(pri % 8) if type(pri) is int and pri >= 0 else None
    time = members.pop("time", None)
    return Line(members.pop("message"), None, time, severity)


def _take_severity(members: dict[str, Any], name: str) -> Severity | None:
    severity = from_syslog(members.get(name))
    if severity:
        del members[name]
    return severity
