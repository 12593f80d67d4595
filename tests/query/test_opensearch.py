import pytest

from query import opensearch
from query.documents import Question, UnreachableError, merge
from query.language import parse
from query.opensearch import SearchBackend, connect
from query.search_dsl import Indexed, filters
from query.times import TimeRange
from tests.query.stage import at_ns, document

HOUR = TimeRange(at_ns("2026-11-21T11:00:00Z"), at_ns("2026-11-21T12:00:00Z"))


def asked(text="", **options):
    return Question(query=parse(text), range=HOUR, **options)


def bodies(backend, question):
    return [found.document["body"] for found in merge([backend], question)]


def test_pages_hold_together_at_equal_times_and_duplicates_are_shown_once(indices, monkeypatch):
    monkeypatch.setattr(opensearch, "MAX_PAGE", 7)
    documents = [document(str(number), event_id=f"{number:032x}") for number in range(40)]
    indices.put(*documents, *documents[::2])
    assert bodies(indices.backend(), asked(limit=None)) == [str(number) for number in reversed(range(40))]
    assert bodies(indices.backend(), asked(limit=None, oldest_first=True)) == [str(number) for number in range(40)]
    assert bodies(indices.backend(), asked(limit=3)) == ["39", "38", "37"]


def test_nanoseconds_decide_the_order_and_the_range(indices):
    times = (
        "10:59:59.999999999",
        "11:00:00.000000000",
        "11:59:59.999999998",
        "11:59:59.999999999",
        "12:00:00.000000000",
    )
    # By event_id they would come in the opposite order.
    ids = [f"{9 - number:032x}" for number in range(len(times))]
    told = zip(times, ids, strict=True)
    indices.put(*(document(time, time=f"2026-11-21T{time}Z", event_id=event_id) for time, event_id in told))
    assert bodies(indices.backend(), asked()) == [times[3], times[2], times[1]]


def test_a_question_that_the_index_cannot_narrow_ends_and_says_so(indices, monkeypatch):
    monkeypatch.setattr(opensearch, "MAX_CANDIDATES", 200)
    indices.put(*(document(str(number)) for number in range(450)))
    backend = indices.backend()
    assert bodies(backend, asked('"…"')) == []
    assert "stopped after 200 candidates" in backend.notes.told[0]


def test_what_there_is_is_counted_whatever_it_says(indices):
    backend = indices.backend()
    assert backend.census(asked("nothing")).documents == 0
    assert backend.census(asked("nothing")).newest is None
    indices.put(document(), document(time="2026-11-21T14:00:00.000000000Z"))
    census = indices.backend().census(asked("nothing"))
    assert (census.documents, census.newest) == (1, "2026-11-21T14:00:00.000000000Z")


def test_no_index_is_no_documents(indices):
    assert bodies(indices.backend(), asked("error status>=500 service:a")) == []


def test_an_address_that_does_not_answer_is_told():
    client = connect("http://127.0.0.1:9", region=None)
    backend = SearchBackend(client, endpoint="http://127.0.0.1:9", indices=["a-*"], prefix="a")
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9 does not answer"):
        bodies(backend, asked())


@pytest.mark.parametrize("endpoint", ["http://search.example.com", "search.example.com", "ftp://127.0.0.1"])
def test_only_https_leaves_this_machine(endpoint):
    with pytest.raises(UnreachableError, match="no https:// address"):
        connect(endpoint, region="eu-west-1")


@pytest.mark.parametrize(
    ("endpoint", "service"),
    [("https://search-a.eu-west-1.es.amazonaws.com", "es"), ("https://x.eu-west-1.aoss.amazonaws.com", "aoss")],
)
def test_requests_to_aws_are_signed_for_their_service(endpoint, service, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    client = connect(endpoint, region="eu-west-1")
    connection = client.transport.get_connection()
    signed = connection.http_auth("POST", f"{endpoint}/a/_search", b"{}")
    assert f"/eu-west-1/{service}/aws4_request" in signed["Authorization"]
    assert connection.host.startswith("https://")


FIELDS = Indexed(
    {
        "body": {"text": {}},
        "attributes": {"flat_object": {}},
        "resource.service.name": {"keyword": {}},
        "numbers.status": {"double": {}},
        "numbers.http.response.status_code": {"double": {}},
    }
)


def test_what_opensearch_can_decide_it_decides():
    told = filters(parse('error service:web -tag:x status>=500 -timeout -"two words"').clauses, FIELDS)
    assert told["filter"] == [
        {
            "bool": {
                "should": [{"range": {"severity.number": {"gte": 17}}}, {"wildcard": {"body": {"value": "*error*"}}}],
                "minimum_should_match": 1,
            }
        },
        {"term": {"resource.service.name": {"value": "web"}}},
        {
            "bool": {
                "should": [
                    {"range": {"numbers.http.response.status_code": {"gte": 500.0}}},
                    {"range": {"numbers.status": {"gte": 500.0}}},
                ],
                "minimum_should_match": 1,
            }
        },
    ]
    # `tag` is not indexed here, and two words in their order are more than two tokens: both are decided here.
    assert told["must_not"] == [{"wildcard": {"body": {"value": "*timeout*"}}}]


def test_what_is_typed_is_never_a_pattern():
    told = filters(parse(r'order_id:"a*?\b" path:/x?*').clauses, FIELDS)
    assert told["filter"][0] == {"term": {"attributes.order_id": {"value": r"a*?\b"}}}
    assert told["filter"][1] == {"wildcard": {"attributes.path": {"value": r"/x\?*"}}}
