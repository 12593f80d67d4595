"""Access logs: Apache's common, combined and vhost_combined, nginx's combined, and all that write like them.

    203.0.113.9 - frank [21/Nov/2026:02:36:00 +0000] "GET /cart?user=31 HTTP/1.1" 200 5316 "https://a.example/" "curl/8"
    shop.example:443 203.0.113.9 - - [21/Nov/2026:02:36:00 +0000] "GET / HTTP/2.0" 200 12 "-" "curl/8"

https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats
https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format

So do gunicorn, Werkzeug (its time has a space and no zone), Node's morgan, Go's handlers and Caddy's. What follows the
user agent is not named by the line: addresses in quotes are taken for X-Forwarded-For, which nginx's own image logs
there, and the rest is left in the body. The size is of the body in Apache's and nginx's own formats; Debian's Apache
writes the whole response's (`%O`), and the line does not tell.

Splitting at quotes and spaces is twice as quick as a regular expression and linear in the line. Requests that come
again are remembered, and so are users with their second; one that is new costs a microsecond more.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from lambdas.transform.formats.found import DIGITS, LETTERS, UNREADABLE, Found, add_address, add_text, read_integer
from lambdas.transform.formats.http_request import STATUSES, add_header, add_request, split_quoted
from lambdas.transform.times import add_fraction, read_time, utc_second

LEADS = DIGITS + LETTERS + ":-_"

_COMMON, _COMBINED = 3, 7
"""Pieces of a line between its quotes."""
_LONGEST_HEAD = 256
_LONGEST_REMEMBERED = 200
_LONGEST_TIME = 40
_ADDRESSES = frozenset("0123456789abcdefABCDEF.:, ")


def read_access(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read an access line."""
    if '"' not in text:
        return None
    pieces = text.split('"') if "\\" not in text else split_quoted(text)
    if len(pieces) == _COMBINED:
        head, request, outcome, referer, _, agent, _ = pieces
    elif len(pieces) == _COMMON:
        head, request, outcome = pieces
        outcome, referer, agent = f"{outcome} ", "-", "-"
    else:
        return _read_other(pieces) if len(pieces) > _COMMON else None
    if len(head) > _LONGEST_HEAD or head[-2:] != "] ":
        return None
    client, _, rest = head.partition(" ")
    user, time = _read_head(rest)
    known = (_remember_request if len(request) <= _LONGEST_REMEMBERED else _read_request)(request)
    results = outcome.split(" ")
    status = STATUSES.get(results[1]) if len(results) == 4 else None  # noqa: PLR2004 - spaces on both sides
    if not time or known is None or status is None:
        return _read_other(pieces)
    attributes = known.copy()
    attributes["client.address"] = client
    attributes["http.response.status_code"] = status
    attributes["http.response.body.size"] = read_integer(results[2])
    attributes["http.request.header.referer"] = [referer]
    attributes["user_agent.original"] = agent
    if user != "-":
        attributes["user.name"] = user
    if "-" in (results[2], referer, agent):
        _drop_absent(attributes)
    return attributes, None, time


def _drop_absent(attributes: dict[str, Any]) -> None:
    for name in ("http.response.body.size", "user_agent.original"):
        if attributes[name] in (None, "-"):
            del attributes[name]
    if attributes["http.request.header.referer"] == ["-"]:
        del attributes["http.request.header.referer"]


@lru_cache(maxsize=4096)
def _read_head(rest: str) -> tuple[str, str | None]:
    """Read the user and the time of `- frank [21/Nov/2026:02:36:00 +0000] `."""
    words = rest.split(" ")
    if len(words) != 5 or words[2][:1] != "[" or words[3][-1:] != "]":  # noqa: PLR2004
        return "", None
    utc = utc_second(words[2][1:], words[3][:-1])
    return words[1], utc and add_fraction(utc, "")


def _read_request(request: str) -> dict[str, Any] | None:
    """Read a request line, with room for what else a line has: copying a dict is quicker than making one."""
    attributes: dict[str, Any] = {"client.address": ""}
    add_request(attributes, request)
    if "network.protocol.version" not in attributes:
        return None
    return {
        **attributes,
        "http.response.status_code": 0,
        "http.response.body.size": 0,
        "http.request.header.referer": [],
        "user_agent.original": "",
    }


_remember_request = lru_cache(maxsize=4096)(_read_request)


def _read_other(pieces: list[str]) -> Found | None:
    """Read a line that is not plainly combined: what must be there is a time in brackets, a request and a status."""
    if len(pieces) < 3:  # noqa: PLR2004 - one quoted request at least
        return None
    head, request, outcome, *rest = pieces
    outcomes = outcome.split()
    before, bracket, stamp = head.rpartition(" [")
    status = STATUSES.get(outcomes[0]) if outcomes else None
    words = before[:512].split(" ")
    if status is None or not bracket or stamp[-2:] != "] " or len(stamp) > _LONGEST_TIME or len(words) < 3:  # noqa: PLR2004
        return None
    attributes: dict[str, Any] = {}
    host, colon, port = words[0].rpartition(":")
    if colon and host and len(words) > 3 and words[1] != "-" and port.isdecimal():  # noqa: PLR2004 - vhost_combined
        add_address(attributes, "server", words.pop(0))
    attributes["client.address"] = words[0]
    add_text(attributes, "user.name", words[2])
    add_request(attributes, request)
    attributes["http.response.status_code"] = status
    size = read_integer(outcomes[1]) if len(outcomes) > 1 else None
    if size is not None:
        attributes["http.response.body.size"] = size
    _add_rest(attributes, rest)
    return attributes, None, read_time(stamp[:-2].replace(" ", ":", _needs_colon(stamp))) or UNREADABLE


def _needs_colon(stamp: str) -> int:
    """Say whether a day is followed by a space, as Werkzeug writes it: `21/Nov/2026 02:36:00`."""
    return int(stamp[11:12] == " " and stamp[2:3] == "/")


def _add_rest(attributes: dict[str, Any], rest: list[str]) -> None:
    if len(rest) > 2:  # noqa: PLR2004 - referer, the space between, user agent
        add_header(attributes, "referer", rest[0])
        add_text(attributes, "user_agent.original", rest[2])
    if len(rest) > 4 and _ADDRESSES.issuperset(rest[4][:256]):  # noqa: PLR2004 - and another
        add_header(attributes, "x-forwarded-for", rest[4])
