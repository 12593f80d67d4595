"""Every document is a row, whatever it holds, and a row's columns say what the document says."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.model import Config, deployment

NOW = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
HOUR = f"year={NOW:%Y}/month={NOW:%m}/day={NOW:%d}/hour={NOW:%H}/"
WEB = f"logs/route=web/{HOUR}"


def environment(**destination):
    route = {"name": "web", "match": "web*", "destination": {"kind": "s3", **destination}}
    if destination:
        route["buffering"] = {"size_mib": 128, "interval_seconds": 900}
    config = {"name": "shop", "environments": {"dev": {}}, "routes": [route, {"name": "web-2", "match": "web2*"}]}
    return deployment(Config.model_validate(config), "dev")


def document(event_id="e" * 32, **members):
    return {
        "@timestamp": "2026-11-21T03:42:58.889697000Z",
        "observedTimestamp": "2026-11-21T03:42:58.889920596Z",
        "severity": {"text": "INFO", "number": 9},
        "event_id": event_id,
        "body": "order taken",
    } | members


def test_document_is_a_row_with_its_values(lake):
    written = document(
        traceId="0af7651916cd43dd8448eb211c80319c",
        spanId="b7ad6b7169203331",
        tag="web-orders",
        resource={"service": {"name": "shop-orders"}},
        attributes={"order.id": "o-1", "http.response.status_code": 200},
    )
    lake.put_lines(WEB, [written])
    [row] = lake.open(environment()).ask('SELECT * FROM "shop_dev"."web"')
    assert json.loads(row.pop("resource")) == written["resource"]
    assert json.loads(row.pop("attributes")) == written["attributes"]
    assert row.pop("$path").endswith("object.json")
    assert row == {
        "event_time": "2026-11-21T03:42:58.889697000Z",
        "observedtimestamp": "2026-11-21T03:42:58.889920596Z",
        "severity": {"text": "INFO", "number": 9},
        "traceid": "0af7651916cd43dd8448eb211c80319c",
        "spanid": "b7ad6b7169203331",
        "tag": "web-orders",
        "event_id": "e" * 32,
        "body": "order taken",
        "year": f"{NOW:%Y}",
        "month": f"{NOW:%m}",
        "day": f"{NOW:%d}",
        "hour": f"{NOW:%H}",
    }


HOSTILE = [
    {"body": {"an": "object"}},
    {"body": ["an", "array"]},
    {"body": 4.5},
    {"body": True},
    {"body": ""},
    {"body": 'NUL \u0000, a quote ", a line\nbreak and \U0001f600'},
    {"attributes": {"user": "ann"}},
    {"attributes": {"user": {"id": 7}}},
    {"attributes": {"user": [1, "two", None]}},
    {"attributes": {"user": None}},
    {"attributes": {"orderId": 1, "orderid": 2, "OrderID": 3}},
    {"attributes": {"a.b": 1, "a": {"b": 2}}},
    {"attributes": {"@timestamp": "never", "event_id": [], "severity": "high", "year": 1}},
    {"attributes": {"": "", " ": 1, "$path": "x", 'quo"te': 1}},
    {"attributes": {"n": 9223372036854775807, "m": -1e308}},
    {"attributes": {"log.record.lines": {"not": "a number"}}},
    {"attributes": {"deep": json.loads("[" * 16 + "]" * 16)}},
    {"resource": {"service": {"name": ["not", "text"]}}},
    {"resource": {"service": "not an object"}},
]


def test_no_row_is_lost_to_the_type_of_a_value(lake):
    documents = [document(f"{number:032}", **members) for number, members in enumerate(HOSTILE)]
    lake.put_lines(WEB, documents)
    rows = lake.open(environment()).ask('SELECT * FROM "shop_dev"."web" ORDER BY event_id')
    assert len(rows) == len(HOSTILE)
    for row, written in zip(rows, documents, strict=True):
        assert row["event_id"] == written["event_id"]
        for text in ("resource", "attributes"):
            assert (row[text] is None) == (text not in written)
            if text in written:
                assert json.loads(row[text]) == written[text]
        body = written["body"]
        assert row["body"] == body if isinstance(body, str) else json.loads(row["body"]) == body


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(VALUES, st.dictionaries(st.text(), VALUES, max_size=3)), min_size=1, max_size=20))
def test_whatever_documents_hold_there_is_a_row_for_each(lake, documents):
    lines = [document(f"{at:032}", body=body, attributes=held) for at, (body, held) in enumerate(documents)]
    lake.put_lines(WEB, lines)
    catalog = lake.open(environment())
    rows = catalog.ask('SELECT event_id, attributes FROM "shop_dev"."web" ORDER BY event_id')
    assert [(row["event_id"], json.loads(row["attributes"])) for row in rows] == [
        (line["event_id"], line["attributes"]) for line in lines
    ]
    assert len(catalog.ask('SELECT * FROM "shop_dev"."web__unique"')) == len(lines)


def test_line_that_is_no_document_is_a_row_and_ends_no_query(lake):
    lake.put_lines(WEB, [document(), "not JSON", '{"cut": ', document("f" * 32)])
    catalog = lake.open(environment())
    rows = catalog.ask('SELECT event_id FROM "shop_dev"."web"')
    assert sorted(str(row["event_id"]) for row in rows) == ["None", "None", "e" * 32, "f" * 32]
    [told] = catalog.ask_named("web: lines that cannot be read")
    assert told["unreadable"] == 2
    assert told["object"].endswith(f"{WEB}object.json")


def test_keys_that_differ_in_case_are_two_keys(lake):
    """In lower case they were one, and OpenX's SerDe fails a line with a key that is there twice."""
    table = lake.open(environment()).tables["web"]
    assert table.form.settings["case.insensitive"] == "false"
    lake.put_lines(
        WEB, [document(attributes={"orderId": 1, "orderid": 2}) | {"Body": "not ours", "TraceId": "nor this"}]
    )
    [row] = lake.open(environment()).ask('SELECT * FROM "shop_dev"."web"')
    assert (row["body"], row["traceid"]) == ("order taken", None)
    assert json.loads(row["attributes"]) == {"orderId": 1, "orderid": 2}


