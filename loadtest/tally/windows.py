"""What there is in OpenSearch, each document once, for who may search and do nothing else; the same in a collection.

Mechanism: the time in which documents were observed is halved until no window has more of them than one answer is to
have; `date_nanos` are whole nanoseconds, so that windows neither overlap nor leave anything out. What comes while it is
read may be missing: read when `count` stands still. It comes to a stand although others go on logging, for what was
observed after the load's end is left out.

When a document could be found it does not say: that is the time at which the transformer had it, which it does say, and
the longest that comes after, but not after it was found. In which order documents came is not known either: they are
given by the time at which they were observed.

Cost: two requests for 2,500 to 5,000 documents, which are in memory as they came, parsed, and as lines. 8,000 documents
of a kilobyte were read in a second, beside OpenSearch on two busy cores.
https://docs.opensearch.org/latest/field-types/supported-field-types/date-nanos/
"""

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from botocore.exceptions import HTTPClientError

from loadtest.asking import Post, SearchError
from loadtest.canary.seen import delay_of
from loadtest.read_search import route_of_index
from loadtest.tally.readers import Found
from sluice.search.form import stored_form

PAGE: Final = 5_000
MOST: Final = 10_000
"""OpenSearch answers no more at once (index.max_result_window):
https://docs.opensearch.org/latest/install-and-configure/configuring-opensearch/index-settings/
"""
MARGIN_SECONDS: Final = 3600
PAUSES: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds before a question is asked again that was not answered, or not by all shards."""
_NANO: Final = 1_000_000_000


class _NotNowError(SearchError):
    """It may answer the same question later."""


class _Window(NamedTuple):
    """Of time: from one Unix nanosecond to another, both in it."""

    first: int
    last: int

    def halves(self) -> tuple["_Window", "_Window"]:
        middle = (self.first + self.last) // 2
        return _Window(self.first, middle), _Window(middle + 1, self.last)


class WindowReader:
    """Reads the documents of some routes that were observed from an hour before `since` to `until` (Unix s).

    Args:
        post: asks the search.
        places: what the names of a route's indices begin with, by the route's name (`sluice.names.index`).
        found_after: the longest that it takes from the transformer until a document is found, in seconds, by route.
        since: when the load began.
        until: when it ended: no later than that was a message due.
        clock: now, as Unix seconds.
    """

    def __init__(
        self,
        post: Post,
        *,
        places: Mapping[str, str],
        found_after: Mapping[str, float],
        since: float,
        until: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._post, self._found_after, self._clock = post, found_after, clock
        self._routes = {place: route for route, place in places.items()}
        # Whoever asks for web* is given web-2 too.
        self._asked = [each for each in self._routes if not any(each.startswith(o) for o in self._routes if o != each)]
        self._whole = _Window((math.floor(since) - MARGIN_SECONDS) * _NANO, math.ceil(until) * _NANO)

    def count(self) -> int:
        """How many documents there are, with those of indices that begin as a place does and are of another route.

        Raises SearchError.
        """
        return sum(self._count(place, self._whole) for place in self._asked)

    def read(self) -> Iterator[Found]:
        """Every document, in the form that S3 has.

        Raises SearchError, also where more documents have the same time than OpenSearch answers at once.
        """
        for place in self._asked:
            windows = [self._whole]
            while windows:
                window = windows.pop()
                count = self._count(place, window)
                if count > PAGE and window.first < window.last:
                    windows += reversed(window.halves())
                elif count > MOST:
                    raise SearchError(
                        f"{count} documents in {place}* have the time {_told(window.first)}, and OpenSearch answers "
                        f"{MOST} at once: they cannot all be read"
                    )
                elif count:
                    yield from self._found(self._hits(place, window))

    def _count(self, place: str, window: _Window) -> int:
        answer = self._ask(place, window, {"size": 0, "track_total_hits": True})
        return int(answer["hits"]["total"]["value"])

    def _hits(self, place: str, window: _Window) -> list[dict[str, Any]]:
        answer = self._ask(place, window, {"size": MOST, "track_total_hits": False})
        return sorted(answer["hits"]["hits"], key=lambda hit: str(hit["_source"]["observedTimestamp"]))

    def _found(self, hits: Sequence[dict[str, Any]]) -> Iterator[Found]:
        """One for the documents of a route that could be found at the same time, to a tenth of a second."""
        now, lines = self._clock(), defaultdict[tuple[str, float], list[bytes]](list)
        for hit in hits:
            route = self._route(hit["_index"])
            if route is not None:
                document = stored_form(hit["_source"])
                at = _transformed_at(document) + self._found_after[route]
                readable_at = round(at, 1) if 0 <= at <= now else now
                lines[route, readable_at].append(json.dumps(document).encode() + b"\n")
        for (route, readable_at), some in lines.items():
            yield Found(route, readable_at, None, iter((b"".join(some),)))

    def _route(self, index: str) -> str | None:
        return self._routes.get(index) or self._routes.get(route_of_index(index, prefix=""))

    def _ask(self, place: str, window: _Window, also: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of all shards."""
        path = f"/{place}*/_search?ignore_unavailable=true&allow_no_indices=true"
        times = {"gte": _told(window.first), "lte": _told(window.last)}
        body = json.dumps({"query": {"bool": {"filter": [{"range": {"observedTimestamp": times}}]}}, **also}).encode()
        for pause in PAUSES:
            try:
                return self._answer(path, body)
            except _NotNowError:
                time.sleep(pause)
        return self._answer(path, body)

    def _answer(self, path: str, body: bytes) -> dict[str, Any]:
        try:
            status, data = self._post(path, body)
        except (OSError, HTTPClientError) as error:
            raise _NotNowError(f"the search did not answer to {path}: {error}") from error
        told = f"the search answered {status} to {path}: {data[:300]!r}"
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _NotNowError(told)
        if status != HTTPStatus.OK:
            raise SearchError(told)
        answer: dict[str, Any] = json.loads(data)
        if answer["timed_out"] or answer["_shards"]["failed"]:
            raise _NotNowError(f"not every shard answered: {told}")
        return answer


def _transformed_at(document: dict[str, Any]) -> float:
    """When the transformer had it (Unix s); infinity where it does not say."""
    delay = delay_of(document)
    try:
        observed = datetime.fromisoformat(document["observedTimestamp"]).timestamp()
    except (TypeError, ValueError):
        return math.inf
    return math.inf if delay is None else observed + delay


def _told(unix_nano: int) -> str:
    """RFC 3339, with nanoseconds."""
    seconds, rest = divmod(unix_nano, _NANO)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"
