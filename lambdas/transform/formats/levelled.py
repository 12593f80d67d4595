"""Lines of loggers that begin with a level.

    WARNING:shop.pay:refused                                            Python's logging
    INFO:     203.0.113.9:50010 - "GET /cart HTTP/1.1" 200 OK           uvicorn
    I, [2026-11-21T02:36:00.123456 #31]  INFO -- : paid                 Ruby's Logger, Rails
    INFO 2026-11-21 02:36:00,123 shop.pay paid                          Django's example
    INFO  [main] com.acme.Pay - paid · error: refused · info: Shop.Pay[14]

https://docs.python.org/3/library/logging.html#logging.basicConfig
https://docs.djangoproject.com/en/stable/topics/logging/#configuring-logging
https://github.com/encode/uvicorn/blob/master/uvicorn/logging.py
https://docs.ruby-lang.org/en/master/Logger/Formatter.html

A level is a word in upper case, or in any case before a colon. `Information desk` is none, neither is `error in line`.
"""

from __future__ import annotations

import re
from typing import Any

from lambdas.transform.formats.found import UNREADABLE, Found, add_address
from lambdas.transform.formats.header import read_header
from lambdas.transform.formats.http_request import STATUSES, add_request
from lambdas.transform.levels import read_level
from lambdas.transform.times import read_time

_WORDS = (
    "tra",
    "trc",
    "deb",
    "dbg",
    "inf",
    "not",
    "war",
    "wrn",
    "err",
    "cri",
    "ale",
    "fat",
    "sev",
    "pan",
    "eme",
    "ver",
)
_BEGIN = frozenset(begin for word in _WORDS for begin in (word, word.upper(), word.title()))
"""Three letters are looked up first, so that prose costs next to nothing."""
LEADS = tuple(sorted({begin[:2] for begin in _BEGIN} | {f"{letter}," for letter in "DIWEFA"}))

_LEVEL = re.compile(r"([A-Za-z]{3,13})(:)?(?=([\s:\[\-|A-Za-z_]))", re.ASCII)
_PYTHON = re.compile(r"[A-Z]{4,8}:([A-Za-z_][\w.-]{0,127}):", re.ASCII)
_RUBY = re.compile(r"[DIWEFA], \[([\dT:.-]{19,32}) #(\d{1,18})\] {1,3}([A-Z]{3,5}) -- ([^:]{0,64}): ?", re.ASCII)
_STAMP = re.compile(r"[A-Z]{4,8} {1,5}(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z?) ", re.ASCII)
_DOTNET = re.compile(r"[a-z]{4}: ([A-Za-z_][\w.]{0,127})\[\d{1,9}\](?:\n|\Z)", re.ASCII)
_UVICORN = re.compile(r'[A-Z]{4,8}: +([\d.:a-f\[\]]{3,48}) - "([^"]{1,8192})" (\d{3})', re.ASCII)


def read_levelled(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read a line that begins with a level."""
    if text[1:4] == ", [":
        return _read_ruby(text)
    found = _LEVEL.match(text) if text[:3] in _BEGIN else None
    if found is None:
        return None
    word, colon, after = found.groups()
    severity = read_level(word) if colon or (word.isupper() and after in " \t[-|") else None
    if severity is None:
        return None
    if colon:
        return _read_labelled(text), severity, None
    attributes, severity = read_header(text, 0) or ({}, severity)
    stamp = _STAMP.match(text)
    return attributes, severity, read_time(stamp[1]) if stamp else None


def _read_labelled(text: str) -> dict[str, Any]:
    """Read what follows a level and its colon."""
    attributes: dict[str, Any] = {}
    if named := _PYTHON.match(text) or _DOTNET.match(text):
        attributes["log.logger"] = named[1]
    elif request := _UVICORN.match(text):
        add_address(attributes, "client", request[1], has_port=True)
        add_request(attributes, request[2])
        if request[3] in STATUSES:
            attributes["http.response.status_code"] = STATUSES[request[3]]
    return attributes


def _read_ruby(text: str) -> Found | None:
    found = _RUBY.match(text)
    if found is None:
        return None
    attributes: dict[str, Any] = {"process.pid": int(found[2])}
    if found[4]:
        attributes["log.logger"] = found[4]
    return attributes, read_level(found[3]), read_time(found[1]) or UNREADABLE
