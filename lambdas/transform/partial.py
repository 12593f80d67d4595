"""The parts of a line that was cut, put together again where they arrive in one batch.

Docker cuts a line at 16 KB, and our aggregator one that Firehose could not take (fluentbit-image/carry.lua). Both
send the parts as records with `partial_message`, `partial_id`, `partial_ordinal` from 1, and `partial_last`; the
aggregator's id ends with the bytes of the whole, and it may have cut another member than `log`.
https://github.com/moby/moby/blob/master/daemon/logger/fluentd/fluentd.go

When all parts of a line are in a batch, the record with the earliest of them, its host, holds the whole line:
attributes without `partial_*`, `log.record.parts`, and the times and event_id of the first part. That id is the same
whatever records the parts come in. A part whose others are not there stays a document with all it carries, and
`log.record.partial`; where it has the id of a whole line, the document with `log.record.parts` is the one to keep.

Nothing can be lost by it. A record with parts is read before any record is answered, so one that cannot be read hosts
nothing and lends nothing. Parts in later records are left out only after their host was delivered; if it was not, they
are written as they came. If a later record fails after all, its parts are in the failure store as well as delivered.

Cost: a search for the name in every record's data (0.1 us for a line), and the documents of the records that hold
parts stay in memory until they are asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from itertools import chain
from typing import NamedTuple

import orjson

from lambdas.transform.document import TIME_DOUBT, Document
from lambdas.transform.limits import MAX_JOINED_BYTES

PARTS = "log.record.parts"
"""Attribute: how many parts were joined."""
PARTIAL = "log.record.partial"
"""Attribute, true: the document is a part of a line, and the others did not come with it."""
_ID, _ORDINAL, _LAST = "partial_id", "partial_ordinal", "partial_last"
_OURS = ("partial_message", _ID, _ORDINAL, _LAST)
_OF_EACH = {*_OURS, "_time", TIME_DOUBT}
"""What parts of one line may differ in."""
_NAME = b'"partial_id"'
_CARRIED_ID = re.compile(r"\d{1,20}\.\d{9}-(\d{1,12})")
_NUMBER = re.compile(r"[1-9]\d{0,5}")
_ESCAPE = len(r"\xNN")
_MOST_BYTES = 4
_LEADING = re.compile(r"\\x[c-f][0-9a-f]")
_ESCAPES = re.compile(r"\\x[c-f][0-9a-f](?:\\x[89ab][0-9a-f]){1,3}")
"""Nothing but one character's bytes, each as the aggregator spells what is not UTF-8."""

Read = Callable[[int], Iterable[list[Document]]]
"""From a record's position in its batch to its documents, block by block. What it raises is that record's failure."""
_Key = tuple[object, ...]


class _Part(NamedTuple):
    place: tuple[int, int]
    """Its record in the batch, and its document in the record."""
    document: Document
    ordinal: int
    is_last: bool


class _Line(NamedTuple):
    """A line all of whose parts are there: which record holds it, in the place of which document, and the whole."""

    place: tuple[int, int]
    document: Document

    @property
    def host(self) -> int:
        return self.place[0]


class Parts:
    """The records of one batch, read so that a line that was cut is one document. Read them in order, once each."""

    def __init__(self, datas: Iterable[bytes | None], read: Read) -> None:
        """Look for parts in the records' data; None stands for a record that has failed already."""
        self.joined: Counter[int] = Counter()
        """How many documents a record has fewer than it was read with, because a whole line holds them."""
        self._read = read
        self._early: dict[int, list[list[Document]] | Exception] = {}
        self._lines: dict[_Key, _Line] = {}
        self._delivered: set[int] = set()
        found: dict[_Key, list[_Part]] = {}
        for record, data in enumerate(datas):
            if data is not None and _NAME in data:
                self._early[record] = blocks = _try(read, record)
                if not isinstance(blocks, Exception):
                    _collect(blocks, record=record, into=found)
        for key, parts in found.items():
            if whole := _join(parts):
                self._lines[key] = _Line(min(part.place for part in parts), whole)

    def read(self, record: int) -> Iterable[list[Document]]:
        """Read a record, block by block. Raises what reading it raised."""
        blocks = self._early.pop(record, None)
        if blocks is None:
            return self._read(record)
        if isinstance(blocks, Exception):
            raise blocks
        return self._place(blocks, record)

    def delivered(self, record: int) -> None:
        """Say that a record was answered with its documents, so that later ones may leave out what it holds."""
        self._delivered.add(record)

    def _place(self, blocks: Iterable[list[Document]], record: int) -> Iterator[list[Document]]:
        place = 0
        for block in blocks:
            kept = []
            for position, document in enumerate(block, start=place):
                if (there := self._stand_in(document, (record, position))) is not None:
                    kept.append(there)
            place += len(block)
            self.joined[record] += len(block) - len(kept)
            yield kept

    def _stand_in(self, document: Document, place: tuple[int, int]) -> Document | None:
        """What is written in the place of a document, if anything."""
        if _number(document) is None:
            return document
        line = self._lines.get(_key(document))
        if line is not None and line.host == place[0]:
            return line.document if line.place == place else None
        if line is not None and line.host in self._delivered:
            return None
        document.keep(PARTIAL, value=True)
        return document


