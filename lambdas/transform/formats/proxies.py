"""Access logs of Envoy, of Istio's sidecars, and of HAProxy.

    [2026-11-21T02:36:00.310Z] "POST /pay HTTP/2" 204 - 154 0 226 100 "203.0.113.9" "curl/8" "cc21d9b0-…" "shop" "10.…"
    [2026-11-21T02:36:00.310Z] "GET / HTTP/1.1" 418 - via_upstream - "-" 0 135 4 4 "-" "curl/8" "84961386-…" "shop:80" …
    203.0.113.9:33317 [21/Nov/2026:02:36:00.655] web shop/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / …"

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#default-format-string
https://istio.io/latest/docs/tasks/observability/logs/access-log/#default-access-log-format
https://docs.haproxy.org/dev/configuration.html#8.2.3

Durations are in milliseconds.
"""

from __future__ import annotations

from typing import Any

from lambdas.transform.formats.found import DIGITS, UNREADABLE, Found, add_address, add_text, read_integer
from lambdas.transform.formats.http_request import STATUSES, add_header, add_request, split_quoted
from lambdas.transform.times import read_time

ENVOY_LEADS = "["
HAPROXY_LEADS = DIGITS + ":abcdef"

_LONGEST_TIME = 40
_NUMBERS = ("http.request.body.size", "http.response.body.size", "envoy.duration_ms", "envoy.upstream_service_ms")
_QUOTED = ("http.request.header.x-forwarded-for", "user_agent.original", "http.request.id", "server", "upstream")
_TIMERS = ("request", "queue", "connect", "response", "total")
_HAPROXY_WORDS = 10


def read_envoy(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read a line of Envoy's or Istio's default format."""
    end = text.find('] "', 0, _LONGEST_TIME)
    if end < 0:
        return None
    pieces = split_quoted(text)
    words = pieces[2].split() if len(pieces) > 2 else []  # noqa: PLR2004 - the request is quoted
    if len(words) < 2 or not (words[0] in STATUSES or words[0] == "0"):  # noqa: PLR2004 - status and flags
        return None
    attributes: dict[str, Any] = {}
    add_request(attributes, pieces[1])
    if words[0] in STATUSES:
        attributes["http.response.status_code"] = STATUSES[words[0]]
    add_text(attributes, "envoy.response_flags", words[1])
    start = 3
    if len(words) > 3 and not words[2].isdecimal():  # noqa: PLR2004 - Istio's two words more, and a quoted reason
        add_text(attributes, "envoy.response_code_details", words[2])
        words = ["", "", *pieces[4].split()] if len(pieces) > 4 else []  # noqa: PLR2004
        start = 5
    for name, word in zip(_NUMBERS, words[2:], strict=False):
        number = read_integer(word)
        if number is not None:
            attributes[name] = number
    for name, piece in zip(_QUOTED, pieces[start::2], strict=False):
        _add_quoted(attributes, name, piece)
    return attributes, None, read_time(text[1:end]) or UNREADABLE


def _add_quoted(attributes: dict[str, Any], name: str, piece: str) -> None:
    if name.startswith("http.request.header."):
        add_header(attributes, name.removeprefix("http.request.header."), piece)
    elif name in ("server", "upstream"):
        add_address(attributes, name, piece.removeprefix("tcp://"))
    else:
        add_text(attributes, name, piece)


def read_haproxy(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read a line of HAProxy's httplog."""
    if text.find(":", 0, _LONGEST_TIME) < 0 or text.find(" [", 0, _LONGEST_TIME + 8) < 0:
        return None
    head, _, rest = text.partition('"')
    words = head.split()
    if len(words) < _HAPROXY_WORDS or words[1][-1] != "]" or len(words[1]) > _LONGEST_TIME:
        return None
    timers = words[4].lstrip("+").split("/")
    if len(timers) != len(_TIMERS) or words[3].count("/") != 1:
        return None
    attributes: dict[str, Any] = {}
    add_address(attributes, "client", words[0], has_port=True)
    attributes["haproxy.frontend"] = words[2]
    attributes["haproxy.backend"], _, attributes["haproxy.server"] = words[3].partition("/")
    for name, timer in zip(_TIMERS, timers, strict=True):
        milliseconds = read_integer(timer.lstrip("+"))
        if milliseconds is not None:
            attributes[f"haproxy.{name}_ms"] = milliseconds
    if words[5] in STATUSES:
        attributes["http.response.status_code"] = STATUSES[words[5]]
    size = read_integer(words[6].lstrip("+"))
    if size is not None:
        attributes["http.response.size"] = size
    add_text(attributes, "haproxy.termination_state", words[9].strip("-"))
    add_request(attributes, rest.rpartition('"')[0])
    return attributes, None, read_time(words[1][1:-1]) or UNREADABLE
