"""Documents in OpenSearch: `_search` page by page with `search_after`, in the order of time and event_id.

Cost: a page is at most 1,000 documents, and no more than 100,000 candidates are looked at for one question; what the
filters cannot decide is decided here (`matching`), so a question whose filters say little may need many pages.

Requests to AWS are signed with the caller's own credentials (SigV4); to this machine they are plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

from query.documents import OBSERVED, TIME, Census, Found, Notes, Question, UnreachableError, found_in
from query.matching import decider
from query.search_dsl import Filter, Indexed, filters, in_range
from sluice.search.form import stored_form

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

MAX_PAGE: Final = 1000
MAX_CANDIDATES: Final = 100_000
_LEAST_PAGE: Final = 100
_TIMEOUT: Final = 30
_LONGEST_INDICES: Final = 3000
"""Characters; they are part of the request's first line, of which OpenSearch takes 4,096 bytes."""
_FORBIDDEN: Final = (401, 403)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def connect(endpoint: str, *, region: str | None) -> OpenSearch:
    """A client for an endpoint: signed for https, plain for this machine. UnreachableError when it cannot be one."""
    from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth  # noqa: PLC0415 - `sluice --help` need not load it

    parts = urlsplit(endpoint)
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return OpenSearch(hosts=[endpoint], timeout=_TIMEOUT, max_retries=1)
    if parts.scheme != "https" or not parts.hostname:
        raise UnreachableError(f"{endpoint} is no https:// address, nor http://127.0.0.1:PORT")
    import boto3  # noqa: PLC0415

    credentials = boto3.Session().get_credentials()
    if credentials is None or region is None:
        raise UnreachableError(f"{endpoint} wants signed requests: set up AWS credentials and a region")
    service = "aoss" if ".aoss." in parts.hostname else "es"
    return OpenSearch(
        hosts=[{"host": parts.hostname, "port": parts.port or 443, "url_prefix": parts.path.strip("/")}],
        http_auth=Urllib3AWSV4SignerAuth(credentials, region, service),
        use_ssl=True,
        verify_certs=True,
        timeout=_TIMEOUT,
        max_retries=1,
    )


class SearchBackend:
    """The indices of some routes at one endpoint."""

    def __init__(self, client: OpenSearch, *, endpoint: str, indices: Sequence[str], prefix: str) -> None:
        self.name = f"OpenSearch at {urlsplit(endpoint).netloc}"
        self.notes = Notes()
        self._client, self._endpoint = client, endpoint
        named = ",".join(indices)
        self._indices = named if len(named) <= _LONGEST_INDICES else f"{prefix}-*"
        self._indexed: Indexed | None = None

    def find(self, question: Question) -> Iterator[Found]:
        """The documents that match, in order, read as they are asked for."""
        decides = decider(question.query)
        looked_at = 0
        page = min(MAX_PAGE, max(_LEAST_PAGE, question.limit)) if question.limit is not None else MAX_PAGE
        clauses = filters(question.query.clauses, self.indexed())
        clauses["filter"].append(in_range(TIME, question.range))
        for hits in self.pages(clauses, by=TIME, order="asc" if question.oldest_first else "desc", size=page):
            for hit in hits:
                document = stored_form(hit.get("_source") or {})
                if decides(document):
                    yield found_in(document)
            looked_at += len(hits)
            if looked_at >= MAX_CANDIDATES:
                self.notes.add(
                    f"{self.name}: stopped after {looked_at:,} candidates: search for a shorter time, or for more"
                )
                return

    def census(self, question: Question) -> Census:
        """How many documents there are in the time range, and the time of the newest of all."""
        counted = self.ask({"size": 0, "track_total_hits": True, "query": in_range(TIME, question.range)})
        newest = self.ask({"size": 1, "sort": _sort(TIME, "desc"), "_source": [TIME]})
        hits = newest["hits"]["hits"]
        total = counted["hits"]["total"]["value"]
        return Census(int(total), hits[0]["_source"].get(TIME) if hits else None)

    def indexed(self) -> Indexed:
        """What the indices hold, asked once."""
        if self._indexed is None:
            told = self._call(
                "POST", f"/{self._indices}/_field_caps", {"fields": "*", **_LENIENT, "expand_wildcards": "open"}, None
            )
            self._indexed = Indexed(told.get("fields", {}))
        return self._indexed

    def pages(self, clauses: Filter, *, by: str, order: str, size: int) -> Iterator[list[dict[str, Any]]]:
        """All hits of a `bool` query, in the order of a time and of event_id."""
        after: list[Any] | None = None
        while True:
            body: dict[str, Any] = {
                "size": size,
                "query": {"bool": clauses},
                "sort": _sort(by, order),
                "track_total_hits": False,
                "_source": {"excludes": ["numbers"]},
            }
            if after is not None:
                body["search_after"] = after
            hits = self.ask(body)["hits"]["hits"]
            if hits:
                yield hits
            if len(hits) < size:
                return
            after = hits[-1]["sort"]

    def counts(self, clauses: Filter, *, seconds: int) -> dict[int, int]:
        """How many documents of a `bool` query were observed in each interval, by its start in milliseconds."""
        histogram = {"field": OBSERVED, "fixed_interval": f"{seconds}s", "min_doc_count": 1}
        asked = {
            "size": 0,
            "track_total_hits": False,
            "query": {"bool": clauses},
            "aggs": {"intervals": {"date_histogram": histogram}},
        }
        found = self.ask(asked).get("aggregations", {}).get("intervals", {}).get("buckets", [])
        return {int(bucket["key"]): int(bucket["doc_count"]) for bucket in found}

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """One `_search`. UnreachableError when it is not answered; parts that failed become a note."""
        found = self._call("POST", f"/{self._indices}/_search", _LENIENT, body)
        failed = found.get("_shards", {}).get("failed", 0)
        if failed or found.get("timed_out"):
            self.notes.add(f"{self.name}: {failed} shards did not answer, so documents may be missing here")
        return found

    def _call(self, method: str, path: str, parameters: dict[str, str], body: dict[str, Any] | None) -> dict[str, Any]:
        from opensearchpy.exceptions import OpenSearchException  # noqa: PLC0415

        try:
            answer = self._client.transport.perform_request(method, path, params=dict(parameters), body=body)
        except OpenSearchException as error:
            self._refuse(error)
        return answer if isinstance(answer, dict) else {}

    def _refuse(self, error: Exception) -> NoReturn:
        status = getattr(error, "status_code", None)
        if status in _FORBIDDEN:
            raise UnreachableError(
                f"{self._endpoint} refuses these credentials ({status}): their role has to be in `search.readers` of "
                "sluice.yaml"
            ) from None
        told = getattr(error, "info", None)
        reason = told["error"].get("reason") if isinstance(told, dict) and isinstance(told.get("error"), dict) else None
        raise UnreachableError(
            f"{self._endpoint} does not answer ({reason or getattr(error, 'error', None) or error}): a domain in a VPC "
            "is reached from inside it only; through a tunnel, name it with --endpoint"
        ) from None


_LENIENT: Final = {"ignore_unavailable": "true", "allow_no_indices": "true"}


def _sort(by: str, order: str) -> list[dict[str, Any]]:
    time = {"order": order, "unmapped_type": "date_nanos", "numeric_type": "date_nanos"}
    return [{by: time}, {"event_id": {"order": order, "unmapped_type": "keyword"}}]
