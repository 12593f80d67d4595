"""The parts of a line about an HTTP request, in OpenTelemetry's names.

https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/ · …/url/ · …/user-agent/

Escapes in them (`\\"`, `\\x22`) stay as the server wrote them.
"""

from __future__ import annotations

from typing import Any

from lambdas.transform.formats.found import add_address

STATUSES = {str(status): status for status in range(100, 600)}
"""Every status by its text: reading and checking one is a look-up."""
_WORDS_OF_REQUEST = (2, 3)


def split_quoted(text: str) -> list[str]:
    """Split a line at its double quotes: what is quoted has the odd positions. An escaped quote is no quote."""
    if "\\" not in text:
        return text.split('"')
    # Escapes are masked by as many other characters, so that the pieces have the lengths that they have in the line.
    masked = text.replace("\\\\", "__").replace('\\"', "__").split('"')
    pieces = []
    start = 0
    for piece in masked:
        pieces.append(text[start : start + len(piece)])
        start += len(piece) + 1
    return pieces


def add_request(attributes: dict[str, Any], request: str) -> None:
    """Add the parts of a request line; one that is none, such as the bytes of a TLS handshake, adds nothing."""
    words = request.split(" ")
    if len(words) not in _WORDS_OF_REQUEST or not (words[0].isalpha() and words[0].isupper()):
        return
    attributes["http.request.method"] = words[0]
    if words[0] == "CONNECT":
        add_address(attributes, "server", words[1])
    else:
        add_target(attributes, words[1])
    if len(words) > 2 and words[2][:5] == "HTTP/":  # noqa: PLR2004 - the third word
        attributes["network.protocol.name"] = "http"
        attributes["network.protocol.version"] = words[2][5:]


def add_target(attributes: dict[str, Any], target: str) -> None:
    """Add what was asked for: url.full when it is absolute, else url.path and url.query."""
    if "://" in target[:16]:
        attributes["url.full"] = target
        return
    path, mark, query = target.partition("?")
    attributes["url.path"] = path
    if mark:
        attributes["url.query"] = query


def add_header(attributes: dict[str, Any], name: str, text: str) -> None:
    """Add a request header, which OpenTelemetry has as a list of its values."""
    if text not in ("", "-"):
        attributes[f"http.request.header.{name}"] = [text]
