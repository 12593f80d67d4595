"""Which members of a JSON line may be its message, level and time: worked out once for each shape of a line.

The shape of a line is its keys in order. Names are compared without case, `-` and `_` (but for a leading one: GELF's
`_level` is a field that someone added, and no level), in the order of the tables below.

A level's number depends on the logger, which its other members tell:

| Key | With | Scheme |
|---|---|---|
| severityNumber | | OpenTelemetry, 1 to 24 |
| Severity | SeverityText | OpenTelemetry (the stdout exporters) |
| level | short_message (GELF) | syslog, 0 to 7 |
| level | levelname, levelno, lineno, funcName, pathname, exc_info | Python: 20 is INFO |
| levelno, level_number | | Python |
| severity | | Google, 100 to 800 |
| level and the rest | | bunyan and pino: 20 is DEBUG |
| none | @t and @m, @mt (Serilog) | INFO, https://clef-json.org |
| none | ts, msg and v or err (Kubernetes) | INFO at v 0, else DEBUG; ERROR with err |

Other numbers are no levels. severityText is consumed with severityNumber when both say the same.

Cost: a look-up for a shape that is known, some 10 µs for one that is not. 1,024 shapes are remembered, and none of more
than 64 keys or 2,048 characters.

https://github.com/trentm/node-bunyan#core-fields · https://clef-json.org
https://www.elastic.co/docs/reference/ecs · https://docs.cloud.google.com/logging/docs/structured-logging
https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
https://logging.apache.org/log4j/2.x/manual/json-template-layout.html
https://logback.qos.ch/manual/encoders.html#JsonEncoder
https://kubernetes.io/docs/concepts/cluster-administration/system-logs/#json-log-format
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lambdas.transform.levels import (
    Severity,
    from_otel,
    from_syslog,
    read_bunyan,
    read_google,
    read_level,
    read_python,
)

LevelReader = Callable[[object], Severity | None]
"""Reads a level: a word, or a number of one scheme."""


class Plan(NamedTuple):
    """What to try on members with these keys: each tuple in order, until one will do."""

    messages: tuple[str, ...]
    levels: tuple[tuple[str, LevelReader], ...]
    times: tuple[str, ...]
    implied: Callable[[Mapping[str, Any]], Severity | None] | None
    """The severity of members that state none."""
    level_text: str | None
    """The key of the text of a level that another key gives as a number."""
    attributes: str | None
    """The key of OpenTelemetry's attributes."""
    paths: tuple[tuple[str, ...], ...]
    """Where something may be nested: looked for first, and then there is another plan."""
    usual: tuple[str, str, LevelReader, str] | None
    """The keys of message, level and time where there is one of each at least and nothing out of the ordinary."""
    is_special: bool
    """Whether there is anything in implied, level_text or attributes."""


def _rank(*names: str) -> dict[str, int]:
    return {name: rank for rank, name in enumerate(names)}


_MESSAGES = _rank(
    *("record.message", "formattedmessage", "message", "msg", "@message", "@m", "renderedmessage", "shortmessage"),
    *("textpayload", "event", "log", "text", "body", "@mt", "messagetemplate"),
)
_LEVELS = _rank(
    *("severitynumber", "levelname", "level", "severity", "log.level", "lvl", "loglevel", "@l", "record.level.name"),
    *("severitytext", "levelno", "levelnumber"),
)
_TIMES = _rank(
    *("timeunixnano", "timestamp", "@timestamp", "time", "ts", "@t", "datetime", "asctime", "instant", "timemillis"),
    *("eventtime", "date", "record.time.repr", "timeiso8601", "timelocal", "starttime", "observedtimeunixnano"),
)
_PATHS = {
    "log": (("log", "level"),),
    "record": (("record", "message"), ("record", "level", "name"), ("record", "time", "repr")),
    "nanoseconds": (("nanoseconds",),),
}
_COMPANIONS = {"record": "text", "nanoseconds": "timestamp"}
_PYTHON_KEYS = frozenset({"levelname", "levelno", "lineno", "funcname", "pathname", "excinfo"})
_SCHEMES: dict[str, LevelReader] = {
    "severitynumber": from_otel,
    "levelno": read_python,
    "levelnumber": read_python,
    "severity": read_google,
}
_MOST_PLANS = 1024
_MOST_KEYS = 64
_LONGEST_KEYS = 2048

_plans: dict[tuple[str, ...], Plan] = {}


def find_plan(keys: tuple[str, ...]) -> Plan:
    """Find the plan for members with these keys."""
    return _plans.get(keys) or _make_plan(keys)


def _make_plan(keys: tuple[str, ...]) -> Plan:
    names = {key: key[:1].lower() + key[1:].lower().replace("_", "").replace("-", "") for key in keys}
    present = frozenset(names.values())
    is_otel = not present.isdisjoint({"severitynumber", "timeunixnano", "severitytext"})
    levels = _order(names, _LEVELS)
    text = [key for key in levels if names[key] == "severitytext"]
    implied = None if levels else _choose_implied(present)
    level_text = text[0] if text and len(levels) > 1 else None
    attributes = next((key for key in keys if is_otel and names[key] == "attributes"), None)
    messages, times = _order(names, _MESSAGES), _order(names, _TIMES)
    paths = tuple(path for key in keys if _COMPANIONS.get(key, key) in keys for path in _PATHS.get(key, ()))
    readers = tuple((key, _choose_reader(names[key], present)) for key in levels)
    is_special = bool(implied or level_text or attributes)
    is_usual = messages and readers and times and not paths and not is_special
    plan = Plan(
        messages=messages,
        levels=readers,
        times=times,
        implied=implied,
        level_text=level_text,
        attributes=attributes,
        paths=paths,
        usual=(messages[0], *readers[0], times[0]) if is_usual else None,
        is_special=is_special,
    )
    if len(keys) <= _MOST_KEYS and sum(map(len, keys)) <= _LONGEST_KEYS:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[keys] = plan
    return plan


def _order(names: dict[str, str], ranks: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted((key for key, name in names.items() if name in ranks), key=lambda key: ranks[names[key]]))


def _choose_reader(name: str, present: frozenset[str]) -> LevelReader:
    scheme = _SCHEMES.get(name, read_bunyan)
    if name == "severity" and "severitytext" in present:
        scheme = from_otel
    elif name == "level" and "shortmessage" in present:
        scheme = from_syslog
    elif name == "level" and not present.isdisjoint(_PYTHON_KEYS):
        scheme = read_python
    return lambda value: read_level(value) or scheme(value)


def _choose_implied(present: frozenset[str]) -> Callable[[Mapping[str, Any]], Severity | None] | None:
    if "@t" in present and not present.isdisjoint({"@m", "@mt"}):
        return lambda _: read_level("info")
    if {"ts", "msg"} <= present and not present.isdisjoint({"v", "err"}):
        return _read_verbosity
    return None


def _read_verbosity(members: Mapping[str, Any]) -> Severity | None:
    if "v" not in members:
        return read_level("error")
    verbosity = members["v"]
    return read_level("debug" if verbosity else "info") if type(verbosity) is int else None
