"""A real OpenSearch takes every document, whatever applications log under one name, and people find it again.

The lines go through the transformer as its settings for OpenSearch are, and by `_bulk` into an index that the template
made. What comes back is held against what the same lines become in S3.
"""

import base64
import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.transform.batch import transform_batch
from lambdas.transform.delay import DELAY
from lambdas.transform.pipeline import make_pipeline
from lambdas.transform.settings import Settings
from lambdas.transform.spec import Redaction, Shape
from sluice import names
from sluice.destinations import OpenSearchDestination
from sluice.model import Config, Deployment, Environment, deployment
from sluice.routes import Route
from sluice.search.schema import failed_template, index_template
from sluice.search_settings import ExistingDomain, Indices
from tests.lambdas.transform.test_properties import RECORD
from tests.lambdas.transform.test_searchable import restored

EVENTS = Path(__file__).parent / "events"
NOW = "2026-11-21T02:36:00.123456789Z"
ARRIVAL_MS = 1_795_228_590_123
NUMBERS = ("queue.depth", "ratio")
ROUTE = Route(name="web", match="*", destination=OpenSearchDestination(kind="opensearch", numbers=NUMBERS))
Documents = list[dict[str, Any]]

VALUES: tuple[Any, ...] = (
    *("text", "", "5", "2026-11-21", "true", 5, -1, 2**63, 1.5, True, False, None),
    *({}, {"a": 1}, {"a": {"b": "c"}}, {"name": "x"}, {"text": "x"}, {"": {".": 1}}, {"a.b": 1, "a": {"b": 2}}),
    *([], [1], ["a", 1, None, True], [{"a": 1}, {"b": "c"}], [[1], [[2]]], [{"a": [1, {"b": 2}]}, 5]),
    *("v" * 3000, "é" * 20_000, ["v" * 40_000], {"a": "v" * 40_000}, {"k" * 33_000: 1}, {"k" * 1500: [1] * 1000}),
)
"""One of every kind that JSON knows, and those that no term can hold."""
MEMBERS = (
    *(
        "order_id",
        "message",
        "msg",
        "body",
        "event",
        "level",
        "severity",
        "time",
        "timestamp",
        "@timestamp",
        "trace_id",
    ),
    *("traceId", "span_id", "dd", "service", "service.name", "resource", "attributes", "numbers", "overflow", "tag"),
    *("event_id", "_id", "_source", "http.response.status_code", "http", "duration", "queue.depth", "queue", "error"),
    *("exception", "host", "container", "log", "", ".", "..", "a.", ".a", "a..b", " ", "a b", "*", "\0", "k" * 40_000),
)
ENVELOPE = (
    *("log", "_time", "_tag", "source", "container_id", "container_name", "ecs_cluster", "ecs_task_arn", "message"),
    *("ecs_task_definition", "ec2_instance_id", "az", "hostname", "aws.log.group.names", "partial_id", "time", "level"),
)


