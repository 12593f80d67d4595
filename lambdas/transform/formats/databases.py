"""Logs of PostgreSQL, MySQL, MariaDB and Redis (Valkey).

    2026-11-21 02:36:00.123 UTC [31] LOG:  database system is ready to accept connections
    2026-11-21 02:36:00 UTC:203.0.113.9(50010):shop@orders:[31]:ERROR:  relation "x" does not exist     (Amazon RDS)
    2026-11-21T02:36:00.123456Z 0 [Warning] [MY-010055] [Server] IP address could not be resolved
    2026-11-21  2:36:00 31 [Note] mariadbd: ready for connections
    1:M 21 Nov 2026 02:36:00.123 * Ready to accept connections

https://www.postgresql.org/docs/current/runtime-config-logging.html#GUC-LOG-LINE-PREFIX (the default, `%m [%p] `)
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.overview.parameter-groups.html
https://dev.mysql.com/doc/refman/8.4/en/error-log-format.html · https://mariadb.com/docs/server/server-management/server-monitoring-logs/error-log
https://github.com/redis/redis/blob/unstable/src/server.c (serverLogRaw)

PostgreSQL's LOG, MySQL's System and Note are information; what PostgreSQL says in addition to a message (DETAIL, HINT,
STATEMENT, CONTEXT, QUERY) has no severity of its own.
"""

from __future__ import annotations

import re
from typing import Any

from lambdas.transform.formats.found import DATES, DIGITS, UNREADABLE, Found, add_address
from lambdas.transform.levels import Severity, read_level
from lambdas.transform.times import add_fraction, read_time, utc_second

POSTGRESQL_LEADS = DATES[1:2]
MYSQL_LEADS = DATES[:2]
REDIS_LEADS = DIGITS

_POSTGRESQL = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{3}))? ([A-Z]{1,5}|[+-]\d{2,4})"
    r"(?::([^ :(]{0,64})(?:\((\d{1,5})\))?:([^ @:]{0,64})@([^ :]{0,64}):\[(\d{1,9})\]:| \[(\d{1,9})(?:-\d{1,9})?\] "
    r"(?:([\w.-]{1,64})@([\w.-]{1,64}) )?)"
    r"([A-Z]{3,10})\d?:  ",
    re.ASCII,
)
_MYSQL = re.compile(
    r"(\d{4}-\d\d-\d\d)(T| {1,2})(\d{1,2}:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)? (\d{1,18}) \[(\w{4,10})\]"
    r"(?: \[(MY-\d{6})\] \[(\w{1,32})\])? ",
    re.ASCII,
)
_REDIS = re.compile(r"(\d{1,9}):([XCSM]) (\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d)\.(\d{3}) ([.*#-]) ", re.ASCII)
_REDIS_ROLES = {"X": "sentinel", "C": "child", "S": "replica", "M": "primary"}
_REDIS_LEVELS = {".": read_level("debug"), "-": read_level("debug"), "*": read_level("notice"), "#": read_level("warn")}
_MARIADB = frozenset(("Note", "Warning", "ERROR"))
_INFORMATION = frozenset(("LOG", "System", "Note"))
_ADDITIONS = frozenset(("DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION", "BACKTRACE"))


def _read_level(word: str) -> Severity | None:
    return read_level("info" if word in _INFORMATION else word)


def read_postgresql(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read a line of PostgreSQL."""
    found = _POSTGRESQL.match(text) if text[24:25] not in "[IWD" and text.find(":  ", 30, 256) >= 0 else None
    if found is None:
        return None
    second, digits, zone, host, port, user, database, rds_process, process, other_user, other_database, word = (
        found.groups()
    )
    severity = _read_level(word)
    if severity is None and word not in _ADDITIONS:
        return None
    attributes: dict[str, Any] = {"process.pid": int(rds_process or process)}
    if host:
        add_address(attributes, "client", f"{host}:{port}" if port else host)
    if user or other_user:
        attributes["user.name"] = user or other_user
    if database or other_database:
        attributes["db.namespace"] = database or other_database
    utc = utc_second(second, f"{zone}00" if len(zone) == 3 and zone[1:].isdigit() else zone)  # noqa: PLR2004
    return attributes, severity, add_fraction(utc, digits or "") if utc else UNREADABLE


def read_mysql(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read a line of MySQL or MariaDB."""
    found = _MYSQL.match(text) if text[26:27] in ("Z", "+", "-") or " " in text[11:20:8] else None
    if found is None:
        return None
    day, between, clock, digits, zone, thread, word, code, subsystem = found.groups()
    severity = _read_level(word)
    if severity is None or not (code or (between != "T" and word in _MARIADB)):
        return None
    attributes: dict[str, Any] = {"thread.id": int(thread)}
    if code:
        attributes["error.code"] = code
        attributes["mysql.subsystem"] = subsystem
    time = read_time(f"{day}T{clock:0>8}{'.' + digits if digits else ''}{zone or ''}")
    return attributes, severity, time or UNREADABLE


def read_redis(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read a line of Redis or Valkey."""
    found = _REDIS.match(text)
    if found is None:
        return None
    process, role, second, digits, sign = found.groups()
    utc = utc_second(second)
    attributes = {"process.pid": int(process), "redis.role": _REDIS_ROLES[role]}
    return attributes, _REDIS_LEVELS[sign], add_fraction(utc, digits) if utc else UNREADABLE
