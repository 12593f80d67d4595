"""Documents as they become readable: what `sluice tail` polls.

OpenSearch has no order of arrival that a search can ask for, and a document may become visible minutes after one that
was written later (Firehose gathers and retries). So each poll counts the matching documents of the last ten
minutes by when they were observed, in intervals of five seconds, and reads again those intervals whose count has
changed; event_ids that were shown are remembered as long as their interval can change. What comes
later than that window is not shown.
Cost: a count for each poll, and the intervals that grew.

In S3 a document is readable when its object is written, after the route's buffer: each poll lists the hours that are
being written and reads the objects that are new.

Memory is bounded: 200,000 event_ids, beyond which the oldest intervals count as complete.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from query.documents import OBSERVED, Found, Notes, found_in
from query.lines import Lines
from query.matching import decider
from query.objects import Bucket, StoredObject, hours
from query.search_dsl import filters
from query.terms import Query
from query.times import SECOND_NS, TimeRange, parse_timestamp, timestamp
from sluice.search.form import stored_form

if TYPE_CHECKING:
    from query.opensearch import SearchBackend

WINDOW_NS: Final = 600 * SECOND_NS
INTERVAL_SECONDS: Final = 5
MOST_REMEMBERED: Final = 200_000
_INTERVAL_MS: Final = INTERVAL_SECONDS * 1000
_MS: Final = 1_000_000
_PAGE: Final = 1000


class Followed(Protocol):
    """A place that is polled."""

    notes: Notes

    def poll(self, now_ns: int) -> Iterator[Found]:
        """The matching documents that no poll has given before."""


class FollowedSearch:
    """The indices of some routes, from a moment on."""

    def __init__(
        self, backend: SearchBackend, query: Query, *, start_ns: int, most_remembered: int = MOST_REMEMBERED
    ) -> None:
        self.notes = backend.notes
        self._backend, self._query, self._decides = backend, query, decider(query)
        self._floor_ms = start_ns // _MS // _INTERVAL_MS * _INTERVAL_MS
        self._most = most_remembered
        self._counts: dict[int, int] = {}
        self._shown: dict[int, set[str]] = {}

    def poll(self, now_ns: int) -> Iterator[Found]:
        """The documents that became visible, in the order in which they were observed."""
        self._forget_before((now_ns - WINDOW_NS) // _MS)
        clauses = filters(self._query.clauses, self._backend.indexed())
        since = {"range": {OBSERVED: {"gte": timestamp(self._floor_ms * _MS)}}}
        counts = self._backend.counts({**clauses, "filter": [*clauses["filter"], since]}, seconds=INTERVAL_SECONDS)
        for first, last in _runs(at for at, count in counts.items() if count != self._counts.get(at)):
            within = {
                "range": {OBSERVED: {"gte": timestamp(first * _MS), "lt": timestamp((last + _INTERVAL_MS) * _MS)}}
            }
            asked = {**clauses, "filter": [*clauses["filter"], within]}
            for hits in self._backend.pages(asked, by=OBSERVED, order="asc", size=_PAGE):
                yield from self._new(hits)
        self._counts = counts
        self._forget_too_many()

    def _new(self, hits: Iterable[dict[str, Any]]) -> Iterator[Found]:
        for hit in hits:
            document = stored_form(hit.get("_source") or {})
            observed = parse_timestamp(document.get(OBSERVED))
            if observed is None or not self._decides(document):
                continue
            found = found_in(document)
            shown = self._shown.setdefault(observed // _MS // _INTERVAL_MS * _INTERVAL_MS, set())
            identity = found.event_id or str(hit.get("_id"))
            if identity not in shown:
                shown.add(identity)
                yield found

    def _forget_before(self, time_ms: int) -> None:
        floor = time_ms // _INTERVAL_MS * _INTERVAL_MS
        if floor > self._floor_ms:
            self._floor_ms = floor
            self._shown = {at: shown for at, shown in self._shown.items() if at >= floor}

    def _forget_too_many(self) -> None:
        while sum(map(len, self._shown.values())) > self._most and len(self._shown) > 1:
            oldest = min(self._shown)
            self._forget_before(oldest + _INTERVAL_MS)
            self.notes.add(
                "more documents come than can be remembered, so some that arrive late may be missing: ask for fewer"
            )


class FollowedObjects:
    """The objects of some routes, from a moment on."""

    def __init__(self, bucket: Bucket, query: Query, *, start_ns: int, most_remembered: int = MOST_REMEMBERED) -> None:
        self.notes = Notes()
        self._bucket, self._decides, self._start_ns = bucket, decider(query), start_ns
        self._most = most_remembered
        self._read: set[str] = set()
        self._shown: OrderedDict[str, None] = OrderedDict()

    def poll(self, now_ns: int) -> Iterator[Found]:
        """The documents of the objects that were written, each object's in the order of their times."""
        since = min(self._start_ns, now_ns - 1)
        lately = TimeRange(max(since, now_ns - 3600 * SECOND_NS), now_ns)
        listed = self._bucket.within(list(hours(lately, now_ns=now_ns, late=timedelta())))
        before = self._read
        self._read = {found.key for found in listed if found.key in before}
        for found in sorted(listed, key=lambda each: each.modified):
            # S3 tells the second in which an object was written.
            if found.key not in before and (found.modified.timestamp() + 1) * SECOND_NS >= self._start_ns:
                yield from self._documents(found)
            self._read.add(found.key)

    def _documents(self, stored: StoredObject) -> Iterator[Found]:
        with tempfile.TemporaryDirectory(prefix="sluice-") as name:
            folder = Path(name)
            with Lines(self._bucket.copy([stored], folder), folder=folder, notes=self.notes) as lines:
                matching = sorted(map(found_in, filter(self._decides, lines.all())), key=lambda found: found.order)
        for found in matching:
            if found.event_id in self._shown:
                continue
            if found.event_id:
                self._shown[found.event_id] = None
                if len(self._shown) > self._most:
                    self._shown.popitem(last=False)
            yield found


def _runs(intervals: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Intervals that follow each other, as their first and last."""
    first = last = None
    for at in sorted(intervals):
        if first is None or last is None:
            first = last = at
        elif at == last + _INTERVAL_MS:
            last = at
        else:
            yield first, last
            first = last = at
    if first is not None and last is not None:
        yield first, last
