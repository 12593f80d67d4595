"""The documents of a block: newline-separated lines, as Fluent Bit packs them.

Reading a hundred lines with one call to orjson takes half the time of a hundred calls. That it lost nothing is proven
by writing what was read: where that gives the same bytes, each line is exactly its members, whatever orjson does with
duplicate keys, numbers beyond 64 bits or odd escapes. Where it does not (another writer's spaces are enough), the
lines are read one by one, by tests of their own (see jsontext), about three times slower.

A large block is read in pieces, so that what is made of its lines is not all there at once. One that may hold a stack
trace is not cut, unless it is of very many lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from lambdas.transform.decode import decode_line
from lambdas.transform.document import Document
from lambdas.transform.event_id import Arrival
from lambdas.transform.parse.record import parse, parse_all

_MOST_LINES = 8192
_PIECE = 64 * 1024
_INDENTED = (b'"\\t', b'"  ', b"\n\t", b"\n  ", b"panicked")
"""What a block holds that holds a stack trace (see multiline), in JSON lines and in others."""


def read_block(block: bytes, arrival: Arrival) -> Iterator[list[Document]]:
    """Read every line of a block, in order and piece by piece; blank lines are skipped."""
    for piece in _cut(block) if len(block) > _PIECE and not _is_kept_whole(block) else [block]:
        rows = _read_exactly(piece.rstrip(b"\n"))
        if rows is not None:
            yield parse_all(rows, arrival)
        else:
            yield [
                parse(record.members, arrival, record.rewritten)
                for line in piece.split(b"\n")
                if line and not line.isspace()
                for record in decode_line(line)
            ]


def _is_kept_whole(block: bytes) -> bool:
    return block.count(b"\n") <= _MOST_LINES and any(mark in block for mark in _INDENTED)


def _cut(block: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(block):
        stop = block.find(b"\n", start + _PIECE) + 1 or len(block)
        yield block[start:stop]
        start = stop


def _read_exactly(piece: bytes) -> list[dict[str, Any]] | None:
    """All lines' members if every line is a JSON object that writes back to the same bytes."""
    text = b"[%b]" % piece.replace(b"\n", b",")
    try:
        rows: list[dict[str, Any]] = orjson.loads(text)
        if orjson.dumps(rows) != text:
            return None
    except (ValueError, TypeError):
        return None
    if len(rows) != piece.count(b"\n") + 1 or set(map(type, rows)) != {dict}:
        return None
    if b"},{" in piece and [orjson.dumps(row) for row in rows] != piece.split(b"\n"):
        return None  # a line that is two objects, and an object that is two lines
    return rows
