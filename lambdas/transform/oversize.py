"""A document too large to be delivered is cut to its head, its original kept in S3; or split into parts that join.

Only documents beyond limits.MAX_DOCUMENT_BYTES come here, so a route that has none pays one comparison per line.

`truncate`: the document keeps as much of its body as fits, to the byte and never cut inside a character. Where other
values are as large, all that are larger than some size are cut to it, so that the small ones stay whole. A value that
is no text is cut as its JSON text. Attributes so many that their names fill half of a document, or a resource or tag
that do, are left out. What came is whole in S3, where `log.record.original` says.

`split`: the body is divided over documents that have everything else in common. Each has an event_id of its own that
follows from the whole's, so that a copy of a part is known as one. The bodies of one `log.record.whole`, in the order
of `log.record.part`, are the body again. Where what the parts have in common fills half of a document, it is
truncated instead.

Both are done to the document as it would have been written: it is redacted, and its event_id does not change. A shape
that writes some of a document twice, or JSON as text, may need a second try, with less room. Cost: two passes over the
document, and for a cut up to six more over the piece.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any

import orjson

from lambdas.transform.document import Document, Encode, Resource, Source, encode
from lambdas.transform.limits import MAX_DOCUMENT_BYTES
from lambdas.transform.spec import Oversize
from lambdas.transform.store import Store

TRUNCATED = "log.record.truncated"
ORIGINAL = "log.record.original"
ORIGINAL_BYTES = "log.record.original_bytes"
PART = "log.record.part"
PARTS = "log.record.parts"
WHOLE = "log.record.whole"

_NOWHERE = Source(resource=Resource({}), tag=None, attributes={}, shared=b"")
_LONGEST_CHARACTER = 4
_QUOTES = len('""')
_MANY = 99_999
"""Stands for the number of a part until it is known; no record makes as many."""


def is_oversize(line: str) -> bool:
    """Say whether a document's line is beyond the limit; nearly always that is seen without counting its bytes."""
    return len(line) * _LONGEST_CHARACTER > MAX_DOCUMENT_BYTES and len(line.encode()) > MAX_DOCUMENT_BYTES


def fit(
    document: Document,
    line: str,
    *,
    oversize: Oversize,
    store: Store,
    encode: Encode = encode,
    limit: int = MAX_DOCUMENT_BYTES,
) -> list[str]:
    """Make lines within the limit of a document whose line is not: one that is truncated, or two and more parts.

    Args:
        document: what was encoded; it is left as it is.
        line: what it was encoded to.
        oversize: what its route wants done.
        store: where the original goes before anything is cut.
        encode: what it was encoded by.
        limit: bytes of a line with its newline; two thousand at least.

    Raises RecordError(original_not_stored).
    """
    whole = copy.copy(document)
    # Encoding has said in the attributes what was rewritten, and would say it again.
    whole.rewritten = ()
    if oversize == "split" and (parts := _within(limit, lambda room: _split(whole, limit=room, encode=encode))):
        return parts
    original = line.encode()
    uri = store.put_original(document.event_id, original, document.observed)
    marks = {TRUNCATED: True, ORIGINAL: uri, ORIGINAL_BYTES: len(original)}
    return _within(limit, lambda room: [_truncate(whole, marks, limit=room, encode=encode)])


def _within(limit: int, write: Callable[[int], list[str]]) -> list[str]:
    """What is written for a limit, or a lower one, so that no line is beyond the limit."""
    room = limit
    while True:
        lines = write(room)
        beyond = max((len(line.encode()) for line in lines), default=0) - limit
        if beyond <= 0:
            return lines
        room -= beyond


def _truncate(document: Document, marks: dict[str, Any], *, limit: int, encode: Encode) -> str:
    for reduced in _reductions(document):
        names = list(reduced.attributes)
        # The two quotes of each empty value are room too.
        room = (
            limit - _size(_changed(reduced, "", dict.fromkeys(names, ""), marks), encode) + _QUOTES * (len(names) + 1)
        )
        if room >= limit // 2:
            break
    values = ["" if reduced.body is None else reduced.body, *reduced.attributes.values()]
    encoded = [orjson.dumps(value) for value in values]
    longest = _level((len(each) for each in encoded), room=room)
    body, *attributes = (
        value if len(each) <= longest else _head(value, longest) for value, each in zip(values, encoded, strict=True)
    )
    return encode(_changed(reduced, body, dict(zip(names, attributes, strict=True)), marks))


def _reductions(document: Document) -> Iterator[Document]:
    """The document, then what remains of it without one, the other, and both of the things that are not cut."""
    plain = _changed(document, document.body, {}, {})
    for each in (document, plain):
        yield each
        placeless = copy.copy(each)
        placeless.source, placeless.resource = _NOWHERE, _NOWHERE.resource
        placeless.trace_id = placeless.span_id = None
        yield placeless


def _split(document: Document, *, limit: int, encode: Encode) -> list[str]:
    """The parts; none when what they have in common leaves too little room."""

    def mark(part: int, parts: int) -> dict[str, Any]:
        return {PART: part, PARTS: parts, WHOLE: document.event_id}

    room = limit - _size(_changed(document, "", document.attributes, mark(_MANY, _MANY)), encode)
    if room < limit // 2:
        return []
    bodies = list(_pieces(orjson.dumps(_text(document.body))[1:-1], room))
    parts = []
    for number, body in enumerate(bodies, start=1):
        part = _changed(document, body, document.attributes, mark(number, len(bodies)))
        part.event_id = blake2b(f"{document.event_id}\n{number}".encode(), digest_size=16).hexdigest()
        parts.append(encode(part))
    return parts


def _changed(document: Document, body: object, attributes: dict[str, Any], marks: dict[str, Any]) -> Document:
    changed = copy.copy(document)
    changed.body = body
    changed.attributes = attributes
    changed.add(marks)
    return changed


def _size(document: Document, encode: Encode) -> int:
    return len(encode(document).encode())


def _level(sizes: Iterable[int], *, room: int) -> int:
    """The largest size to which all that are larger can be cut so that they fit into the room together."""
    ascending = sorted(sizes)
    for index, size in enumerate(ascending):
        share = room // (len(ascending) - index)
        if size > share:
            return share
        room -= size
    return ascending[-1]


def _head(value: object, longest: int) -> str:
    return next(_pieces(orjson.dumps(_text(value))[1:-1], longest - _QUOTES), "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _pieces(escaped: bytes, room: int) -> Iterator[str]:
    """The text whose JSON this is, in pieces whose JSON has no more bytes than there is room for."""
    start = 0
    while start < len(escaped):
        # An escape has six bytes at most and a character four, so one of these ends is between two of them.
        for end in range(min(start + room, len(escaped)), start, -1):
            try:
                yield orjson.loads(b'"%b"' % escaped[start:end])
            except ValueError:
                continue
            start = end
            break
        else:
            return