def test_table_reads_its_route_and_no_other(lake):
    lake.put_lines(f"logs/route=web/{HOUR}", [document("1" * 32)])
    lake.put_lines(f"logs/route=web-2/{HOUR}", [document("2" * 32)])
    lake.put_lines(f"oversize/route=web/{HOUR}", [document("3" * 32)])
    lake.put_lines(f"failed/route=web/reason=processing-failed/{HOUR}", [{"rawData": ""}])
    catalog = lake.open(environment())
    assert [row["event_id"] for row in catalog.ask('SELECT event_id FROM "shop_dev"."web"')] == ["1" * 32]
    assert [row["event_id"] for row in catalog.ask('SELECT event_id FROM "shop_dev"."web_2"')] == ["2" * 32]
    assert catalog.ask('SELECT route, reason FROM "shop_dev"."all__failed"') == [
        {"route": "web", "reason": "processing-failed"}
    ]


def test_listed_values_and_all_others_are_found(lake):
    here = environment(partition_by=[{"name": "tenant", "field": "tag", "values": ["acme", "emca"]}])
    for tenant in ("acme", "emca", "other"):
        lake.put_lines(f"logs/route=web/tenant={tenant}/{HOUR}", [document(tenant)])
    catalog = lake.open(here)
    rows = catalog.ask('SELECT event_id, tenant FROM "shop_dev"."web__unique" ORDER BY tenant')
    assert [(row["event_id"], row["tenant"]) for row in rows] == [(each, each) for each in ("acme", "emca", "other")]


@pytest.mark.parametrize("years", [0, 1])
def test_folders_are_known_as_far_back_as_objects_are_kept(lake, years):
    then = NOW.replace(year=NOW.year - years, month=1, day=2, hour=3)
    lake.put_lines(f"logs/route=web/year={then:%Y}/month=01/day=02/hour=03/", [document()])
    assert len(lake.open(environment()).ask('SELECT * FROM "shop_dev"."web"')) == 1
