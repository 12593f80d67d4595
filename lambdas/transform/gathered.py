"""Records that hold a line each, read together, so that a stack trace whose lines came as records is one document.

A packed record holds a trace's lines side by side, and multiline.py joins them. Where Firehose takes one document per
record nothing is packed, and from a KPL aggregate it makes a record of each line: there a trace's lines are records of
the same batch. What multiline.py takes for one trace among them becomes the document of the first line's record, its
host; the other records are answered Dropped, which loses nothing, for the host holds their text.

It loses nothing for certain: records are answered in their order, so a host is answered before what it holds, and a
record is left out only after its host was delivered. If it was not, the lines are written as they came.

Lines are put into the order in which they were read before they are looked at. Of a data stream, only those are looked
at together that were one aggregate: single records of one container come from several shards, and what was between two
of them may be in another batch. Firehose promises no order to those who put to it, either: where it hands the lines of
a trace to two batches, each makes a document of those that it has. Packed lines and aggregates have no such gaps.

Cost: the documents of these records stay in memory until their turn. A record with several lines costs a search for its
first line feed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from copy import copy
from operator import itemgetter

from lambdas.transform.document import Document
from lambdas.transform.multiline import join, traces_in
from lambdas.transform.partial import Read

_LINE_FEED = b"\n"
_OBJECT = b"{"
_PART = b'"partial_id"'


class Gathered:
    """The records of a batch that hold a line each. Read them in order, once each."""

    def __init__(self, datas: Iterable[tuple[bytes | None, Hashable]], read: Read) -> None:
        """Look for lines in the records' data, None for a record that is not to be read here.

        Beside it stands what it came with: only what came with the same is joined.
        """
        self.joined: Counter[int] = Counter()
        """How many documents a record has fewer than it was read with, because its host holds them."""
        self._read = read
        self._early: dict[int, list[Document] | Exception] = {}
        self._hosts: dict[int, int] = {}
        self._delivered: set[int] = set()
        together: dict[Hashable, list[int]] = {}
        for record, (data, origin) in enumerate(datas):
            if data is not None and _is_line(data):
                together.setdefault(origin, []).append(record)
        for records in together.values():
            if len(records) > 1:
                self._early |= {record: _try(read, record) for record in records}
                self._join(records)

    def read(self, record: int) -> Iterable[list[Document]]:
        """Read a record, block by block. Raises what reading it raised."""
        documents = self._early.pop(record, None)
        if documents is None:
            return self._read(record)
        if isinstance(documents, Exception):
            raise documents
        if self._hosts.get(record) in self._delivered:
            self.joined[record] += 1
            return []
        return [documents]

    def delivered(self, record: int) -> None:
        """Say that a record was answered with its document, so that what it holds may be left out."""
        self._delivered.add(record)

    def _join(self, records: Iterable[int]) -> None:
        lines = [
            (documents[0].observed, record, documents[0])
            for record in records
            if not isinstance(documents := self._early[record], Exception) and len(documents) == 1
        ]
        lines.sort(key=itemgetter(0))
        documents = [document for _, _, document in lines]
        for trace, continues in traces_in(documents):
            host, *others = sorted(lines[line][1] for line in trace)
            first, *rest = [documents[line] for line in trace]
            whole = copy(first)  # for a record that is written after all, as it came
            join([whole, *rest], continues=continues)
            self._early[host] = [whole]
            self._hosts.update(dict.fromkeys(others, host))


def _is_line(data: bytes) -> bool:
    return data.startswith(_OBJECT) and data.find(_LINE_FEED) in (-1, len(data) - 1) and _PART not in data


def _try(read: Read, record: int) -> list[Document] | Exception:
    try:
        return [document for block in read(record) for document in block]
    except Exception as error:
        return error
