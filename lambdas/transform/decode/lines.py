"""Lines, and what stands in them: one JSON object, several, an array of them, or text.

| Line | Records |
|---|---|
| a JSON object | one, of its members |
| objects one after another: with a comma, whitespace, NUL (GELF over TCP), RS (RFC 7464) or nothing between | each |
| the same, and then an object without its end, as shippers make that cut records | each, and the tail as text |
| an array of objects | each |
| any other, also an array of anything else | one whose `log` is the line, character for character |

A record that is one JSON document over many lines, as people and debuggers write it, is read as one. It is looked for
where a line begins a document that it does not end.

What is between brackets is found by a walk over the text that visits every byte once: whole strings are one step, and
nothing is tried twice. Looking for a document over many lines may be in vain, so all such tries together may cost as
much as the text is long; when that is used up, the lines that are left are lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lambdas.transform.decode.record import Record
from lambdas.transform.errors import RecordError
from lambdas.transform.jsontext import escape_bytes, read_object
from lambdas.transform.limits import MAX_MEMBERS

_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"(?:[^"\\]++|\\.)*+"[^"{}\[\]]*+)*+[{}\[\]]', re.DOTALL)
_BEGINNING = re.compile(rb"[ \t\r]*+(?:\{|\[\s*+\{)")
"""Of a line that may be JSON: text that begins with a bracket, as in `[main] started`, is not worth a walk."""
_SEPARATOR = re.compile(rb"[\s\0\x1e]*+,?+[\s\0\x1e]*+")
_SAME_LINE = re.compile(rb"[ \t\r\0\x1e]*+,?+[ \t\r\0\x1e]*+")
_TRAILING = b" \t\r\0"


def decode_line(line: bytes) -> Iterator[Record]:
    """Read the records of one line, without its newline; a blank one has none.

    RecordError, `members_limit`, when there are more than MAX_MEMBERS.
    """
    if not line or line.isspace():
        return
    yield from read_json(line) or [_read_text(line)]


def read_json(text: bytes) -> list[Record] | None:
    """Read the objects that text consists of, or say with None that it consists of anything else."""
    # Reading in vain is the costly part, so what does not end like an object is not tried as one.
    found = read_object(text) if text.endswith(b"}") or text.rstrip().endswith(b"}") else None
    if found:
        return [Record._make(found)]
    return _read_several(text) if _BEGINNING.match(text) else None


def read_documents(block: bytes) -> Iterator[bytes | Record]:
    """Find JSON documents that span lines; what is between them comes out as it is, a block of lines each time."""
    pending = start = 0
    patience = len(block)
    while start < len(block) and patience > 0:
        end = _line_end(block, start)
        if is_open(block, start, end):
            stop = _run_end(block, start)
            last = _line_end(block, stop) if stop else len(block)
            records = read_json(block[start:stop]) if stop and not block[stop:last].strip() else None
            if records is None:
                patience -= (stop or len(block)) - start
            else:
                if pending < start:
                    yield block[pending:start]
                yield from records
                pending = end = last
        start = end + 1
    if pending < len(block):
        yield block[pending:]


def is_open(block: bytes, start: int, end: int) -> bool:
    """Whether the line between these places begins a JSON document and does not look as if it ended there."""
    if end >= len(block) or not _BEGINNING.match(block, start):
        return False
    first = block[start:end].lstrip()
    return first.rstrip(_TRAILING)[-1:] != (b"}" if first.startswith(b"{") else b"]")


def _line_end(block: bytes, start: int) -> int:
    end = block.find(b"\n", start)
    return end if end >= 0 else len(block)


def _read_text(line: bytes) -> Record:
    text, rewritten = escape_bytes(line.removesuffix(b"\r"))
    return Record({"log": text}, rewritten)


def _read_several(text: bytes) -> list[Record] | None:
    body = text.strip()
    is_array = body.startswith(b"[")
    if is_array:
        if not body.endswith(b"]"):
            return None
        body = body[1:-1].strip()
    records: list[Record] = []
    at = 0
    while at < len(body):
        end = _value_end(body, at) if body[at] == ord("{") else 0
        if not end:
            break
        found = read_object(body[at:end]) if end - at < len(text) else None
        if found is None:
            return None
        records.append(Record._make(found))
        if len(records) > MAX_MEMBERS:
            raise RecordError("members_limit")
        separator = _SEPARATOR.match(body, end)
        at = separator.end() if separator else end
    if at < len(body):
        if not records or body[at] != ord("{") or is_array:
            return None
        records.append(_read_text(body[at:]))
    return records or None


def _run_end(text: bytes, at: int) -> int:
    """Where the values that begin here end, each of which begins on the line where the one before ended; or 0."""
    end = _value_end(text, at)
    while end and (separator := _SAME_LINE.match(text, end)) and text.startswith(b"{", separator.end()):
        end = _value_end(text, separator.end())
    return end


def _value_end(text: bytes, at: int) -> int:
    """Where the object or array that begins here ends, or 0 when it does not."""
    depth = 0
    while step := _TO_BRACKET.match(text, at):
        at = step.end()
        depth += 1 if text[at - 1] in b"{[" else -1
        if depth <= 0:
            return at
    return 0
