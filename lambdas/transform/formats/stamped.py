"""Lines of loggers that begin with a time: Logback, Log4j, Spring Boot, Python, zap, oslo.log, loguru, Serilog, Go, …

    2026-11-21 02:36:00.123 [main] INFO  com.acme.Pay - paid
    2026-11-21T02:36:00.123Z  INFO 31 --- [shop] [main] c.acme.Pay : paid
    2026-11-21 02:36:00,123 - shop.pay - INFO - paid
    2026-11-21 02:36:00.123 +00:00 [INF] paid
    2026/11/21 02:36:00.123456 pay.go:12: paid
    21-Nov-2026 02:36:00.123 INFO [main] org.apache.catalina.startup.Catalina.start Server startup
    26/11/21 02:36:00 INFO executor.Executor: Finished task        (Spark's log4j.properties)
    261121 023600 148 INFO dfs.DataNode: Receiving block           (HDFS's old one)
    20261121-02:36:00:123|Step|31|paid
    02:36:00.123 [main] INFO  com.acme.Pay -- paid                 (the defaults of Logback and Log4j: no date)

https://pkg.go.dev/log#pkg-constants · https://github.com/serilog/serilog-sinks-file#readme
https://tomcat.apache.org/tomcat-10.1-doc/logging.html · what follows the time: header

A line with a time and no level states its time alone. A zone in letters other than UTC, GMT and Z makes the time none
that can be read. The second is looked up by its text, so that a line costs half a microsecond before its header.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lambdas.transform.formats.found import DATES, DIGITS, UNREADABLE, Found
from lambdas.transform.formats.header import read_header
from lambdas.transform.times import HOUR_LENGTH, add_fraction, utc_second

LEADS = (*DIGITS, *DATES)

_SECOND = len("2026-11-21 02:36:00")
_TOMCAT = len("21-Nov-2026 02:36:00")
_LEVELS_BEGIN = frozenset(("IN", "WA", "DE", "ER", "TR", "FA", " I", " W", "| ", "- "))
"""What follows a time and a space and is the beginning of no zone."""
AFTER_SECOND = re.compile(
    r"(?:[.,](\d{1,9})\d{0,9})?(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d)| ([A-Z]{1,3}[DS]?T)(?= ))?(?![\d.]|:\d)", re.ASCII
)
"""Digits below the second; a zone that we read; another, of which there are too many to list: CET, PST, AEST."""
_GO_PLACE = re.compile(r" ([\w./-]{1,200}\.go):(\d{1,9}): ", re.ASCII)
_SHORT_YEAR = re.compile(r"(\d\d)/(\d\d)/(\d\d) (\d\d:\d\d:\d\d)(?![\d:.])", re.ASCII)
_COMPACT = re.compile(r"(?:20)?(\d\d)(\d\d)(\d\d)[ T-](\d\d):?(\d\d):?(\d\d)(?:[,.:](\d{1,9}))?(?=[ |\t])", re.ASCII)
_CLOCK = re.compile(r"(\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))? ", re.ASCII)


def read_stamped(text: str, observed: str) -> Found | None:
    """Read a line that begins with a time and goes on as a logger's line does."""
    if text[4:5] in ("-", "/"):
        utc = utc_second(text[:_SECOND])
        if utc is None:
            return None
        if plain := _plain_fraction(text[_SECOND : _SECOND + 7]):
            return read_rest(text, plain[1], utc + plain[0])
        return _read_after(text, _SECOND)
    if text[2:3] == "-" and text[6:7] == "-":
        return _read_after(text, _TOMCAT)
    return _read_short(text, observed)


@lru_cache(maxsize=8192)
def _plain_fraction(after: str) -> tuple[str, int] | None:
    """Read the seven characters after a second, `.123 [h`, `,123 IN` or `.123Z I`: three digits, no zone but UTC's.

    Returns the end of the time, and where it ends in the line.
    """
    digits = after[1:4]
    if after[:1] not in (".", ",") or not (digits.isascii() and digits.isdecimal()):
        return None
    if after[4:6] in ("Z ", "Z\t"):
        return f".{digits}000000Z", _SECOND + 5
    if after[4:5] != " " or not (after[5:6] == "[" or after[5:] in _LEVELS_BEGIN):
        return None
    return f".{digits}000000Z", _SECOND + 4


def read_rest(text: str, start: int, time: str) -> Found:
    """Read what follows the time."""
    header = read_header(text, start)
    if header:
        return header[0], header[1], time
    place = _GO_PLACE.match(text, start)
    return {"code.file.path": place[1], "code.line.number": int(place[2])} if place else {}, None, time


def _read_after(text: str, end: int) -> Found | None:
    after = AFTER_SECOND.match(text, end)
    if after is None:
        return None
    digits, zone, unknown_zone = after.groups()
    utc = utc_second(text[:end], zone or "")
    if utc is None:
        return None
    return read_rest(text, after.end(), UNREADABLE if unknown_zone else add_fraction(utc, digits or ""))


def _read_short(text: str, observed: str) -> Found | None:
    """Read a time with two digits of a year, or none, or no date."""
    if found := _SHORT_YEAR.match(text):
        year, month, day, clock = found.groups()
        utc, digits = utc_second(f"20{year}-{month}-{day} {clock}"), ""
    elif found := _COMPACT.match(text):
        year, month, day, hour, minute, second, digits = found.groups()
        utc = utc_second(f"20{year}-{month}-{day} {hour}:{minute}:{second}")
    elif found := _CLOCK.match(text):
        utc, digits = utc_second(found[1], "", observed[:HOUR_LENGTH]), found[2]
        # A clock alone is no evidence, so it counts with a level only.
        found_header = read_header(text, found.end() - 1)
        return (*found_header, add_fraction(utc, digits or "")) if utc and found_header else None
    else:
        return None
    return read_rest(text, found.end(), add_fraction(utc, digits or "")) if utc else None
