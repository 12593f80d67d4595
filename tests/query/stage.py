"""The same documents in both places: an index with the real template, and gzipped lines in a bucket."""

import gzip
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import opensearchpy

from lambdas.transform import document as transformed
from lambdas.transform.levels import read_level
from lambdas.transform.searchable import make_searchable
from query.objects import GIB, Bucket, StoredBackend, StoredRoute
from query.opensearch import SearchBackend, connect
from query.times import parse_timestamp
from sluice.model import Deployment
from sluice.search.schema import index_template

NOW = "2026-11-21T12:00:00.000000000Z"
BUCKET = "shop-dev-logs-111122223333-us-east-1"
CONFIG = """\
name: shop
environments: {dev: {account: "111122223333", region: us-east-1}, prod: {}}
search: {kind: existing, endpoint: "http://127.0.0.1:9", arn: "arn:aws:es:eu-west-1:111122223333:domain/logs"}
routes:
  - {name: web, match: web.*, destination: {kind: opensearch, numbers: [weight]}}
  - {name: web-2nd, match: second.*, destination: {kind: opensearch}}
  - {name: shop, match: shop.*}
"""

Documents = list[dict[str, Any]]


def at_ns(text: str) -> int:
    found = parse_timestamp(text)
    assert found is not None
    return found


def document(
    body: Any = "hello",
    *,
    time: str = "2026-11-21T11:30:00.000000000Z",
    level: str | None = None,
    service: str | None = None,
    event_id: str | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    """A document as S3 has it, without what is empty."""
    severity = read_level(level)
    made = {
        "@timestamp": time,
        "observedTimestamp": time,
        "severity": {"text": severity.text, "number": severity.number} if severity else None,
        "resource": {"service": {"name": service}} if service else None,
        "tag": "web.a",
        "event_id": event_id or uuid.uuid4().hex,
        "body": body,
        "attributes": attributes or None,
    }
    return {name: value for name, value in made.items() if value is not None}


def in_search_shape(told: dict[str, Any], numbers: frozenset[str] = frozenset({"weight"})) -> dict[str, Any]:
    """What the transformer makes of the same document for OpenSearch."""
    source = transformed.Source(transformed.Resource(told.get("resource", {})), told.get("tag"), {}, b"")
    made = transformed.Document(source, told["@timestamp"], told.get("body"), told["event_id"])
    made.observed = told["observedTimestamp"]
    made.attributes = told.get("attributes", {})
    made.severity = read_level(told["severity"]["text"]) if "severity" in told else None
    made.trace_id = told.get("traceId")
    return dict(json.loads(make_searchable(numbers)(made)))


class Indices:
    """An index prefix of this test's own, with the real template."""

    def __init__(self, url: str, there: Deployment) -> None:
        self.url = url
        self.prefix = f"q{uuid.uuid4().hex[:12]}"
        self.client = opensearchpy.OpenSearch(hosts=[url], timeout=300)
        self._template = index_template(there, there.routes[0])
        self._template |= {"index_patterns": [f"{self.prefix}-*"], "priority": 900_000}
        self._template["template"]["settings"]["index.number_of_replicas"] = 0
        self.client.indices.put_index_template(name=self.prefix, body=self._template)

    def put(self, *documents: dict[str, Any], index: str = "2026-11-21") -> None:
        lines: list[dict[str, Any]] = []
        for told in documents:
            lines += [{"index": {"_index": f"{self.prefix}-{index}"}}, in_search_shape(told)]
        if lines:
            answer = self.client.bulk(body=lines, refresh=True)
            assert not answer["errors"], answer

    def backend(self) -> SearchBackend:
        client = connect(self.url, region=None)
        return SearchBackend(client, endpoint=self.url, indices=[f"{self.prefix}-2*"], prefix=self.prefix)

    def remove(self) -> None:
        self.client.indices.delete(index=f"{self.prefix}-*", ignore_unavailable=True)
        self.client.indices.delete_index_template(name=self.prefix)
        self.client.close()


def put_object(
    client: Any,
    *documents: dict[str, Any],
    hour: str = "2026/11/21/11",
    route: str = "shop",
    inside: str = "",
    name: str | None = None,
) -> str:
    year, month, day, of_day = hour.split("/")
    folder = f"logs/route={route}/{inside}year={year}/month={month}/day={day}/hour={of_day}/"
    key = folder + (name or f"{uuid.uuid4().hex}.gz")
    body = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in documents)
    client.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(body.encode()))
    return key


def bucket_of(client: Any, *routes: str, keys: int = 0) -> Bucket:
    folders = [StoredRoute(name=name, prefix=f"logs/route={name}/", keys=keys) for name in routes or ("shop",)]
    return Bucket(client, bucket=BUCKET, routes=folders)


def stored(
    client: Any, *routes: str, keys: int = 0, now: str = NOW, late_hours: int = 1, scan_limit: int = GIB
) -> StoredBackend:
    return StoredBackend(
        bucket_of(client, *routes, keys=keys),
        now_ns=at_ns(now),
        late=timedelta(hours=late_hours),
        scan_limit=scan_limit,
    )


def datetime_of(text: str) -> datetime:
    return datetime.fromtimestamp(at_ns(text) / 1e9, UTC)
