"""The oracle: accounts for every record that was sent.

Mechanism: every document that became readable, and every record in the failure store, is matched to the
ledger by source (container id) and time (ns), which the senders make unique. A document that says it holds several
records (the lines of a stack trace, the parts of a line that was cut) has the first one's time: the others are the
ones that the ledger has after it, of the same container, tag and stream, or under the same partial id. It accounts
for them if its text is exactly theirs; otherwise it is an altered copy of the first one and the others are still to
come. What is left over was dropped by a rule, as far as the route's count says, or is lost. It shares no code with
what wrote the documents. Cost: one small entry per sent record in memory; documents are streamed.

The failure store's format: https://docs.aws.amazon.com/firehose/latest/dev/retry.html (a JSON object per
failed record, its data in `rawData`, base64), holding Fluent Bit's JSON lines, or a document that OpenSearch refused.
"""

import base64
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.account import Account, Latency, RouteAccount
from loadtest.compare import Document, is_joined, is_unaltered, parse_time
from loadtest.ledger import Key, Sent
from sluice.search.form import stored_form

UNKNOWN = "unknown"
LINES = "log.record.lines"
PARTS = "log.record.parts"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A document that could be read at a time (Unix seconds), from the place of a route if known."""

    document: Document
    readable_at: float
    route: str | None = None


def verify(
    ledger: Iterable[Sent],
    deliveries: Iterable[Delivery],
    failures: Iterable[Mapping[str, Any]],
    *,
    dropped: Mapping[str, int],
    route_of: Callable[[str], str],
    destinations: Mapping[str, str],
) -> Account:
    """Account for every record of the ledger.

    `failures` are the failure store's error records, parsed. `dropped` says per route how many records its
    rules dropped, `route_of` which route a tag belongs to, `destinations` the kind of destination of every
    route (a route that sent nothing is listed too).
    """
    books = _Books(ledger, route_of)
    for delivery in deliveries:
        books.deliver(delivery)
    for failure in failures:
        books.fail(failure)
    names = {*destinations, *dropped, *books.routes()}
    return Account(
        routes=tuple(
            books.close(name, destinations.get(name, UNKNOWN), dropped.get(name, 0)) for name in sorted(names)
        ),
        unreadable=books.unreadable,
    )


_Origin = tuple[str, str, str]


def _origin(sent: Sent) -> _Origin:
    return sent.source, sent.tag, sent.stream


def _is_whole(parts: Sequence["_Entry"]) -> bool:
    """Whether these, in order, are all parts of a line."""
    ordinals = [entry.sent.partial_ordinal for entry in parts]
    return ordinals == list(range(1, len(parts) + 1)) and parts[-1].sent.partial_last


@dataclass(slots=True)
class _Entry:
    sent: Sent
    route: str
    place: int
    """Where it stands among the lines of its container, tag and stream."""
    ids: dict[Key, object] = field(default_factory=dict)
    """The event id of the first copy that came alone, or with the records after another one, by that record."""
    readable_at: float = math.inf
    copies: int = 0
    other_copies: int = 0
    failed: bool = False
    altered: bool = False
    shared: bool = False
    misrouted: bool = False


class _Books:
    def __init__(self, ledger: Iterable[Sent], route_of: Callable[[str], str]) -> None:
        self._route_of = route_of
        self._entries: dict[Key, _Entry] = {}
        self._lines: defaultdict[_Origin, list[_Entry]] = defaultdict(list)
        self._parts: defaultdict[tuple[_Origin, str | None], list[_Entry]] = defaultdict(list)
        self._owners: dict[str, Key] = {}
        self._unexpected: Counter[str] = Counter()
        self.unreadable = 0
        for sent in sorted(ledger, key=lambda sent: sent.key):
            lines = self._lines[_origin(sent)]
            entry = _Entry(sent, route_of(sent.tag), place=len(lines))
            self._entries[sent.key] = entry
            lines.append(entry)
            if sent.partial_id is not None:
                self._parts[_origin(sent), sent.partial_id].append(entry)

    def routes(self) -> set[str]:
        return {entry.route for entry in self._entries.values()} | self._unexpected.keys()

    def deliver(self, delivery: Delivery) -> None:
        document = delivery.document
        first = self._find(document_key(document), document.get("tag"))
        if first is None:
            return
        event_id = document.get("event_id")
        if isinstance(event_id, str):
            first.shared |= self._owners.setdefault(event_id, first.sent.key) != first.sent.key
        else:
            first.altered = True
        held = self._held(first, document)
        first.altered |= not held
        for entry in held or [first]:
            known = entry.ids.setdefault(first.sent.key, event_id)
            entry.copies += event_id == known
            entry.other_copies += event_id != known
            entry.readable_at = min(entry.readable_at, delivery.readable_at)
            entry.misrouted |= delivery.route not in (None, entry.route)

    def _held(self, first: _Entry, document: Document) -> Sequence[_Entry]:
        """The records whose text a document is, of which this is the first; none if it is another text."""
        sent, attributes = first.sent, document.get("attributes") or {}
        lines, parts = attributes.get(LINES), attributes.get(PARTS)
        if document.get("tag") != sent.tag:
            return ()
        if lines is None and parts is None:
            return (first,) if is_unaltered(sent.text, document) else ()
        if attributes.get("log.iostream") != sent.stream:
            return ()
        if lines is not None:
            held = self._lines[_origin(sent)][first.place : first.place + records_in(document)]
            unaltered = len(held) == lines and is_joined([entry.sent.text for entry in held], document)
        else:
            held = sorted(self._parts[_origin(sent), sent.partial_id], key=lambda entry: entry.sent.partial_ordinal)
            unaltered = len(held) == parts and _is_whole(held) and held[0] is first
            unaltered = unaltered and is_unaltered("".join(entry.sent.text for entry in held), document)
        return held if unaltered else ()

    def fail(self, failure: Mapping[str, Any]) -> None:
        for record in _failed_records(failure):
            if record is None:
                self.unreadable += 1
            elif "event_id" in record:
                self._fail_document(stored_form(record))
            else:
                time = parse_time(str(record.get("_time")))
                key = None if time is None else (str(record.get("container_id")), time)
                entry = self._find(key, record.get("_tag"))
                if entry is not None:
                    entry.failed = True

    def _fail_document(self, document: Document) -> None:
        """One that was transformed, and that the destination did not take."""
        first = self._find(document_key(document), document.get("tag"))
        if first is not None:
            for entry in self._held(first, document) or (first,):
                entry.failed = True

    def close(self, name: str, destination: str, dropped: int) -> RouteAccount:
        entries = [entry for entry in self._entries.values() if entry.route == name]
        delivered = [entry for entry in entries if entry.copies]
        failed = sum(entry.failed and not entry.copies for entry in entries)
        missing = len(entries) - len(delivered) - failed
        explained = min(dropped, missing)
        return RouteAccount(
            name=name,
            destination=destination,
            sent=len(entries),
            acknowledged=sum(entry.sent.acknowledged_at is not None for entry in entries),
            delivered=len(delivered),
            failed=failed,
            dropped=explained,
            lost=missing - explained,
            duplicated=sum(entry.copies - 1 for entry in delivered),
            duplicated_otherwise=sum(entry.other_copies for entry in entries),
            unexpected=self._unexpected[name],
            altered=sum(entry.altered for entry in entries),
            shared_event_id=sum(entry.shared for entry in entries),
            misrouted=sum(entry.misrouted for entry in entries),
            latency=Latency.of([(entry.readable_at - entry.sent.sent_at) * 1000 for entry in delivered]),
        )

    def _find(self, key: Key | None, tag: object) -> _Entry | None:
        entry = self._entries.get(key) if key else None
        if entry is None:
            self._unexpected[self._route_of(tag) if isinstance(tag, str) else UNKNOWN] += 1
        return entry


def document_key(document: Document) -> Key | None:
    """Which record a document is of: its container's id and the time (ns) at which the line was read."""
    container = (document.get("resource") or {}).get("container") or {}
    time = parse_time(str(document.get("observedTimestamp")))
    return None if time is None else (str(container.get("id")), time)


def records_in(document: Document) -> int:
    """How many sent records a document says it holds."""
    attributes = document.get("attributes") or {}
    number = attributes.get(LINES, attributes.get(PARTS, 1))
    return number if isinstance(number, int) and number > 0 else 1


def _failed_records(failure: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
    """The records in one error record; None for what is not one."""
    try:
        lines = base64.b64decode(failure["rawData"], validate=True).split(b"\n")
    except (KeyError, TypeError, ValueError):
        yield None
        return
    for line in filter(None, lines):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        yield record if isinstance(record, dict) else None
