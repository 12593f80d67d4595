"""Tracers in OpenSearch: what is asked, and when a document was found."""

import json
import time

import pytest

from loadtest.asking import SearchError
from loadtest.canary import search
from loadtest.canary.search import find_copies
from loadtest.canary.settings import first_of
from tests.loadtest.canary.stage import FOUND, SETTINGS, document

ONE = first_of(29_000_000)
DUE = 1_795_000_000_000_000_000


class Answers:
    def __init__(self, *documents, status=200):
        self.asked = []
        self._answer = status, json.dumps({"hits": {"hits": [{"_source": each} for each in documents]}}).encode()

    def __call__(self, path, body):
        self.asked.append((path, json.loads(body)))
        return self._answer


def test_the_routes_own_indices_are_asked_for_its_tag_since_a_time():
    answers = Answers()
    assert find_copies(answers, FOUND, run=SETTINGS.run, since=1_795_000_000) == ([], True)
    [(path, query)] = answers.asked
    assert path == "/shop-prod-found*/_search?ignore_unavailable=true&allow_no_indices=true"
    tag, since = query["query"]["bool"]["filter"]
    assert tag == {"term": {"tag": "found-c"}}
    assert since == {"range": {"observedTimestamp": {"gte": "2026-11-18T11:06:40Z"}}}


def test_copies_have_the_time_that_the_document_tells_and_the_longest_that_comes_after():
    with_delay = document(FOUND, ONE, due=DUE, attributes={"log.record.delay": 2.5})
    without = document(FOUND, ONE + 1, due=DUE, event_id="b")
    odd = document(FOUND, ONE + 2, due=DUE, attributes={"log.record.delay": ["x"]})
    copies, _ = find_copies(Answers(with_delay, without, odd), FOUND, run=SETTINGS.run, since=0)
    assert [copy.marker.sequence - ONE for copy in copies] == [0, 1, 2]
    assert copies[0].readable_at == DUE / 1e9 + 2.5 + FOUND.found_after
    assert all(abs(copy.readable_at - time.time()) < 60 for copy in copies[1:])


def test_more_documents_than_it_takes_are_told(monkeypatch):
    monkeypatch.setattr(search, "MOST_DOCUMENTS", 2)
    two = [document(FOUND, ONE + at, due=DUE) for at in range(2)]
    assert find_copies(Answers(*two), FOUND, run=SETTINGS.run, since=0)[1] is False
    assert find_copies(Answers(two[0]), FOUND, run=SETTINGS.run, since=0)[1] is True


def test_another_answer_is_an_error_that_says_which():
    with pytest.raises(SearchError, match="403"):
        find_copies(Answers(status=403), FOUND, run=SETTINGS.run, since=0)
