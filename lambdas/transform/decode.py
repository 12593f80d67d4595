"""From what Firehose hands over to records: base64, then lines, then members.

A line that is a JSON object is a record of its members; any other line is a record whose `log` is that line, character
for character, so there is no line that fails. Blank lines are skipped: Fluent Bit ends a packed record with one.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Iterator
from typing import Any, NamedTuple

from lambdas.transform.jsontext import escape_bytes, read_object


class Record(NamedTuple):
    """One line: its members, the canonical form that event_id hashes, and what had to be rewritten (see jsontext)."""

    members: dict[str, Any]
    canonical: bytes
    rewritten: tuple[str, ...]


def decode_data(data: str) -> bytes:
    """Undo Firehose's base64. ValueError when it is not that: Python's default would skip what it does not know."""
    return a2b_base64(data, strict_mode=True) if data else b""


def decode(data: bytes) -> Iterator[Record]:
    """Take a Firehose record apart into its records, in order."""
    for line in data.split(b"\n"):
        if not line or line.isspace():
            continue
        found = read_object(line)
        if found:
            yield Record._make(found)
        else:
            text, rewritten = escape_bytes(line.removesuffix(b"\r"))
            yield Record({"log": text}, line, rewritten)