class Search:
    """An OpenSearch with the templates of an installation of its own."""

    def __init__(self, url: str, here: Deployment) -> None:
        self._url = url
        self._http = urllib3.PoolManager()
        self.index = f"{names.index(here, ROUTE)}-2026-11-21"
        self.failed = f"{names.failed_index(here)}-000001"
        self.call("PUT", f"/_index_template/{names.index(here, ROUTE)}", index_template(here, ROUTE))
        self.call("PUT", f"/_index_template/{names.failed_index(here)}", failed_template(here))

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        told = self._http.request(method, self._url + path, json=body)
        assert told.status == 200, told.data
        return json.loads(told.data)

    def bulk(self, index: str, lines: Iterable[str]) -> list[dict[str, Any]]:
        """What OpenSearch says to each document, sent as many as Firehose would."""
        answers: list[dict[str, Any]] = []
        for some in batches(lines, most=5 * 1024 * 1024):
            told = self._http.request(
                "POST",
                f"{self._url}/{index}/_bulk",
                body="".join(f'{{"index":{{}}}}\n{line}' for line in some).encode(),
                headers={"content-type": "application/x-ndjson"},
            )
            assert told.status == 200, told.data[:500]
            answers += [item["index"] for item in json.loads(told.data)["items"]]
        self.call("POST", f"/{index}/_refresh")
        return answers

    def find(self, event_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The documents by their ids, as they are searched for."""
        found: dict[str, dict[str, Any]] = {}
        ids = sorted(set(event_ids))
        for start in range(0, len(ids), 500):
            query = {"size": 10_000, "query": {"terms": {"event_id": ids[start : start + 500]}}}
            for hit in self.call("POST", f"/{self.index}/_search", query)["hits"]["hits"]:
                found[hit["_source"]["event_id"]] = hit["_source"]
        return found

    def typed(self, words: str, **also: object) -> Documents:
        """What is found by what somebody typed."""
        query = {"size": 100, "query": {"query_string": {"query": words}}, **also}
        return [hit["_source"] for hit in self.call("POST", f"/{self.index}/_search", query)["hits"]["hits"]]

    def buckets(self, aggregation: dict[str, Any]) -> dict[Any, int]:
        told = self.call("POST", f"/{self.index}/_search", {"size": 0, "aggs": {"x": aggregation}})
        return {bucket["key"]: bucket["doc_count"] for bucket in told["aggregations"]["x"]["buckets"]}


def batches(lines: Iterable[str], *, most: int) -> Iterable[list[str]]:
    some: list[str] = []
    size = 0
    for line in lines:
        if some and size + len(line) > most:
            yield some
            some, size = [], 0
        some.append(line)
        size += len(line)
    if some:
        yield some


def installation(name: str) -> Deployment:
    domain = ExistingDomain(
        kind="existing",
        endpoint="http://127.0.0.1:9200",
        arn="arn:aws:es:eu-west-1:111122223333:domain/logs",
        indices=Indices(replicas=0),
    )
    config = Config(name=name, environments={"test": Environment()}, search=domain, routes=(ROUTE,))
    return deployment(config, "test")


@pytest.fixture(scope="module")
def search(opensearch_url: str) -> Search:
    return Search(opensearch_url, installation("conflicts"))


def transform(datas: Iterable[bytes], shape: Shape, **rules: Any) -> list[str]:
    """The documents of Firehose records, one function call for each, so that no answer is too large."""
    numbers = NUMBERS if shape == "search" else ()
    pipeline = make_pipeline(Settings(shape=shape, numbers=numbers, oversize="split", **rules))
    lines: list[str] = []
    for number, data in enumerate(datas):
        record = {
            "recordId": f"{number:056d}",
            "approximateArrivalTimestamp": ARRIVAL_MS,
            "data": base64.b64encode(data).decode(),
        }
        response, _ = transform_batch({"records": [record]}, pipeline=pipeline, now=NOW)
        (answer,) = response["records"]
        assert answer["result"] in ("Ok", "Dropped"), data[:200]
        lines += [f"{line}\n" for line in base64.b64decode(answer.get("data", "")).decode().split("\n")[:-1]]
    return lines


def log(members: object) -> bytes:
    """A record as Docker's driver sends it, with a line that an application wrote."""
    return json.dumps({"container_id": "fa6e", "source": "stdout", "log": json.dumps(members), "_time": NOW}).encode()


def conflicts() -> list[bytes]:
    """Every two kinds of value under one name, in both orders: lines of JSON, and what a shipper adds."""
    lines = [log({name: value}) for name in MEMBERS for value in VALUES]
    nested = [log({"outer": {name: value}}) for name in ("", ".", "a", "a.b", "k" * 2000) for value in VALUES]
    shipped = [json.dumps({"log": "x", name: value}).encode() for name in ENVELOPE for value in VALUES]
    names_of = ("same", "http.response.status_code")
    pairs = [
        log({name: value}) for pair in itertools.permutations(VALUES[:25], 2) for name in names_of for value in pair
    ]
    together = [log({"a": one, "a.b": other, "c": {"a": other, "a.b": one}}) for one in VALUES for other in VALUES[:19]]
    return lines + nested + shipped + pairs + together


def recorded() -> list[bytes]:
    """Every line and every Firehose record under tests/events."""
    found = [path.read_bytes() for kind in ("*.log", "*.txt") for path in sorted(EVENTS.rglob(kind))]
    for path in sorted(EVENTS.rglob("*.jsonl")):
        if ".expected" not in path.name:
            found.append(path.read_bytes())
            found += [json.dumps({"log": line}).encode() for line in path.read_text().splitlines()]
    for path in sorted(EVENTS.rglob("*.json")):
        records = json.loads(path.read_text()).get("records", ())
        found += [base64.b64decode(record["data"]) for record in records]
    return found


def check(search: Search, datas: list[bytes], **rules: Any) -> int:
    """No document of these records is refused, each is found, and says what it says in S3. Return how many."""
    lines = transform(datas, "search", **rules)
    errors = [answer["error"] for answer in search.bulk(search.index, lines) if "error" in answer]
    assert errors == []
    expected = {told["event_id"]: told for told in map(json.loads, transform(datas, "stored", **rules))}
    found = {event_id: undelayed(restored(source)) for event_id, source in search.find(expected).items()}
    assert found == expected
    return len(lines)


def undelayed(document: dict[str, Any]) -> dict[str, Any]:
    """Without what is said in OpenSearch alone, of every document."""
    assert document["attributes"].pop(DELAY) >= 0
    return document if document["attributes"] else {k: v for k, v in document.items() if k != "attributes"}


def test_every_pair_of_conflicting_values_is_found(search):
    assert check(search, conflicts()) > 4000


def test_every_recorded_line_is_found(search):
    assert check(search, recorded()) > 500


@pytest.mark.parametrize(
    "field", ["resource.service", "resource.container", "resource.aws.ecs", "attributes.http", "body"]
)
def test_a_rule_that_masks_a_whole_object_conflicts_with_nothing(search, field):
    told = {"container_id": "fa6e", "container_name": f"/ecs-shop-1-web-0123456789{field}", "log": '{"http": {"a": 1}}'}
    rule = Redaction(field, "field", field, "mask")

    check(search, [json.dumps(told).encode()], redact=(rule,))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=50
)
@given(
    st.lists(RECORD | st.dictionaries(st.sampled_from(MEMBERS[:34]), st.sampled_from(VALUES), max_size=4), max_size=5)
)
def test_any_json_is_found(search, members):
    datas = [data for told in members for data in (log(told), json.dumps(told).encode())]

    check(search, datas)


