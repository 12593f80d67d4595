"""What became readable in OpenSearch, each document once, in the form that S3 has."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from opensearchpy import OpenSearch

from loadtest.read_search import IndexReader, route_of_index
from sluice.search.form import stored_form


@pytest.fixture
def client(opensearch_url: str) -> OpenSearch:
    return OpenSearch(opensearch_url)


@pytest.fixture
def prefix(client: OpenSearch) -> Iterator[str]:
    name = f"t{uuid4().hex[:8]}"
    yield name
    client.indices.delete(index=f"{name}-*")


def put(client: OpenSearch, index: str, *documents: dict[str, Any], shards: int = 1) -> None:
    if not client.indices.exists(index=index):
        client.indices.create(index=index, body={"settings": {"number_of_shards": shards, "number_of_replicas": 0}})
    lines = [line for document in documents for line in ({"index": {"_index": index}}, document)]
    assert not client.bulk(body=lines)["errors"]


def seen(reader: IndexReader) -> list[int]:
    return sorted(found.document["n"] for found in reader.poll())


def test_every_document_is_given_once_whatever_its_time_and_shard(client: OpenSearch, prefix: str) -> None:
    reader = IndexReader(client, pattern=f"{prefix}-*")
    assert seen(reader) == []
    put(client, f"{prefix}-web-2026-11-21", *({"n": n} for n in range(2500)), shards=3)
    put(client, f"{prefix}-web-2026-11-22", *({"n": n} for n in range(2500, 4700)))
    client.indices.refresh(index=f"{prefix}-*")
    assert seen(reader) == list(range(4700)), "more than a page, of one shard and of several"
    assert seen(reader) == []
    put(client, f"{prefix}-web-2026-11-21", {"n": -1})
    client.indices.refresh(index=f"{prefix}-*")
    assert seen(reader) == [-1]


def test_copies_are_documents_of_their_own(client: OpenSearch, prefix: str) -> None:
    put(client, f"{prefix}-web", {"n": 1, "event_id": "a"}, {"n": 1, "event_id": "a"})
    client.indices.refresh(index=f"{prefix}-*")
    assert seen(IndexReader(client, pattern=f"{prefix}-*")) == [1, 1]


def test_since_a_time_what_is_older_is_left_out(client: OpenSearch, prefix: str) -> None:
    times = ("2026-11-21T08:59:59.999999999Z", "2026-11-21T09:00:00Z", "2026-11-21T10:00:01Z")
    put(client, f"{prefix}-web", *({"n": n, "observedTimestamp": time} for n, time in enumerate(times)))
    client.indices.refresh(index=f"{prefix}-*")
    ten = datetime(2026, 11, 21, 10, tzinfo=UTC).timestamp()
    assert seen(IndexReader(client, pattern=f"{prefix}-*", since=ten)) == [1, 2], "an hour before is kept, for clocks"


def test_what_is_not_yet_found_by_a_search_is_not_readable(client: OpenSearch, prefix: str) -> None:
    index = f"{prefix}-web"
    client.indices.create(index=index, body={"settings": {"refresh_interval": -1}})
    put(client, index, {"n": 1})
    reader = IndexReader(client, pattern=f"{prefix}-*", clock=lambda: 17.0)
    assert seen(reader) == []
    client.indices.refresh(index=index)
    [found] = reader.poll()
    assert (found.index, found.readable_at, found.document) == (index, 17.0, {"n": 1})


@pytest.mark.parametrize(
    ("index", "route"),
    [
        ("shop-prod-web", "web"),
        ("shop-prod-web-2026-11-21", "web"),
        ("shop-prod-web-2-2026-11-21-07", "web-2"),
        ("shop-prod-web-2026-w07", "web"),
        ("shop-prod-web-2026-11", "web"),
        ("shop-prod-web-000012", "web"),
        ("shop-prod-web-2", "web-2"),
        ("shop-prod-catch-all-2026-11-21", "catch-all"),
    ],
)
def test_index_names_its_route(index: str, route: str) -> None:
    assert route_of_index(index, prefix="shop-prod") == route


def test_document_is_read_back_into_the_form_of_s3() -> None:
    found = {
        "@timestamp": "2262-04-11T23:47:16.854775807Z",
        "numbers": {"took": 1.5},
        "body": '[1,{"a":2}]',
        "body_is_json": True,
        "attributes": {"took": "1.5", "list": [None, 1]},
        "overflow": [
            {"at": "/@timestamp", "text": "2999-01-01T00:00:00.000000000Z"},
            {"at": "/attributes/list/0", "text": "long"},
            {"at": "/attributes/a~1b~0c", "json": '{"deep":[1]}'},
            {"at": "/resource/service/name", "json": "7"},
        ],
    }
    before = deepcopy(found)
    assert stored_form(found) == {
        "@timestamp": "2999-01-01T00:00:00.000000000Z",
        "body": [1, {"a": 2}],
        "attributes": {"took": "1.5", "list": ["long", 1], "a/b~c": {"deep": [1]}},
        "resource": {"service": {"name": 7}},
    }
    assert found == before, "what was found is left as it is"
