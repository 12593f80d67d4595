"""From S3's event to rows that are found, against a real OpenSearch and a stood-in S3."""

import base64
import gzip
import json
from hashlib import sha256

import boto3
import pytest
from moto import mock_aws

from lambdas.search import cluster, quarantine
from lambdas.search.cluster import ClusterError
from lambdas.search.quarantine import NotIndexedError

BUCKET = "shop-dev-logs"
KEY = "failed/route=web/reason=AmazonOpenSearchService-failed/year=2026/month=11/day=21/hour=02/one.gz"


def line(number, **more):
    told = {
        "arrivalTimestamp": 1795228590123,
        "errorCode": "400",
        "errorMessage": "mapper_parsing_exception",
        "esIndexName": "shop-dev-web-2026-11-21",
        "rawData": base64.b64encode(f"document {number}".encode()).decode(),
        **more,
    }
    return json.dumps(told).encode() + b"\n"


@pytest.fixture
def s3(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    quarantine._s3.cache_clear()
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client
    quarantine._s3.cache_clear()


@pytest.fixture
def failed_index(domain, prefix, monkeypatch):
    """The alias of the failed index, as it is set up."""
    monkeypatch.setattr(cluster, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(quarantine, "FIRST_WAIT", 0.01)
    name = f"{prefix}_failed"
    properties = {"@timestamp": {"type": "date_nanos"}, "raw": {"type": "text", "index": False}}
    properties |= {key: {"type": "keyword"} for key in ("route", "reason", "code", "index", "sha256", "object")}
    properties |= {"message": {"type": "text"}, "bytes": {"type": "long"}, "line": {"type": "integer"}}
    domain.ask(
        "PUT",
        f"/{name}-000001",
        {"aliases": {name: {"is_write_index": True}}, "mappings": {"dynamic": False, "properties": properties}},
    )
    monkeypatch.setenv("SLUICE_SEARCH_ENDPOINT", domain.url)
    monkeypatch.setenv("SLUICE_SEARCH_SERVICE", "es")
    monkeypatch.setenv("SLUICE_FAILED_INDEX", name)
    return name


@pytest.fixture
def run(s3, context, failed_index):  # noqa: ARG001 - what is written to
    def go(data=None, *, key=KEY, seconds=300):
        if data is not None:
            s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        event = {
            "time": "2026-11-21T02:36:00Z",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": len(data or b"")}},
        }
        return quarantine.handler(event, context(seconds))

    return go


def found(domain, index, query="*"):
    domain.ask("POST", f"/{index}/_refresh")
    told = domain.ask("GET", f"/{index}/_search?size=1000&sort=line&q={query}")
    return [hit["_source"] for hit in told["hits"]["hits"]]


def test_failed_document_is_found_by_its_reason(run, domain, failed_index):
    assert run(gzip.compress(line(1) + line(2, errorCode="403"))) == {"rows": 2}
    (row,) = found(domain, failed_index, "code:403")
    assert row["raw"] == "document 2"
    assert row["sha256"] == sha256(b"document 2").hexdigest()
    assert row["object"] == f"s3://{BUCKET}/{KEY}"
    assert (row["route"], row["line"], row["@timestamp"]) == ("web", 2, "2026-11-21T02:36:30.123Z")


def test_object_that_comes_twice_has_its_rows_once(run, domain, failed_index):
    data = line(1) + b"broken\n" + line(3)
    run(data)
    run(data)
    assert [row["line"] for row in found(domain, failed_index)] == [1, 2, 3]


def test_untransformed_record_leaves_no_data_in_the_index(run, domain, failed_index):
    key = KEY.replace("AmazonOpenSearchService-failed", "processing-failed")
    run(line(1, rawData=base64.b64encode(b"password=hunter2").decode()), key=key)
    (row,) = found(domain, failed_index)
    assert "raw" not in row
    assert "hunter2" not in json.dumps(row)
    assert row["sha256"] == sha256(b"password=hunter2").hexdigest()


def test_many_rows_go_in_parts_that_opensearch_takes(run, domain, failed_index, monkeypatch):
    monkeypatch.setattr(quarantine, "CHUNK_ROWS", 40)
    assert run(b"".join(line(number) for number in range(100))) == {"rows": 100}
    assert sum(path.endswith("/_bulk") for _, path in domain.calls) == 3
    assert len(found(domain, failed_index)) == 100


def test_parts_are_bounded_by_bytes_too(run, domain, failed_index, monkeypatch):
    monkeypatch.setattr(quarantine, "CHUNK_BYTES", 2000)
    run(b"".join(line(number) for number in range(20)))
    assert sum(path.endswith("/_bulk") for _, path in domain.calls) > 5
    assert len(found(domain, failed_index)) == 20


@pytest.mark.parametrize("status", [429, 503])
def test_busy_cluster_is_tried_again(run, domain, failed_index, status):
    domain.fail_with = [status] * 3
    assert run(line(1)) == {"rows": 1}
    assert len(found(domain, failed_index)) == 1


def test_row_that_was_rejected_is_sent_again_alone(run, domain, failed_index, monkeypatch):
    sent = []
    forward = domain._forward

    def reject_first(method, target, body):
        if "_bulk" not in target:
            return forward(method, target, body)
        sent.append(body.count(b'"index"'))
        status, told = forward(method, target, body)
        answer = json.loads(told)
        if len(sent) == 1:
            answer["items"][1] = {"index": {"status": 429, "error": {"type": "rejected", "reason": "busy"}}}
        return status, json.dumps(answer).encode()

    monkeypatch.setattr(domain, "_forward", reject_first)
    assert run(line(1) + line(2) + line(3)) == {"rows": 3}
    assert [path for _, path in domain.calls].count(f"/{failed_index}/_bulk") == 2


def test_row_that_cannot_be_indexed_raises_after_the_others(run, domain, failed_index, monkeypatch):
    domain.ask("PUT", f"/{failed_index}/_mapping", {"dynamic": "strict"})
    made = quarantine.rows

    def with_a_strange_one(place, chunks):
        for row in made(place, chunks):
            yield {**row, "strange": 1} if row["line"] == 2 else row

    monkeypatch.setattr(quarantine, "rows", with_a_strange_one)
    with pytest.raises(NotIndexedError, match=r"1 of 3 rows were not indexed: 400 strict_dynamic_mapping_exception"):
        run(line(1) + line(2) + line(3))
    assert [row["line"] for row in found(domain, failed_index)] == [1, 3]


def test_alias_that_is_not_set_up_raises_and_makes_no_index_of_its_name(run, domain, prefix, monkeypatch):
    monkeypatch.setenv("SLUICE_FAILED_INDEX", f"{prefix}_missing")
    with pytest.raises(NotIndexedError, match="404 index_not_found_exception"):
        run(line(1))
    assert domain.ask("GET", f"/{prefix}_missing") is None


def test_cluster_that_stays_away_raises_in_time(run, domain, monkeypatch):
    monkeypatch.setattr(quarantine, "RESERVE_SECONDS", 0.5)
    domain.fail_with = [503] * 100_000
    with pytest.raises(ClusterError, match="503"):
        run(line(1), seconds=4)


def test_collection_is_sent_no_ids(run, domain, failed_index, monkeypatch):
    monkeypatch.setenv("SLUICE_SEARCH_SERVICE", "aoss")
    run(line(1))
    domain.ask("POST", f"/{failed_index}/_refresh")
    (hit,) = domain.ask("GET", f"/{failed_index}/_search")["hits"]["hits"]
    assert len(hit["_id"]) == 20  # OpenSearch's own


def test_object_that_is_gone_or_not_of_failed_records_is_passed_over(run, domain):
    assert run() == {"rows": 0}
    assert run(line(1), key="logs/route=web/x") == {"rows": 0}
    assert domain.calls == []
