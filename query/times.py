"""Moments as a person writes them, and the range in nanoseconds that two of them make.

| Written | Means |
|---|---|
| `15m`, `2h`, `3 days` | so long ago |
| `2026-11-21T10:00`, `2026-11-21 10:00:30`, with `Z` or `+01:00` | that moment; without a zone in the reader's |
| `2026-11-21`, `today`, `yesterday` | where the day begins; as an end, where it is over |
| `10:30` | today at half past ten |
| `now` | now |
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from query.terms import QueryError, When

SECOND_NS: Final = 1_000_000_000
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNIT_WORDS: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
}
_MOST_SECONDS: Final = 20 * 366 * 86_400
_DURATION: Final = re.compile(r"([0-9]{1,9})([a-z]+)", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CLOCK: Final = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", re.ASCII)
_MOMENT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_YEARS: Final = ("1971", "2200")
NAMED_DAYS: Final = ("today", "yesterday")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start_ns` on and before `end_ns`, in nanoseconds since 1970."""

    start_ns: int
    end_ns: int

    @property
    def start(self) -> str:
        """The start as documents write their times."""
        return timestamp(self.start_ns)

    @property
    def end(self) -> str:
        """The end as documents write their times."""
        return timestamp(self.end_ns)


def timestamp(time_ns: int) -> str:
    """A time as documents have it: RFC 3339 in UTC with nine digits, so that texts sort as times do."""
    moment = _EPOCH + timedelta(seconds=time_ns // SECOND_NS)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % SECOND_NS:09d}Z"


def duration(text: str) -> str | None:
    """A duration in its shortest form (`15m`), or None when it is none or longer than twenty years."""
    found = _DURATION.fullmatch(text.lower())
    unit = _UNIT_WORDS.get(found[2]) if found else None
    if found is None or unit is None or not 0 < int(found[1]) * _UNITS[unit] <= _MOST_SECONDS:
        return None
    return f"{int(found[1])}{unit}"


def moment(text: str) -> str | None:
    """A moment in the form that a query keeps, or None when it is none."""
    lower = text.lower()
    if lower in (*NAMED_DAYS, "now"):
        return lower
    if found := duration(lower):
        return found
    upper = text.upper()
    if not _CLOCK.fullmatch(upper) and not _YEARS[0] <= upper[:4] <= _YEARS[1]:
        return None
    try:
        if _DAY.fullmatch(upper):
            datetime.fromisoformat(upper)
        elif _CLOCK.fullmatch(upper):
            datetime.fromisoformat(f"2026-01-01T{upper}")
        elif written := _MOMENT.fullmatch(upper):
            _exact(written, UTC)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return upper


def resolve(when: When, *, now_ns: int, zone: tzinfo | None) -> TimeRange:
    """The range that a query means when it is asked now, by someone whose clock is in `zone` (None: this machine's).

    Raises:
        QueryError: it ends before it begins.
    """
    start = _start(when.start, now_ns, zone) if when.start else 0
    end = _end(when.end, now_ns, zone) if when.end else now_ns
    if when.end is None:
        # What is stamped a little ahead of this machine's clock is of now all the same.
        end += 60 * SECOND_NS
    if start >= end:
        raise QueryError(
            f"the time range ends ({timestamp(end)[:19]}Z) before it begins ({timestamp(start)[:19]}Z)",
            "the earlier moment comes first: from 10:00 to 11:00",
        )
    return TimeRange(start, end)


def zoned(time_ns: int, zone: tzinfo | None) -> datetime:
    """A time for a reader in `zone`, without its nanoseconds."""
    return (_EPOCH + timedelta(microseconds=time_ns // 1000)).astimezone(zone)


def parse_timestamp(text: object) -> int | None:
    """A document's time in nanoseconds since 1970, or None when it is none."""
    found = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        return _exact(found, UTC)
    except (ValueError, OverflowError):
        return None


def _start(text: str, now_ns: int, zone: tzinfo | None) -> int:
    if text == "now":
        return now_ns
    if found := _DURATION.fullmatch(text):
        return now_ns - int(found[1]) * _UNITS[found[2]] * SECOND_NS
    if text in NAMED_DAYS or _DAY.fullmatch(text):
        return _midnight(_day(text, now_ns, zone), zone)
    if _CLOCK.fullmatch(text):
        return _start(f"{zoned(now_ns, zone):%Y-%m-%d}T{text}", now_ns, zone)
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"not a moment: {text!r}")
    return _exact(found, zone)


def _end(text: str, now_ns: int, zone: tzinfo | None) -> int:
    if text in NAMED_DAYS or _DAY.fullmatch(text):
        return _midnight(_day(text, now_ns, zone) + timedelta(days=1), zone)
    return _start(text, now_ns, zone)


def _day(text: str, now_ns: int, zone: tzinfo | None) -> datetime:
    if text in NAMED_DAYS:
        today = zoned(now_ns, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        return today - timedelta(days=NAMED_DAYS.index(text))
    return datetime.fromisoformat(text)


def _midnight(day: datetime, zone: tzinfo | None) -> int:
    return _nanoseconds(day, zone)


def _exact(found: re.Match[str], zone: tzinfo | None) -> int:
    whole, _, fraction = found[2].partition(".")
    offset = found[3]
    if offset == "Z":
        zone = UTC
    elif offset:
        zone = datetime.fromisoformat(f"2026-01-01T00:00{offset}").tzinfo
    return _nanoseconds(datetime.fromisoformat(f"{found[1]}T{whole}"), zone) + int(fraction.ljust(9, "0"))


def _nanoseconds(naive: datetime, zone: tzinfo | None) -> int:
    """Of a wall clock's reading; `zone` None is this machine's, as `datetime` takes it."""
    there = naive.astimezone() if zone is None else naive.replace(tzinfo=zone)
    return (there - _EPOCH) // timedelta(seconds=1) * SECOND_NS
