"""OpenSearch and S3 give the same answer to the same question about the same documents, and it is `matching`'s."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query.documents import Backend, Question, merge
from query.language import parse, spell
from query.matching import decider
from query.terms import Clause, Query
from query.times import TimeRange
from tests.query.stage import at_ns, document, put_object, stored
from tests.query.strategies import clauses

ALL = TimeRange(at_ns("2026-11-21T11:00:00Z"), at_ns("2026-11-21T12:00:00Z"))
BODIES = (
    "connection refused by 10.0.0.7:5432",
    "java.lang.NullPointerException: stock",
    "GET /api/v1/orders?id=17 200",
    'said "Hello\\World" \x1b[31mred\x1b[0m',
    "Größe der Datei: 5 MB\nzweite Zeile",
    "user_id=abc-123 timeout_error",
    "ERROR in İstanbul ΑΣ",
    "支払い 完了 error",
    "warning",
    "",
    {"event": "order", "error": 5},
    ["a", "timeout"],
    17,
    "x" * 300 + "needle" + "y" * 300,
)
VALUES: tuple[Any, ...] = (
    *("o-1", "o-2", "a b", "x*y", "500", "5.0", "-3", "1e3", "true", "Ω", "a,b", 'quo"te', "Q" * 3000, "1" * 20, ""),
    *(200, 404, 500, 599, 5, 2.5, -3, True, None, ["o-1", 7], [700, "x"], {"b": "o-1"}, {"b": {"c": 500}}, [{"b": 3}]),
)
NAMES = ("order_id", "status", "http.response.status_code", "weight", "a", "a.b", "a.b.c", "k" * 2100)


def made(count: int, seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    found = []
    for number in range(count):
        attributes = {name: chance.choice(VALUES) for name in chance.sample(NAMES, chance.randint(0, 4))}
        time = f"2026-11-21T11:{chance.randint(0, 59):02}:00.{chance.choice((0, 1, 999_999_999)):09}Z"
        told = document(
            chance.choice(BODIES),
            time=time,
            level=chance.choice((None, "debug", "info", "warn", "error", "fatal")),
            service=chance.choice((None, "checkout", "web", "Web shop")),
            event_id=f"{number:032x}",
            **attributes,
        )
        if chance.random() < 0.3:
            told["resource"] = {"service": {"name": "checkout"}, "container": {"name": "orders-1"}, "odd": {"x": "y"}}
        if chance.random() < 0.2:
            told["traceId"] = "5b8aa5a2d2c872e8321cf37308d69df2"
        found.append(told)
        if chance.random() < 0.05:
            found.append(told)
    return found


@pytest.fixture(scope="module")
def both(indices_of_module: Any, s3: Any) -> Iterator[tuple[list[dict[str, Any]], list[Backend]]]:
    documents = made(400, seed=7)
    indices_of_module.put(*documents[:250], index="2026-11-21-11")
    indices_of_module.put(*documents[250:], index="2026-11-21-12")
    for start in range(0, len(documents), 100):
        put_object(s3, *documents[start : start + 100])
    to_s3 = stored(s3)
    yield documents, [indices_of_module.backend(), to_s3]
    to_s3.close()


def ids(backends: list[Backend], query: Query, *, oldest: bool, limit: int | None) -> list[str]:
    question = Question(query=query, range=ALL, oldest_first=oldest, limit=limit)
    return [found.event_id for found in merge(backends, question)]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(wanted=st.lists(clauses(), max_size=3), oldest=st.booleans(), limit=st.sampled_from((None, 1, 7)))
def check(both: Any, wanted: list[Clause], oldest: bool, limit: int | None) -> None:
    documents, (search, to_s3) = both
    query = Query(tuple(wanted))
    decides = decider(query)
    right = {(each["@timestamp"], each["event_id"]) for each in documents if decides(each)}
    expected = [event_id for _, event_id in sorted(right, reverse=not oldest)][:limit]
    assert ids([search], query, oldest=oldest, limit=limit) == expected, spell(query)
    assert ids([to_s3], query, oldest=oldest, limit=limit) == expected, spell(query)
    assert ids([search, to_s3], query, oldest=oldest, limit=limit) == expected, spell(query)


def test_both_answer_as_the_decision_does(both):
    check(both)


@pytest.mark.parametrize(
    "text",
    [
        *("error", "-error", "warn", '"error"', "TIMEOUT", "-timeout", '"connection refused"', '"d by 10.0"', "needle"),
        *("größe", "支払い", "istanbul", '"zweite zeile"', '"refused by connection"', "\\World", "[31mred", '"order"'),
        *("service:checkout", "-service:checkout", 'service:"Web shop"', "service:web", "service:(web,checkout)"),
        *("service:*", "-service:*", "service:Web*", "container:orders*", "resource.odd.x:y", "-resource.odd.x:y"),
        *("level:error", "level>=warn", "level:info..warn", "-level>=warn", "level:*", "level:17", "level<info"),
        *("status>=500", "status:200..404", "-status>=500", "status:500", "status:5*", "status:*", "weight>2"),
        *(
            "weight:-3",
            "weight<0",
            "order_id>100",
            "-order_id>100",
            "order_id:(o-1,o-2)",
        ),
        *(
            'order_id:"x*y"',
            "a.b:o-1",
            "a.b:*",
            "a.b.c:500",
            "a.b.c>1",
            "attributes.a.b.c>=500",
            "a:true",
            'a:"quo\\"te"',
        ),
        *("a:QQQ*", "tag:web.a", "-tag:web.*", "trace:5b8aa5a2d2c872e8321cf37308d69df2", "id:" + f"{3:032x}"),
        *('a:"1e3"', "a>=1000", "nothing:here", "resource.nothing:x", "-nothing:here"),
    ],
)
def test_a_question_as_a_person_asks_it(both, text):
    documents, (search, to_s3) = both
    query = parse(text)
    decides = decider(query)
    expected = [e for _, e in sorted({(d["@timestamp"], d["event_id"]) for d in documents if decides(d)}, reverse=True)]
    assert ids([search], query, oldest=False, limit=None) == expected
    assert ids([to_s3], query, oldest=False, limit=None) == expected
