"""Tracers in OpenSearch: one query for each route, by the tag and the time at which they were read.

Signed as AWS asks (Signature Version 4, https://docs.aws.amazon.com/opensearch-service/latest/developerguide/request-signing.html)
with what boto3 brings along; plain to this machine and to nowhere else. When a document could be found it does not say:
that is estimated as the time it took up to the transformer, which it does say, and the longest that comes after.

Cost: a request, and a few hundred bytes for each document, of at most `MOST_DOCUMENTS`.
"""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from loadtest.canary.seen import Copy, copies_in, delay_of
from loadtest.canary.settings import Route, seconds_of

MOST_DOCUMENTS: Final = 10_000
SECONDS: Final = 30
_OK: Final = 200

Post = Callable[[str, bytes], tuple[int, bytes]]
"""Sends a body of JSON to a path: the status and the answer. Raises OSError or botocore's errors."""


class SearchError(Exception):
    """OpenSearch did not answer a query; says how it answered."""


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


def poster(endpoint: str, service: str) -> Post:
    """What sends to a domain (`es`), a collection (`aoss`) or, unsigned, to http://127.0.0.1."""
    parts = urlsplit(endpoint)
    is_local = parts.scheme == "http" and parts.hostname == "127.0.0.1"
    if parts.scheme != "https" and not is_local:
        raise ValueError(f"{endpoint!r} is neither https://HOST nor http://127.0.0.1:PORT")
    session = boto3.Session()
    http = URLLib3Session(timeout=SECONDS)

    def post(path: str, body: bytes) -> tuple[int, bytes]:
        # A collection wants the body's hash as a header besides.
        headers = {"Content-Type": "application/json", "X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}
        request = AWSRequest("POST", endpoint + path, data=body, headers=headers)
        if not is_local:
            credentials = session.get_credentials()
            if credentials is None:
                raise SearchError("there are no credentials to sign with")
            SigV4Auth(credentials, service, session.region_name).add_auth(request)
        answer = http.send(request.prepare())
        return answer.status_code, answer.content

    return post


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