def test_the_mapping_is_as_large_as_before(search):
    """What every document before added to it: nothing."""
    now = search.call("GET", f"/{search.index}/_mapping")[search.index]["mappings"]["properties"]
    new = search.index.replace("2026-11-21", "2026-11-22")
    search.call("PUT", f"/{new}")

    assert now == search.call("GET", f"/{new}/_mapping")[new]["mappings"]["properties"]


def test_stored_as_in_s3_under_a_mapping_that_grows_some_are_lost(search):
    """Or this file would prove nothing."""
    search.call("PUT", "/plain-conflicts")
    answers = search.bulk("plain-conflicts", transform(conflicts()[::8], "stored"))

    lost = [answer["error"]["type"] for answer in answers if "error" in answer]
    assert len(lost) > len(answers) // 4
    assert {"mapper_parsing_exception", "illegal_argument_exception"} <= set(lost)


LINES: tuple[dict[str, Any], ...] = (
    {"message": "order taken", "level": "info", "order_id": "o-1", "user": {"name": "Ann"}, "n": 1},
    {"message": "java.lang.NullPointerException: card", "level": "error", "order_id": 7, "stack": "at com.Pay\n" * 900},
    {"message": "GET /", "http.response.status_code": 503, "duration": "12.5", "order_id": {"deep": True}},
    {"message": "GET /", "http": {"response": {"status_code": 200}}, "duration": 3},
)


@pytest.fixture(scope="module")
def shop(opensearch_url: str) -> Search:
    """Four lines of two services, a nanosecond apart, the last one first."""
    search = Search(opensearch_url, installation("typed"))
    datas = [
        json.dumps(
            {
                "container_name": f"/ecs-{'web' if number > 1 else 'pay'}-1-main-0123456789",
                "log": json.dumps(members),
                "_time": f"2026-11-21T02:36:00.{123456780 + number}Z",
                "_tag": "shop",
            }
        ).encode()
        for number, members in enumerate(LINES)
    ]
    assert all("error" not in answer for answer in search.bulk(search.index, transform(reversed(datas), "search")))
    return search


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("taken", [0]),
        ("body:TAKEN", [0]),
        ('"order taken"', [0]),
        ("nullpointerexception", [1]),
        ("java.lang.NullPointerException", [1]),
        ("attributes.order_id:o-1", [0]),
        ("attributes.order_id:o-*", [0]),
        ("attributes.order_id:7", [1]),
        ("attributes.order_id.deep:true", [2]),
        ("attributes.user.name:Ann", [0]),
        ("Ann", [0]),
        ("_exists_:attributes.user", [0]),
        ("com.pay", [1]),
        ("overflow.text.words:pay", [1]),
        ("resource.service.name:pay", [0, 1]),
        ("severity.text:ERROR", [1]),
        ("tag:shop AND NOT resource.service.name:pay", [2, 3]),
        ("numbers.http.response.status_code:[500 TO *]", [2]),
        ("numbers.http.response.status_code:<500", [3]),
        ("numbers.duration:>10", [2]),
        ('@timestamp:["2026-11-21T02:36:00.123456781Z" TO "2026-11-21T02:36:00.123456782Z"]', [1, 2]),
        ("resource.container.name:ecs\\-web*", [2, 3]),
    ],
)
def test_what_somebody_types_finds_the_line(shop, words, numbers):
    found = shop.typed(words, sort=[{"@timestamp": "asc"}])

    times = [document["@timestamp"] for document in found]
    assert times == [f"2026-11-21T02:36:00.{123456780 + number}Z" for number in numbers]


