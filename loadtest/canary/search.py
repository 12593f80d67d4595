"""Tracers in OpenSearch: one query for each route, by the tag and the time at which they were read.

When a document could be found it does not say: that is estimated as the time it took up to the transformer, which it
does say, and the longest that comes after.

Cost: a request, and a few hundred bytes for each document, of at most `MOST_DOCUMENTS`.
"""

import json
import time
from typing import Any, Final

from loadtest.asking import Post, SearchError
from loadtest.canary.seen import Copy, copies_in, delay_of
from loadtest.canary.settings import Route, seconds_of

MOST_DOCUMENTS: Final = 10_000
_OK: Final = 200


def find_copies(post: Post, route: Route, *, run: int, since: float) -> tuple[list[Copy], bool]:
    """The route's tracers that were sent after `since`, each copy, and whether these are all.

    Raises SearchError. Every call gives all of them again.
    """
    query = {
        "size": MOST_DOCUMENTS,
        "track_total_hits": False,
        "_source": ["tag", "body", "event_id", "attributes"],
        "query": {
            "bool": {
                "filter": [
                    {"term": {"tag": route.tag}},
                    {"range": {"observedTimestamp": {"gte": _iso(since)}}},
                ]
            }
        },
    }
    path = f"/{route.place}*/_search?ignore_unavailable=true&allow_no_indices=true"
    status, answer = post(path, json.dumps(query).encode())
    if status != _OK:
        raise SearchError(f"the search answered {status} to {path}: {answer[:300]!r}")
    hits = json.loads(answer)["hits"]["hits"]
    found = [copy for hit in hits for copy in _copies(hit["_source"], route, run=run)]
    return found, len(hits) < MOST_DOCUMENTS


def _copies(document: dict[str, Any], route: Route, *, run: int) -> list[Copy]:
    delay = delay_of(document)
    found = copies_in(json.dumps(document).encode(), route, run=run, readable_at=time.time())
    if delay is None:
        return list(found)
    return [
        copy._replace(readable_at=seconds_of(copy.marker.due_unix_nano) + delay + route.found_after) for copy in found
    ]


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