def _try(read: Read, record: int) -> list[list[Document]] | Exception:
    try:
        return list(read(record))
    except Exception as error:
        return error  # raised again when the record is asked for


def _collect(blocks: Iterable[list[Document]], *, record: int, into: dict[_Key, list[_Part]]) -> None:
    for position, document in enumerate(chain.from_iterable(blocks)):
        ordinal = _number(document)
        if ordinal is not None:
            is_last = document.attributes[_LAST] == "true"
            into.setdefault(_key(document), []).append(_Part((record, position), document, ordinal, is_last))


def _number(document: Document) -> int | None:
    """Which part of a line a document is, counted from 1; None if it is not one."""
    attributes = document.attributes
    if _ID not in attributes:
        return None
    identity, ordinal, last = attributes[_ID], attributes.get(_ORDINAL), attributes.get(_LAST)
    if not (isinstance(identity, str) and isinstance(ordinal, str) and last in ("true", "false")):
        return None
    return int(ordinal) if _NUMBER.fullmatch(ordinal) else None


def _key(document: Document) -> _Key:
    """What the parts of one line have in common, and no other line's."""
    container = document.resource.members.get("container", {}).get("id")
    attributes = document.attributes
    return container, document.tag, attributes.get("log.iostream"), attributes[_ID]


def _join(found: Sequence[_Part]) -> Document | None:
    """The whole line, unless a part is missing, two tell of one place, or it is too long."""
    parts: dict[int, _Part] = {}
    for part in found:
        known = parts.setdefault(part.ordinal, part)
        if known.document.body != part.document.body or known.is_last != part.is_last:
            return None
    ordered = [parts[ordinal] for ordinal in sorted(parts)]
    lasts = [part.ordinal for part in ordered if part.is_last]
    is_whole = lasts == [len(ordered)] and ordered[-1].ordinal == len(ordered)
    return _whole([part.document for part in ordered]) if is_whole else None


def _whole(parts: Sequence[Document]) -> Document | None:
    first = parts[0]
    cut = _find_cut(parts)
    if cut is None:
        return None
    name, text = cut
    shared = [_without(part, name) for part in parts]
    if any(other != shared[0] for other in shared) or len(orjson.dumps(text)) > MAX_JOINED_BYTES:
        return None
    whole = copy(first)
    whole.attributes = {key: value for key, value in first.attributes.items() if key not in _OURS}
    if name is None:
        whole.body = text
    else:
        whole.attributes[name] = text
    whole.rewritten = tuple({reason for part in parts for reason in part.rewritten})
    whole.keep(PARTS, len(parts))
    return whole


def _find_cut(parts: Sequence[Document]) -> tuple[str | None, str] | None:
    """Which member was cut (None is the body), and its whole text."""
    carried = _CARRIED_ID.fullmatch(parts[0].attributes[_ID])
    names = [None, *(name for name in parts[0].attributes if name not in _OF_EACH)] if carried else [None]
    for name in names:
        values = [part.body if name is None else part.attributes.get(name) for part in parts]
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) == len(parts):
            text = "".join(texts) if carried else _mend(texts)
            if not carried or len(text.encode()) == int(carried[1]):
                return name, text
    return None


def _mend(texts: Sequence[str]) -> str:
    r"""Put texts together. Docker cuts between bytes, also inside a character, whose halves then came as `\xNN`."""
    pieces = [texts[0]]
    for text in texts[1:]:
        left, character, used = _find_halves(pieces[-1], text)
        pieces[-1] = left
        pieces.append(character + text[used:])
    return "".join(pieces)


def _find_halves(left: str, right: str) -> tuple[str, str, int]:
    """The left text without the half of a character at its end, the character, and where the right text goes on."""
    for halves in range(1, _MOST_BYTES):
        escapes = left[-halves * _ESCAPE :]
        if not _LEADING.match(escapes):
            continue
        for others in range(1, _MOST_BYTES):
            spelled = escapes + right[: others * _ESCAPE]
            if _ESCAPES.fullmatch(spelled):
                try:
                    character = bytes.fromhex(spelled.replace("\\x", "")).decode()
                except ValueError:
                    continue
                return left[: -halves * _ESCAPE], character, others * _ESCAPE
    return left, "", 0


def _without(part: Document, cut: str | None) -> tuple[object, dict[str, object]]:
    """What a part says besides the text that was cut."""
    rest = {name: value for name, value in part.attributes.items() if name not in _OF_EACH and name != cut}
    return (None if cut is None else part.body), rest
