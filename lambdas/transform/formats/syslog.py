"""Syslog, RFC 3164 and RFC 5424, and the same without a priority, as in the files of syslogd and rsyslog.

    <34>1 2026-11-21T02:36:00.003Z shop.example pay 31 ID47 [exampleSDID@32473 iut="3" eventSource="app"] paid
    <34>Nov 21 02:36:00 shop su[31]: 'su root' failed
    Nov 21 02:36:00 shop sshd(pam_unix)[19939]: check pass; user unknown
    2026-11-21T02:36:00.123456+00:00 shop sshd[31]: Accepted publickey

https://datatracker.ietf.org/doc/html/rfc5424#section-6 · https://datatracker.ietf.org/doc/html/rfc3164#section-4
https://www.rsyslog.com/doc/configuration/templates.html#reserved-template-names (RSYSLOG_FileFormat)

The priority is facility times eight plus severity. Names are OpenTelemetry's where its data model maps syslog:
https://opentelemetry.io/docs/specs/otel/logs/data-model-appendix/#rfc5424-syslog; a parameter of structured data is
`syslog.<id>.<name>`. At most 64 parameters within 8 KB are read.
"""

from __future__ import annotations

import re
from typing import Any

from lambdas.transform.formats.found import UNREADABLE, Found, add_text
from lambdas.transform.levels import Severity, from_syslog
from lambdas.transform.times import HOUR_LENGTH, add_fraction, read_time, utc_second

LEADS = ("<", "Ja", "Fe", "Ma", "Ap", "Ju", "Au", "Se", "Oc", "No", "De", "-T")

_PRIORITY = re.compile(r"<(\d{1,3})>", re.ASCII)
_HIGHEST_PRIORITY = 191
_RFC_5424 = re.compile(
    r"(\d{1,2}) (-|[^ ]{10,35}) ([^ ]{1,255}) ([^ ]{1,48}) ([^ ]{1,128}) ([^ ]{1,32}) (?=[-\[])", re.ASCII
)
_STAMP = r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)(?:\.(\d{1,9}))?|(\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:?\d\d))"
_ZONES = frozenset("+-Z")
_TAG = r"([A-Za-z][^\s:\[]{0,63})(?: \d[\d.]{0,15})?(?:\[(\d{1,18})\])?: "
_RFC_3164 = re.compile(rf"(?:{_STAMP}) (?:(?!{_TAG})([^ \[:]{{1,255}}(?::[^ ]{{0,64}})?) )?(?:{_TAG})?", re.ASCII)
_PARAMETER = re.compile(r'\]?\[([^ =\]"]{1,32})| ([^ =\]"]{1,32})="((?:[^"\\]|\\.){0,2048})"', re.DOTALL)
_ELEMENTS_END = 8192
_MOST_PARAMETERS = 64
_ESCAPED = re.compile(r'\\(["\\\]])')


def read_syslog(text: str, observed: str) -> Found | None:
    """Read a line of syslog."""
    if text[0] != "<":
        is_stamped = text[3:4] == " " or text[19:20] in _ZONES or text[26:27] in _ZONES
        return _read_3164(text, observed, {}, None) if is_stamped else None
    priority = _PRIORITY.match(text)
    if priority is None:
        return None
    number = int(priority[1])
    if number > _HIGHEST_PRIORITY:
        return None
    facility, level = divmod(number, 8)
    attributes: dict[str, Any] = {"syslog.facility": facility}
    start = priority.end()
    return _read_5424(text, start, attributes, from_syslog(level)) or _read_3164(
        text[start : start + 512], observed, attributes, from_syslog(level)
    )


def _read_5424(text: str, start: int, attributes: dict[str, Any], severity: Severity | None) -> Found | None:
    found = _RFC_5424.match(text, start)
    if found is None:
        return None
    version, stamp, host, app, process, message = found.groups()
    attributes["syslog.version"] = int(version)
    add_text(attributes, "host.name", host)
    add_text(attributes, "syslog.appname", app)
    add_text(attributes, "syslog.msgid", message)
    _add_process(attributes, process)
    if text[found.end()] == "[":
        _add_structured(attributes, text, found.end())
    return attributes, severity, None if stamp == "-" else read_time(stamp) or UNREADABLE


def _add_structured(attributes: dict[str, Any], text: str, start: int) -> None:
    element = ""
    stop = min(len(text), start + _ELEMENTS_END)
    for _ in range(_MOST_PARAMETERS):
        found = _PARAMETER.match(text, start, stop)
        if found is None:
            return
        start = found.end()
        if found[1]:
            element = found[1]
        else:
            value = found[3]
            attributes[f"syslog.{element}.{found[2]}"] = _ESCAPED.sub(r"\1", value) if "\\" in value else value


def _read_3164(text: str, observed: str, attributes: dict[str, Any], severity: Severity | None) -> Found | None:
    found = _RFC_3164.match(text)
    if found is None:
        return None
    second, digits, stamp, _, _, host, tag, process = found.groups()
    if stamp:
        if not tag:  # a date of this form alone is no evidence of syslog
            return None
        time = read_time(stamp)
    else:
        utc = utc_second(second, "", observed[:HOUR_LENGTH])
        time = add_fraction(utc, digits or "") if utc else None
    if host:
        attributes["host.name"] = host
    if tag:
        attributes["syslog.appname"] = tag
    if process:
        attributes["process.pid"] = int(process)
    return attributes, severity, time or UNREADABLE


def _add_process(attributes: dict[str, Any], process: str) -> None:
    if process.isdecimal() and len(process) <= 18:  # noqa: PLR2004 - see read_integer
        attributes["process.pid"] = int(process)
    elif process != "-":
        attributes["syslog.procid"] = process
