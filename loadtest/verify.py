"""The oracle: accounts for every record that was sent.

Mechanism: every document that became readable, and every record in the failure store, is matched to the
ledger by source (container id) and time (ns), which the senders make unique. What is left over was dropped
by a rule, as far as the route's count says, or is lost. It shares no code with what wrote the documents.
Cost: one small entry per sent record in memory; documents are streamed.

The failure store's format: https://docs.aws.amazon.com/firehose/latest/dev/retry.html (a JSON object per
failed record, its data in `rawData`, base64), holding Fluent Bit's JSON lines.
"""

import base64
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loadtest.account import Account, Latency, RouteAccount
from loadtest.compare import Document, is_unaltered, parse_time
from loadtest.ledger import Key, Sent

UNKNOWN = "unknown"


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


@dataclass(slots=True)
class _Entry:
    sent: Sent
    route: str
    event_id: str | None = None
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
        self._entries = {sent.key: _Entry(sent, route_of(sent.tag)) for sent in ledger}
        self._owners: dict[str, Key] = {}
        self._unexpected: Counter[str] = Counter()
        self.unreadable = 0

    def routes(self) -> set[str]:
        return {entry.route for entry in self._entries.values()} | self._unexpected.keys()

    def deliver(self, delivery: Delivery) -> None:
        document = delivery.document
        entry = self._find(document_key(document), document.get("tag"))
        if entry is None:
            return
        event_id = document.get("event_id")
        if isinstance(event_id, str):
            entry.shared |= self._owners.setdefault(event_id, entry.sent.key) != entry.sent.key
        else:
            entry.altered = True
        if entry.copies == 0:
            entry.event_id = event_id
        entry.copies += event_id == entry.event_id
        entry.other_copies += event_id != entry.event_id
        entry.readable_at = min(entry.readable_at, delivery.readable_at)
        entry.misrouted |= delivery.route not in (None, entry.route)
        entry.altered |= document.get("tag") != entry.sent.tag or not is_unaltered(entry.sent.text, document)

    def fail(self, failure: Mapping[str, Any]) -> None:
        for record in _failed_records(failure):
            if record is None:
                self.unreadable += 1
                continue
            time = parse_time(str(record.get("_time")))
            key = None if time is None else (str(record.get("container_id")), time)
            entry = self._find(key, record.get("_tag"))
            if entry is not None:
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
