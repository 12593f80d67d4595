"""What a search holds is read once, by who may do nothing but search."""

import json
import random
import re
from collections import Counter
from uuid import uuid4

import pytest
from botocore.exceptions import ConnectionClosedError
from hypothesis import example, given
from hypothesis import strategies as st
from opensearchpy import OpenSearch

from loadtest.asking import SearchError, poster
from loadtest.tally import windows
from loadtest.tally.windows import WindowReader
from sluice import names
from sluice.model import Config, deployment
from sluice.search.schema import index_template

BEGAN = 1_795_000_000
SECONDS = 10
FIRST, LAST = (BEGAN - 3600) * 10**9, (BEGAN + SECONDS) * 10**9
NOW = BEGAN + 1000.0
WEB = "shop-dev-web-2026-11-18"
PLACES = {"web": "shop-dev-web", "web-2": "shop-dev-web-2", "api": "shop-dev-api", "of-2026-11": "shop-dev-of-2026-11"}
FOUND_AFTER = {"web": 30, "web-2": 60, "api": 0.5, "of-2026-11": 1}


def told(unix_nano):
    return windows._told(unix_nano)


def documents(*times):
    return [{"n": number, "observedTimestamp": told(time)} for number, time in enumerate(times)]


class Search:
    """What a domain and a collection both do, and no more: anything else that is asked for is refused."""

    def __init__(self, indices, *, most=windows.MOST):
        self.indices, self._most, self.asked = indices, most, []

    def __call__(self, path, body):
        place = re.fullmatch(r"/([a-z0-9-]+)\*/_search\?ignore_unavailable=true&allow_no_indices=true", path)[1]
        query = json.loads(body)
        self.asked.append((place, query))
        assert query.keys() <= {"query", "size", "track_total_hits"}
        if query["size"] > self._most:
            return 400, b"Result window is too large"
        [condition] = query["query"]["bool"]["filter"]
        times = condition["range"]["observedTimestamp"]
        hits = [
            {"_index": index, "_source": each}
            for index, those in self.indices.items()
            if index.startswith(place)
            for each in those
            if times["gte"] <= each.get("observedTimestamp", "") <= times["lte"]
        ]
        hits.reverse()
        total = {"value": len(hits), "relation": "eq"} if query["track_total_hits"] else None
        shards = {"total": 1, "successful": 1, "failed": 0}
        answer = {"timed_out": False, "_shards": shards, "hits": {"total": total, "hits": hits[: query["size"]]}}
        return 200, json.dumps(answer).encode()


def reader_of(post, places=PLACES, since=BEGAN, until=BEGAN + SECONDS):
    return WindowReader(post, places=places, found_after=FOUND_AFTER, since=since, until=until, clock=lambda: NOW)


def read(reader):
    """The numbers of the documents, by route, as they came."""
    return [
        (found.route, json.loads(line)["n"])
        for found in reader.read()
        for lines in found.lines
        for line in lines.splitlines()
    ]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(windows, "PAGE", 3)
    monkeypatch.setattr(windows, "MOST", 5)
    monkeypatch.setattr(windows, "PAUSES", (0, 0))


times = st.one_of(
    st.integers(FIRST, LAST),
    st.integers(LAST - 4, LAST),
    st.integers(FIRST, FIRST + 4),
    st.sampled_from([BEGAN * 10**9, BEGAN * 10**9 + 1]),
)


@given(st.lists(times, max_size=40))
@example([LAST] * 5 + [FIRST] * 5)
@example([LAST] * 6)
@example([BEGAN * 10**9 + at for at in range(40)])
def test_every_document_is_read_once_whatever_their_times(those):
    search = Search({WEB: documents(*those)}, most=5)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(windows, "PAGE", 3)
        patched.setattr(windows, "MOST", 5)
        reader = reader_of(search)
        assert reader.count() == len(those)
        [(time, count)] = Counter(those).most_common(1) or [(0, 0)]
        if count > 5:
            with pytest.raises(SearchError, match=f"{count} documents in shop-dev-web.* have the time {told(time)}"):
                read(reader)
        else:
            assert sorted(read(reader)) == [("web", n) for n in range(len(those))]


