"""Times as RFC 3339 text in UTC with nine digits: `2026-11-21T02:36:00.123456789Z`.

That one form sorts as it reads, so times are compared as text and no precision is ever lost to a float. Turning a
second into text or reading one from it is the costly part and is remembered, since the records of a batch share
few seconds; a time that has the one form already is returned as it is.

A time without a zone is taken for UTC, which is what containers run in unless told otherwise.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from lambdas.transform.limits import EARLIEST_TIME, MAX_CLOCK_LEAD_SECONDS

_SECOND_LENGTH = len("2026-11-21T02:36:00")
_NANO_DIGITS = 9
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)? ?(?:Z|z|UTC|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_EPOCH = re.compile(r"\d{10,19}|\d{10}\.\d{1,9}", re.ASCII)
_EPOCH_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (10**20, 1))
"""(upper bound, nanoseconds per unit): seconds, ms, µs and ns of any time between 1973 and 5138 never meet."""


def read_time(value: object) -> str | None:
    """Read a time from RFC 3339 text (a space or comma in it will do) or an epoch number; None when it is none."""
    if isinstance(value, str):
        return _read_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _read_epoch(Decimal(value))
    if isinstance(value, float):
        return _read_epoch(Decimal(repr(value)))
    return None


def format_time(epoch_nanoseconds: int) -> str:
    """Write nanoseconds since 1970 as a time."""
    second, nanos = divmod(epoch_nanoseconds, 10**9)
    return f"{_epoch_second(second)}.{nanos:09d}Z"


def doubt(time: str, *, observed: str) -> str | None:
    """Say why a time cannot be right for a record that was read at `observed`, or None."""
    if time < EARLIEST_TIME:
        return "before_2000"
    if time > _latest(observed[:_SECOND_LENGTH]) + observed[_SECOND_LENGTH:]:
        return "after_observed"
    return None


def has_fraction(time: str) -> bool:
    """Say whether a time is more precise than its second."""
    return time[_SECOND_LENGTH:] != ".000000000Z"


def _read_text(text: str) -> str | None:
    second, digits = text[:_SECOND_LENGTH], text[_SECOND_LENGTH + 1 : -1]
    if text[_SECOND_LENGTH : _SECOND_LENGTH + 1] == "." and text[-1] == "Z" and _is_number(digits):
        if len(digits) == _NANO_DIGITS and _utc_second(second, 0) == second:
            return text
        offset = 0
    elif found := _TIME.fullmatch(text):
        second, digits = found[1], found[2] or ""
        offset = int(found[3] + "1") * (int(found[4]) * 60 + int(found[5])) if found[3] else 0
    elif _EPOCH.fullmatch(text):
        return _read_epoch(Decimal(text))
    else:
        return None
    utc = _utc_second(second, offset)
    return f"{utc}.{digits[:_NANO_DIGITS]:0<9}Z" if utc else None


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdecimal()


def _read_epoch(value: Decimal) -> str | None:
    if value < 0:
        return None
    for bound, unit in _EPOCH_UNITS:
        if value < bound:
            return format_time(int(value * unit))
    return None


@lru_cache(maxsize=4096)
def _utc_second(text: str, offset_minutes: int) -> str | None:
    try:
        second = datetime.fromisoformat(text) - timedelta(minutes=offset_minutes)
    except (ValueError, OverflowError):
        return None
    utc = second.isoformat()
    return utc if len(utc) == _SECOND_LENGTH else None


@lru_cache(maxsize=4096)
def _epoch_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()


@lru_cache(maxsize=4096)
def _latest(second: str) -> str:
    try:
        return (datetime.fromisoformat(second) + timedelta(seconds=MAX_CLOCK_LEAD_SECONDS)).isoformat()
    except OverflowError:
        return "9999-12-31T23:59:59"
