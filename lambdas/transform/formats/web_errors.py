"""Error logs of Apache and nginx.

    [Sat Nov 21 02:36:00.123456 2026] [core:error] [pid 31:tid 140] [client 203.0.113.9:50010] AH00124: Request …
    2026/11/21 02:36:00 [error] 31#31: *7 open() "/x" failed (2: No such file), client: 203.0.113.9, server: shop, …

https://httpd.apache.org/docs/2.4/logs.html#errorlog · https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat
https://nginx.org/en/docs/ngx_core_module.html#error_log · its lines: src/core/ngx_log.c, src/http/ngx_http_request.c

nginx writes what the request was about after the message, in a fixed order, so it is looked for from the end.
"""

from __future__ import annotations

import re
from typing import Any

from lambdas.transform.formats.found import DATES, UNREADABLE, Found, add_address, add_text
from lambdas.transform.formats.http_request import add_header, add_request
from lambdas.transform.levels import read_level
from lambdas.transform.times import add_fraction, utc_second

APACHE_LEADS = "["
NGINX_LEADS = DATES[2:]

_APACHE = re.compile(
    r"\[([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)(?:\.(\d{1,9}))? (\d{4})\] "
    r"\[(?:([\w-]{0,64}):)?([a-z]{4,6})\d?\] "
    r"(?:\[pid (\d{1,18})(?::tid (\d{1,18}))?\] )?"
    r"(?:([\w.-]{1,64}\.c)\((\d{1,9})\): )?"
    r"(?:\[client ([^\] ]{1,64})\] )?(?:\(\d{1,6}\)[^:]{1,64}: )?(?:(AH\d{5}): )?",
    re.ASCII,
)
_NGINX = re.compile(
    r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[([a-z]{4,6})\] (\d{1,18})#(\d{1,18}): (?:\*(\d{1,18}) )?", re.ASCII
)
_NGINX_TAIL = ("referrer", "host", "upstream", "request", "server", "client")


def read_apache_error(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read a line of Apache's error log, of 2.4 or older."""
    found = _APACHE.match(text)
    if found is None:
        return None
    second, digits, year, module, level, pid, tid, file, line, client, code = found.groups()
    severity = read_level(level)
    if severity is None:
        return None
    attributes: dict[str, Any] = {}
    if module:
        attributes["apache.module"] = module
    if pid:
        attributes["process.pid"] = int(pid)
    if tid:
        attributes["thread.id"] = int(tid)
    if file:
        attributes["code.file.path"] = file
        attributes["code.line.number"] = int(line)
    if client:
        # 2.4, which tells the process, always tells the port.
        add_address(attributes, "client", client, has_port=bool(pid))
    if code:
        attributes["apache.error_code"] = code
    utc = utc_second(f"{second} {year}")
    return attributes, severity, add_fraction(utc, digits or "") if utc else UNREADABLE


def read_nginx_error(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read a line of nginx's error log."""
    found = _NGINX.match(text)
    if found is None:
        return None
    second, level, pid, tid, connection = found.groups()
    severity = read_level(level)
    if severity is None:
        return None
    attributes: dict[str, Any] = {"process.pid": int(pid), "thread.id": int(tid)}
    if connection:
        attributes["nginx.connection"] = int(connection)
        _add_tail(attributes, text)
    utc = utc_second(second)
    return attributes, severity, add_fraction(utc, "") if utc else UNREADABLE


def _add_tail(attributes: dict[str, Any], text: str) -> None:
    values = {}
    end = len(text)
    for name in _NGINX_TAIL:
        start = text.rfind(f", {name}: ", 0, end)
        if start >= 0:
            values[name] = text[start + len(name) + 4 : end].strip('"')
            end = start
    add_address(attributes, "client", values.get("client", ""))
    add_address(attributes, "server", values.get("host", ""))
    add_text(attributes, "nginx.server", values.get("server", ""))
    add_text(attributes, "nginx.upstream", values.get("upstream", ""))
    add_request(attributes, values.get("request", ""))
    add_header(attributes, "referer", values.get("referrer", ""))