def test_what_was_observed_before_and_after_a_load_is_left_out():
    search = Search({WEB: documents(FIRST - 1, FIRST, LAST, LAST + 1)})
    assert reader_of(search).count() == 2
    assert read(reader_of(search)) == [("web", 1), ("web", 2)]
    [*_, (_, query)] = search.asked
    assert query["query"]["bool"]["filter"][0]["range"]["observedTimestamp"] == {
        "gte": "2026-11-18T10:06:40.000000000Z",
        "lte": "2026-11-18T11:06:50.000000000Z",
    }
    within = reader_of(search, since=BEGAN + 0.9, until=BEGAN + SECONDS - 0.9)
    assert read(within) == [("web", 1), ("web", 2)], "parts of a second are whole ones"


@pytest.mark.usefixtures("small")
def test_pages_are_as_large_as_they_may_be_and_the_rest_is_only_counted():
    search = Search({WEB: documents(*range(BEGAN * 10**9, (BEGAN + 10) * 10**9, 10**8))}, most=5)
    assert [n for _, n in read(reader_of(search))] == list(range(100)), "by the time at which they were observed"
    counted = [query for _, query in search.asked if query["size"] == 0]
    pages = len(search.asked) - len(counted)
    assert 100 / 3 <= pages < 100 / 3 * 2.5
    assert len(counted) < 2.5 * pages


def test_indices_that_begin_alike_are_read_once_and_belong_to_their_own_route():
    [one] = documents(BEGAN * 10**9)
    held = {
        "shop-dev-web-2026-11-18": 1,
        "shop-dev-web-000002": 2,
        "shop-dev-web-2-2026-11-18": 3,
        "shop-dev-web-2": 4,
        "shop-dev-web-3-2026-11-18": 5,
        "shop-dev-api": 6,
        "shop-dev-of-2026-11": 7,
    }
    search = Search({index: [one | {"n": n}] for index, n in held.items()})
    expected = [("api", 6), ("of-2026-11", 7), ("web", 1), ("web", 2), ("web-2", 3), ("web-2", 4)]
    assert sorted(read(reader_of(search))) == expected, "web-3 was not asked for"
    assert {place for place, _ in search.asked} == {"shop-dev-web", "shop-dev-api", "shop-dev-of-2026-11"}


def test_documents_can_be_found_some_time_after_the_transformer_had_them_and_when_they_were_found_at_last():
    def document(n, delay, **changes):
        attributes = {} if delay is None else {"log.record.delay": delay}
        return {"n": n, "observedTimestamp": f"2026-11-18T11:06:4{n}.5{'0' * 8}Z", "attributes": attributes, **changes}

    later = {"overflow": [{"at": "/observedTimestamp", "text": "2999-01-01T00:00:00.000000000Z"}]}
    search = Search(
        {
            WEB: [document(0, 2.04), document(1, 1), document(2, None), document(3, "nan"), document(4, 1e9)],
            "shop-dev-api": [document(5, -1e10), document(6, 1, **later), document(7, 1)],
        }
    )
    found = [
        (found.route, found.readable_at, [json.loads(line)["n"] for line in b"".join(found.lines).splitlines()])
        for found in reader_of(search).read()
    ]
    assert found == [
        ("web", BEGAN + 0.5 + 2 + 30, [0, 1]),
        ("web", NOW, [2, 3, 4]),
        ("api", NOW, [5, 6]),
        ("api", BEGAN + 7.5 + 1 + 0.5, [7]),
    ]


