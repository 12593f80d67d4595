"""Times as RFC 3339 text in UTC with nine digits: `2026-11-21T02:36:00.123456789Z`.

That one form sorts as it reads, so times are compared as text and no precision is ever lost to a float. Turning a
second into text or reading one from it is the costly part and is remembered, since the records of a batch share
few seconds; a time that has the one form already is returned as it is.

| Spelling | Source |
|---|---|
| `2026-11-21T02:36:00.123Z`, a space for the T, a comma for the point, any number of digits | RFC 3339, ISO 8601 |
| `2026/11/21 02:36:00.123456` | https://pkg.go.dev/log#pkg-constants |
| `21/Nov/2026:02:36:00 +0000` | https://httpd.apache.org/docs/2.4/logs.html#common |
| `21 Nov 2026 02:36:00.123`, `21-Nov-2026 02:36:00`, `Sat, 21 Nov 2026 02:36:00 GMT` | Redis, Tomcat, RFC 9110 |
| `Sat Nov 21 02:36:00.123456 2026` | asctime, https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat |
| `Nov 21 02:36:00`, `Nov  1 02:36:00` | https://datatracker.ietf.org/doc/html/rfc3164#section-4.1.2 |
| `1121 02:36:00.123456`, `11-21 02:36:00.123` | klog and glog, Android |
| `02:36:00.123` | the default patterns of Logback and Log4j |
| 1795228560 and with decimals, ms, µs or ns; as a number or its digits | |

Zones: a time without one is taken for UTC, which is what containers run in unless told otherwise. `Z`, `UTC`, `GMT`
and offsets are read. Any other name is none that can be trusted (IST is three zones, CST five), so a time with one is
no time at all. Neither is a date or clock that does not exist, February 30th or a 61st second.

A time without a year is the last one that was no more than MAX_CLOCK_LEAD_SECONDS ahead when it was read, which is the
nearest one that `doubt` believes: on January 1st `Dec 31` is last year's, and `Feb 29` is the last that there was. A
time without a date is on the day that brings it nearest. Both are decided by the hour in which it was read, so that
the answer can be remembered: an hour more of clock lead is borne here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from lambdas.transform.limits import EARLIEST_TIME, MAX_CLOCK_LEAD_SECONDS

_SECOND_LENGTH = len("2026-11-21T02:36:00")
HOUR_LENGTH = len("2026-11-21T02")
"""As much of the time of reading as decides about a year or a date, see utc_second."""
_NANO_DIGITS = 9
_PADDING = tuple("0" * (_NANO_DIGITS - digits) + "Z" for digits in range(_NANO_DIGITS + 1))
_REMEMBERED = 4096

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)? ?(Z|z|UTC|GMT|[+-]\d\d:?\d\d)?", re.ASCII
)
_OTHER_TIME = re.compile(
    r"([A-Za-z0-9,/ :-]{0,20}?\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?( \d{4})? ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?", re.ASCII
)
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_SPELLINGS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"(?P<year>\d{{4}})([-/])(?P<month>\d\d)\2(?P<day>\d\d)[Tt ]{_CLOCK}",
        rf"(?:[A-Z][a-z]{{2}}, )?(?P<day>\d\d)([ /-])(?P<month>[A-Z][a-z]{{2}})\2(?P<year>\d{{4}})[: ]{_CLOCK}",
        rf"(?:[A-Z][a-z]{{2}} )?(?P<month>[A-Z][a-z]{{2}}) {{1,2}}(?P<day>\d{{1,2}}) {_CLOCK}(?: (?P<year>\d{{4}}))?",
        rf"(?P<month>\d\d)-?(?P<day>\d\d) {_CLOCK}",
        _CLOCK,
    )
)
_ZONE = re.compile(r"([+-])([01]\d|2[0-3]):?([0-5]\d)", re.ASCII)
_UTC_NAMES = frozenset(("", "Z", "z", "UTC", "GMT"))
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_LEAP_YEARS_APART = 8
"""At most: 1896 and 1904."""

_SHORT_REST = len(".123Z")
_FRACTION = re.compile(r"(?:[.,](\d{1,4}))?[Zz]?", re.ASCII)
_EPOCH = re.compile(r"\d{10,19}|\d{10}\.\d{1,9}", re.ASCII)
_EPOCH_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (10**20, 1))
"""(upper bound, nanoseconds per unit): seconds, ms, µs and ns of any time between 1973 and 5138 never meet."""


def read_time(value: object, *, observed: str = "") -> str | None:
    """Read a time from text in any spelling or from an epoch number; None when it is none.

    `observed` is the time at which it was read: a time without a year or a date is none without it.
    """
    if isinstance(value, str):
        rest = value[_SECOND_LENGTH:]
        if len(rest) <= _SHORT_REST and (utc := utc_second(value[:_SECOND_LENGTH])) and (end := _short_fraction(rest)):
            return utc + end
        return _read_text(value, observed)
    if isinstance(value, int) and not isinstance(value, bool):
        return _read_epoch(value)
    if isinstance(value, float):
        return _read_epoch(Decimal(repr(value)))
    return None


def format_time(epoch_nanoseconds: int) -> str:
    """Write nanoseconds since 1970 as a time."""
    second, nanos = divmod(epoch_nanoseconds, 10**9)
    return f"{_epoch_second(second)}.{nanos:09d}Z"


def doubt(time: str | None, *, observed: str) -> str | None:
    """Say why a time cannot be right for a record that was read at `observed`, or None. Most are a little older.

    What could not be read as a time at all, None or empty, is `unparsable`.
    """
    if not time:
        return "unparsable"
    if time <= observed:
        return None if time >= EARLIEST_TIME else "before_2000"
    if time < EARLIEST_TIME:
        return "before_2000"
    if time > latest_believable(observed):
        return "after_observed"
    return None


def latest_believable(observed: str) -> str:
    """Say up to which time `doubt` believes a record that was read at `observed`."""
    return _latest(observed[:_SECOND_LENGTH]) + observed[_SECOND_LENGTH:]


def is_normal(text: str) -> bool:
    """Say whether a text is a time in the one form."""
    second, digits = text[:_SECOND_LENGTH], text[_SECOND_LENGTH + 1 : -1]
    return (
        len(digits) == _NANO_DIGITS
        and text[_SECOND_LENGTH] == "."
        and text[-1] == "Z"
        and _is_number(digits)
        and utc_second(second) == second
    )


def add_fraction(second: str, digits: str) -> str:
    """Write a second (as utc_second returns it) and up to nine digits below it as a time."""
    return f"{second}.{digits}{_PADDING[len(digits)]}"


@lru_cache(maxsize=_REMEMBERED)
def utc_second(text: str, zone: str = "", hour: str = "") -> str | None:
    """Read a time to the second, `2026-11-21T02:36:00`, in any spelling; the digits below it are the caller's to split.

    `zone` is as the text has it. `hour` is the beginning of the time it was read at, `2026-11-21T02`, without which a
    time that lacks a year or a date is none. The caller bounds the length of what he passes, since it is remembered.
    """
    offset = _offset(zone)
    found = next((found for spelling in _SPELLINGS if (found := spelling.fullmatch(text))), None)
    if found is None or offset is None:
        return None
    parts = found.groupdict()
    clock = timedelta(hours=int(parts["hour"]), minutes=int(parts["minute"]), seconds=int(parts["second"]))
    if parts["hour"] > "23" or parts["minute"] > "59" or parts["second"] > "59":
        return None
    try:
        if parts.get("year"):
            second = _midnight(int(parts["year"]), parts) + clock - offset
        elif "month" in parts:
            latest = datetime.fromisoformat(hour) + timedelta(hours=1, seconds=MAX_CLOCK_LEAD_SECONDS)
            second = _last_before(latest, parts, clock - offset)
        else:
            second = _nearest(datetime.fromisoformat(hour) + timedelta(minutes=30), clock - offset)
    except (ValueError, OverflowError):
        return None
    return _isoformat(second)


def _offset(zone: str) -> timedelta | None:
    if zone in _UTC_NAMES:
        return timedelta()
    found = _ZONE.fullmatch(zone)
    if found is None:
        return None
    return timedelta(minutes=int(found[1] + "1") * (int(found[2]) * 60 + int(found[3])))


def _midnight(year: int, parts: dict[str, str]) -> datetime:
    month = parts["month"]
    number = int(month) if month.isdigit() else _MONTHS.get(month, 0)
    return datetime(year, number, int(parts["day"]))


def _last_before(latest: datetime, parts: dict[str, str], clock: timedelta) -> datetime:
    """Find the last year in which this was before `latest`. ValueError when it was in none."""
    for year in range(latest.year, latest.year - _LEAP_YEARS_APART - 1, -1):
        try:
            second = _midnight(year, parts) + clock
        except ValueError:
            continue
        if second < latest:
            return second
    raise ValueError("no such day")


def _nearest(moment: datetime, clock: timedelta) -> datetime:
    """Find the day on which a clock showed this nearest to `moment`."""
    second = datetime(moment.year, moment.month, moment.day) + clock
    days = round((moment - second) / timedelta(days=1))
    return second + timedelta(days=days)


def _read_text(text: str, observed: str) -> str | None:
    second, digits, zone = text[:_SECOND_LENGTH], text[_SECOND_LENGTH + 1 : -1], ""
    if text[_SECOND_LENGTH : _SECOND_LENGTH + 1] == "." and text[-1] == "Z" and _is_number(digits):
        if len(digits) == _NANO_DIGITS and utc_second(second) == second:
            return text
        digits = digits[:_NANO_DIGITS]
    elif found := _TIME.fullmatch(text):
        second, digits, zone = found[1], found[2] or "", found[3] or ""
    elif _EPOCH.fullmatch(text):
        return _read_epoch(Decimal(text))
    elif found := _OTHER_TIME.fullmatch(text):
        second, digits, zone = found[1] + (found[3] or ""), found[2] or "", found[4] or ""
    else:
        return None
    utc = utc_second(second, zone, observed[:HOUR_LENGTH])
    return add_fraction(utc, digits) if utc else None


@lru_cache(maxsize=_REMEMBERED)
def _short_fraction(rest: str) -> str | None:
    """Read what may follow a second in UTC, if it is so short that it comes again: ``, `Z`, `.123Z`, `,123`."""
    found = _FRACTION.fullmatch(rest)
    return add_fraction("", found[1] or "") if found else None


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdecimal()


def _read_epoch(value: Decimal | int) -> str | None:
    if value < 0:
        return None
    for bound, unit in _EPOCH_UNITS:
        if value < bound:
            return format_time(int(value * unit))
    return None


def _isoformat(second: datetime) -> str | None:
    utc = second.isoformat()
    return utc if len(utc) == _SECOND_LENGTH else None


@lru_cache(maxsize=_REMEMBERED)
def _epoch_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()


@lru_cache(maxsize=_REMEMBERED)
def _latest(second: str) -> str:
    try:
        return (datetime.fromisoformat(second) + timedelta(seconds=MAX_CLOCK_LEAD_SECONDS)).isoformat()
    except OverflowError:
        return "9999-12-31T23:59:59"
