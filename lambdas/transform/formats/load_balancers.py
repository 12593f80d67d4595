"""Access logs of AWS load balancers: Application, Network (TLS listeners) and Classic.

    https 2026-11-21T02:36:00.186641Z app/shop/50dc6c495c0c9188 203.0.113.9:2817 10.0.0.1:80 0.086 0.048 0.037 200 200
     0 57 "GET https://shop.example:443/ HTTP/1.1" "curl/8.5" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:… "Root=1-…" …
    2026-11-21T02:36:00.945958Z shop 203.0.113.9:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET …" …
    tls 2.0 2026-11-21T02:36:00 net/shop/c6e77e28c25b2234 g3d4b5e8bb8464cd 203.0.113.9:51341 10.0.0.1:443 5 2 98 246 …

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-access-logs.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/access-log-collection.html

Times an Application or Classic balancer took are in seconds, a Network balancer's in milliseconds; -1, for a request
that it could not dispatch, is left out.
"""

from __future__ import annotations

from typing import Any

from lambdas.transform.formats.found import Found, add_address, add_text, read_integer
from lambdas.transform.formats.http_request import STATUSES, add_header, add_request, split_quoted
from lambdas.transform.times import read_time

LEADS = ("ht", "h2", "gr", "ws", "tl", "-T")

_TYPES = ("http ", "https ", "h2 ", "grpcs ", "ws ", "wss ")
_CLASSIC_WORDS = 11
_TLS_WORDS = 16
_SECONDS = ("request_processing_s", "target_processing_s", "response_processing_s")
_TIME = 19


def read_load_balancer(text: str, observed: str) -> Found | None:  # noqa: ARG001 - every time here has its year
    """Read an access line of a load balancer."""
    if text[:1] == "2":
        return _read_http(split_quoted(text), {}) if text[26:28] == "Z " and ' "' in text else None
    if text.startswith(_TYPES):
        return _read_application(text)
    return _read_tls(text) if text.startswith("tls ") else None


def _read_application(text: str) -> Found | None:
    pieces = split_quoted(text)
    kind, _, pieces[0] = pieces[0].partition(" ")
    found = _read_http(pieces, {"aws.elb.type": kind})
    if found and len(pieces) > 7:  # noqa: PLR2004 - request, user agent, trace, domain
        words = pieces[4].split()
        attributes = found[0]
        for name, word in zip(("tls.cipher", "tls.protocol.version", "aws.elb.target_group_arn"), words, strict=False):
            add_text(attributes, name, word.removeprefix("TLSv") if name == "tls.protocol.version" else word)
        add_header(attributes, "x-amzn-trace-id", pieces[5])
        add_text(attributes, "server.address", pieces[7])
    return found


def _read_http(pieces: list[str], attributes: dict[str, Any]) -> Found | None:
    words = pieces[0].split()
    if len(words) != _CLASSIC_WORDS or len(pieces) < 4:  # noqa: PLR2004 - request and user agent
        return None
    time = read_time(words[0])
    if time is None:
        return None
    attributes["aws.elb.name"] = words[1]
    add_address(attributes, "client", words[2], has_port=True)
    add_address(attributes, "upstream", words[3], has_port=True)
    for name, word in zip(_SECONDS, words[4:7], strict=True):
        _add_decimal(attributes, f"aws.elb.{name}", word)
    for name, word in (("http.response.status_code", words[7]), ("upstream.status_code", words[8])):
        if word in STATUSES:
            attributes[name] = STATUSES[word]
    _add_integer(attributes, "http.request.size", words[9])
    _add_integer(attributes, "http.response.size", words[10])
    add_request(attributes, pieces[1])
    add_text(attributes, "user_agent.original", pieces[3])
    return attributes, None, time


def _read_tls(text: str) -> Found | None:
    words = text[:2048].split(" ")
    if len(words) < _TLS_WORDS:
        return None
    time = read_time(words[2])
    if time is None:
        return None
    attributes: dict[str, Any] = {"aws.elb.type": "tls", "aws.elb.name": words[3]}
    add_address(attributes, "client", words[5], has_port=True)
    add_address(attributes, "upstream", words[6], has_port=True)
    _add_integer(attributes, "aws.elb.connection_ms", words[7])
    _add_integer(attributes, "aws.elb.tls_handshake_ms", words[8])
    _add_integer(attributes, "network.received_bytes", words[9])
    _add_integer(attributes, "network.sent_bytes", words[10])
    add_text(attributes, "tls.cipher", words[14])
    add_text(
        attributes, "tls.protocol.version", words[15].removeprefix("tlsv").replace("12", "1.2").replace("13", "1.3")
    )
    return attributes, None, time


def _add_integer(attributes: dict[str, Any], name: str, word: str) -> None:
    number = read_integer(word)
    if number is not None:
        attributes[name] = number


def _add_decimal(attributes: dict[str, Any], name: str, word: str) -> None:
    whole, _, decimals = word.partition(".")
    if len(word) <= _TIME and whole.isdecimal() and (decimals.isdecimal() or not decimals):
        attributes[name] = float(word)
