"""The OpenSearch destination against a real OpenSearch: what it refuses, and what a crash of it costs."""

import json
import socket
import threading
import time
import uuid
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from local.firehose import BufferHints, S3Destination, SystemClock
from local.firehose.config import OpenSearchDestination
from local.firehose.destinations.opensearch import OPENSEARCH_FAILED, OpenSearchOutput, PostBulk, post_to
from local.firehose.destinations.s3 import ObjectFormat, S3Output
from local.firehose.record import Outgoing
from local.opensearch import OpenSearch
from tests.local.firehose.conftest import Bucket

CACHE = Path(__file__).resolve().parents[3] / ".cache"
PATIENCE_SECONDS = 300
BACKUP = S3Destination("sluice-logs", error_prefix="failed/!{firehose:error-output-type}/")
HINTS = BufferHints(size_bytes=1_000_000, interval_seconds=0)


def output(post: PostBulk, bucket: Bucket, *, index: str, retry_seconds: float = 60, hints: BufferHints = HINTS):
    clock = SystemClock()
    destination = OpenSearchDestination(
        "http://127.0.0.1", index, BACKUP, rotation="NoRotation", retry_seconds=retry_seconds, hints=hints
    )
    objects = ObjectFormat(BACKUP.bucket, BACKUP.error_prefix, "web", "1", error_type=OPENSEARCH_FAILED)
    errors = S3Output(objects, hints=HINTS, put_object=bucket.put_object, clock=clock)
    return OpenSearchOutput(destination, post=post, errors=errors, clock=clock)


def record(document: dict) -> Outgoing:
    data = json.dumps(document).encode() + b"\n"
    return Outgoing(data, int(time.time() * 1000), len(data))


def drain(running: OpenSearchOutput) -> list[Outgoing]:
    arrived = running.work(flush=True)
    while (due_at := running.due_at(flush=True)) is not None:
        time.sleep(max(0.0, due_at - time.time()))
        arrived += running.work(flush=True)
    return arrived


def found(url: str, index: str, query: str = "*") -> list[dict]:
    urllib3.request("POST", f"{url}/{index}/_refresh")
    answer = urllib3.request("GET", f"{url}/{index}/_search", fields={"q": query, "size": "10000"}).json()
    return [hit["_source"] for hit in answer["hits"]["hits"]]


@pytest.fixture
def index() -> str:
    return f"test-{uuid.uuid4()}"


def test_a_mapping_conflict_goes_to_the_backup_and_its_neighbours_are_found(opensearch_url, index, bucket):
    running = output(post_to(opensearch_url), bucket, index=index, retry_seconds=0)
    running.add(record({"order": 1, "body": "payment accepted"}))
    assert [outgoing.failure for outgoing in drain(running)] == [None]

    running.add(record({"order": 2, "body": "payment refused by the bank"}))
    running.add(record({"order": "a text where numbers are", "body": "conflict"}))
    running.add(record({"order": 3, "order.": "no such name", "body": "also refused"}))
    running.add(record({"order": 4, "body": "shipped"}))
    arrived = drain(running)

    assert sorted(str(outgoing.failure) for outgoing in arrived) == ["400", "400", "None", "None"]
    assert sorted(document["order"] for document in found(opensearch_url, index)) == [1, 2, 4]
    assert [document["order"] for document in found(opensearch_url, index, "body:refused")] == [2]
    lines = {json.loads(b64decode(line["rawData"]))["body"]: line for line in bucket.errors()}
    assert lines.keys() == {"conflict", "also refused"}
    error = json.loads(lines["conflict"]["errorMessage"])
    assert error["type"] == "mapper_parsing_exception"
    assert "[order] of type [long]" in error["reason"]
    assert {(line["esIndexName"], line["attemptsMade"]) for line in lines.values()} == {(index, 1)}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, opensearch_url: str) -> Path:  # noqa: ARG001 - skips without one
    return tmp_path_factory.mktemp("killable")


@pytest.fixture(scope="module")
def searches(work: Path) -> Iterator[list[OpenSearch]]:
    started: list[OpenSearch] = []
    start_again(started, work)
    yield started
    started[-1].__exit__(None, None, None)


@pytest.fixture
def killable(searches: list[OpenSearch], work: Path) -> list[OpenSearch]:
    """Those that ran on these data, of which the last runs and may be killed."""
    if searches[-1].process.exit_code is not None:
        start_again(searches, work)
    return searches


def start_again(searches: list[OpenSearch], work: Path) -> None:
    searches.append(OpenSearch(cache=CACHE, work=work).__enter__())


@contextmanager
def killed(search: OpenSearch) -> Iterator[None]:
    """Kill it, and hold its port without listening: no other test's OpenSearch may answer there."""
    search.kill()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", int(search.url.rsplit(":", 1)[1])))
        yield


def test_killing_opensearch_in_the_middle_loses_nothing(killable, work, index, bucket):
    """SIGKILL while a bulk is under way, then another OpenSearch on the same data."""
    under_way, dead, felt = threading.Event(), threading.Event(), threading.Event()
    outcomes: list[object] = []

    def post(body: bytes) -> tuple[int, bytes]:
        if len(outcomes) == 15:
            under_way.set()
        if len(outcomes) == 16:
            assert dead.wait(PATIENCE_SECONDS)
        try:
            outcomes.append((answer := post_to(killable[-1].url)(body))[0])
        except Exception as error:
            outcomes.append(error)
            felt.set()
            raise
        return answer

    hints = BufferHints(size_bytes=70_000, interval_seconds=0)
    running = output(post, bucket, index=index, retry_seconds=300, hints=hints)
    for number in range(10_000):
        running.add(record({"n": number, "text": "x" * 200}))
    arrived: list[Outgoing] = []
    delivery = threading.Thread(target=lambda: arrived.extend(drain(running)), daemon=True)
    delivery.start()
    assert under_way.wait(PATIENCE_SECONDS)
    with killed(killable[-1]):
        dead.set()
        assert felt.wait(PATIENCE_SECONDS)
        start_again(killable, work)
        delivery.join()

    assert outcomes[:15] == [200] * 15
    assert any(isinstance(outcome, urllib3.exceptions.HTTPError) for outcome in outcomes), "the crash was felt"
    assert len(arrived) == 10_000
    assert not any(outgoing.failure for outgoing in arrived)
    numbers = set()
    for start in range(0, 10_000, 5000):  # in two parts: what was sent twice must fit into an answer too
        query = f"n:[{start} TO {start + 4999}]"
        numbers |= {document["n"] for document in found(killable[-1].url, index, query)}
    assert numbers == set(range(10_000))


def test_what_is_not_taken_in_time_because_opensearch_is_down_is_in_the_backup(killable, index, bucket):
    running = output(post_to(killable[-1].url), bucket, index=index, retry_seconds=3)
    for number in range(5):
        running.add(record({"n": number}))
    with killed(killable[-1]):
        arrived = drain(running)

    assert [outgoing.failure for outgoing in arrived] == ["ES.ServiceException"] * 5
    lines = bucket.errors()
    assert sorted(json.loads(b64decode(line["rawData"]))["n"] for line in lines) == [0, 1, 2, 3, 4]
    assert {line["attemptsMade"] for line in lines} <= {2, 3}, "at once, after a second, at the end"
    assert "refused" in lines[0]["errorMessage"]