def test_documents_are_in_the_form_that_s3_has(run):
    at = {"observedTimestamp": told(BEGAN * 10**9)}
    kept = {"numbers": {"n": 1}, "body": "", "overflow": [{"at": "/body", "text": run.text(0, 1)}]}
    indices = {
        "shop-dev-frontend": [run.document(0, 0) | at, run.document(0, 1) | at | kept],
        "shop-dev-backend": [run.document(0, 2, attributes={"n": 10**30}) | at],
    }
    reader = WindowReader(
        Search(indices),
        places={"frontend": "shop-dev-frontend", "backend": "shop-dev-backend"},
        found_after={"frontend": 1, "backend": 1},
        since=BEGAN,
        until=BEGAN,
    )
    for found in reader.read():
        assert found.failed is None
        for lines in found.lines:
            run.tally.deliver(lines, route=found.route, readable_at=found.readable_at)
    result = run.close()
    assert (result.total.delivered, result.total.altered, result.total.misrouted) == (3, 0, 1)


class Troubled:
    """A search that has these troubles first, and counts the requests."""

    def __init__(self, search, *troubles):
        self._search, self._troubles, self.requests = search, list(troubles), 0

    def __call__(self, path, body):
        self.requests += 1
        status, answer = self._search(path, body)
        trouble = self._troubles.pop(0) if self._troubles else {}
        if isinstance(trouble, Exception):
            raise trouble
        if isinstance(trouble, int):
            return trouble, b"no"
        return status, json.dumps(json.loads(answer) | trouble).encode()


TROUBLES = [
    *(429, 500, 503, ConnectionResetError("gone"), ConnectionClosedError(endpoint_url="https://search.example")),
    *({"timed_out": True}, {"_shards": {"total": 2, "successful": 1, "failed": 1}}),
]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_was_not_answered_or_not_by_all_is_asked_again(trouble):
    search = Search({WEB: documents(*[BEGAN * 10**9] * 4)}, most=5)
    assert reader_of(Troubled(search, trouble, trouble)).count() == 4
    post = Troubled(search, trouble, trouble, trouble)
    with pytest.raises(SearchError, match="search"):
        reader_of(post).count()
    assert post.requests == 3


@pytest.mark.usefixtures("small")
def test_a_refusal_is_told_at_once():
    post = Troubled(Search({}), 403)
    with pytest.raises(SearchError, match="403"):
        reader_of(post).count()
    assert post.requests == 1


@pytest.fixture
def installed(opensearch_url):
    """A route's place in a real OpenSearch, whose indices have the route's template."""
    config = Config.model_validate(
        {
            "name": f"t{uuid4().hex[:8]}",
            "environments": {"dev": {}},
            "search": {"kind": "domain", "indices": {"replicas": 0, "shards": 2}},
            "routes": [{"name": "web", "match": "web*", "destination": {"kind": "opensearch"}}],
        }
    )
    here = deployment(config, "dev")
    route = here.routes[0]
    place, client = names.index(here, route), OpenSearch(opensearch_url)
    client.indices.put_index_template(name=place, body=index_template(here, route))
    yield client, place
    client.indices.delete(index=f"{place}-*")
    client.indices.delete_index_template(name=place)


def test_a_real_search_gives_every_document_once(installed, opensearch_url, monkeypatch):
    monkeypatch.setattr(windows, "PAGE", 8)
    client, place = installed
    chosen = random.Random(1)
    close = [BEGAN * 10**9 + 123_456_000 + at for at in range(12)]
    those = [FIRST, LAST, *close, *close[:1] * 10, *(chosen.randint(FIRST, LAST) for _ in range(40))]
    every = documents(*those, FIRST - 1, LAST + 1)
    chosen.shuffle(every)
    lines = [line for each in every for line in ({"index": {"_index": f"{place}-2026-11-{17 + each['n'] % 2}"}}, each)]
    assert not client.bulk(body=lines, refresh=True)["errors"]
    reader = reader_of(poster(opensearch_url, "es"), places={"web": place})
    assert reader.count() == len(those)
    assert sorted(read(reader)) == [("web", n) for n in range(len(those))]


def test_a_real_search_without_an_index_holds_nothing(opensearch_url):
    reader = reader_of(poster(opensearch_url, "es"), places={"web": f"t{uuid4().hex[:8]}"})
    assert (reader.count(), read(reader)) == (0, [])