def test_newest_first_to_the_nanosecond(shop):
    found = shop.typed("*", sort=[{"@timestamp": "desc"}])

    assert [document["@timestamp"][-4:] for document in found] == ["783Z", "782Z", "781Z", "780Z"]


@pytest.mark.parametrize(
    ("field", "counts"),
    [
        ("resource.service.name", {"pay": 2, "web": 2}),
        ("severity.text", {"INFO": 1, "ERROR": 1}),
        ("body.keyword", {"GET /": 2, "order taken": 1, "java.lang.NullPointerException: card": 1}),
        ("numbers.http.response.status_code", {200.0: 1, 503.0: 1}),
    ],
)
def test_documents_are_counted_by_a_field(shop, field, counts):
    assert shop.buckets({"terms": {"field": field}}) == counts


def test_numbers_are_averaged(shop):
    told = shop.call(
        "POST", f"/{shop.index}/_search", {"size": 0, "aggs": {"x": {"avg": {"field": "numbers.duration"}}}}
    )

    assert told["aggregations"]["x"]["value"] == 7.75


def test_attributes_can_only_be_searched(shop):
    """Why there are numbers: should a later OpenSearch count them, they could be charted too."""
    assert shop.buckets({"terms": {"field": "attributes.order_id"}}) == {}


def test_a_failure_is_kept_with_its_raw_record(shop):
    row = {
        "@timestamp": NOW,
        "route": "web",
        "reason": "opensearch-failed",
        "code": "400",
        "message": "failed to parse field [a] of type [long]",
        "index": "shop-prod-web-2026-11-21",
        "bytes": 5,
        "line": 1,
        "sha256": "0" * 64,
        "object": "s3://logs/failed/x.gz",
        "raw": "x" * 40_000,
    }
    (answer,) = shop.bulk(shop.failed, [json.dumps(row) + "\n"])

    assert "error" not in answer
    query = {"query": {"query_string": {"query": "parse AND route:web AND reason:opensearch\\-failed"}}}
    (hit,) = shop.call("POST", f"/{shop.failed}/_search", query)["hits"]["hits"]
    assert hit["_source"] == row


@pytest.mark.parametrize(
    "own", [[".".join("a" * 100)], [f"{letter}.{'b.' * 90}c" for letter in "abcdefghij"], ["a", "a.b"]]
)
def test_numbers_of_any_depth_make_a_template_and_take_documents(opensearch_url, own: list[str]):
    search = Search(opensearch_url, installation("deep"))
    route = ROUTE.model_copy(update={"destination": OpenSearchDestination(kind="opensearch", numbers=tuple(own))})
    search.call(
        "PUT",
        f"/_index_template/{names.index(installation('deep'), ROUTE)}",
        index_template(installation("deep"), route),
    )
    index = f"{search.index}-{len(own)}-{len(own[0])}"
    pipeline = make_pipeline(Settings(shape="search", numbers=tuple(own)))
    record = {"recordId": "1", "approximateArrivalTimestamp": ARRIVAL_MS}
    data = base64.b64encode(log({**dict.fromkeys(own, 5), "http": {"response": {"status_code": 200}}})).decode()
    response, _ = transform_batch({"records": [{**record, "data": data}]}, pipeline=pipeline, now=NOW)
    line = base64.b64decode(response["records"][0]["data"]).decode()

    assert json.loads(line)["numbers"][own[0]] == 5
    assert all("error" not in answer for answer in search.bulk(index, [line]))
