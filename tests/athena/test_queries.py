"""Every named query and the view, over objects that the real transformer and the local Firehose wrote."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.transform import handler as transformer
from lambdas.transform.store import S3Store
from local.firehose import BufferHints, Firehose, LambdaProcessor, ManualClock, S3Destination, StreamConfig
from sluice import function, names
from sluice.athena.queries import queries
from sluice.athena.tables import TAKEN
from sluice.model import Config, deployment

BUCKET = "bucket"
NOW = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
HOUR = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def environment(format_="json", **destination):
    route = {
        "name": "web",
        "match": "web*",
        "destination": {"kind": "s3", "format": format_, **destination},
        "buffering": {"size_mib": 128, "interval_seconds": 900},
    }
    config = {"name": "shop", "environments": {"dev": {}}, "routes": [route]}
    return deployment(Config.model_validate(config), "dev")


def line(message, *, at=NOW, service="orders", **members):
    return json.dumps(
        {
            "log": json.dumps({"message": message, "time": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", **members}),
            "container_id": f"c-{service}",
            "container_name": f"/ecs-shop-{service}-3-{service}-aabb",
            "ecs_task_definition": f"{service}:3",
            "ecs_cluster": "shop",
            "source": "stdout",
            "_tag": f"web-{service}",
            "_time": f"{at + timedelta(milliseconds=250):%Y-%m-%dT%H:%M:%S.%f}000Z",
        }
    )


class Route:
    """A route's Firehose and function, writing into the lake."""

    def __init__(self, lake, monkeypatch):
        [self._route, _] = environment().routes
        for variable, value in function.environment(self._route, bucket=BUCKET, key_arn=None).items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setattr(
            transformer, "open_store", lambda bucket, route: S3Store(bucket=bucket, route=route, client=lambda: self)
        )
        transformer._route.cache_clear()
        self._lake = lake
        self.clock = ManualClock(NOW.timestamp() - 600)
        hints = BufferHints(size_bytes=128 * 1024 * 1024, interval_seconds=900)
        config = StreamConfig(
            name="shop-dev-web",
            arn="arn:aws:firehose:eu-west-1:111122223333:deliverystream/shop-dev-web",
            processor=LambdaProcessor(arn="arn:aws:lambda:eu-west-1:111122223333:function:web", hints=hints),
            destination=S3Destination(
                bucket=BUCKET,
                prefix=names.delivered_prefix(self._route) + HOUR,
                error_prefix=names.failed_prefix(self._route) + "reason=!{firehose:error-output-type}/" + HOUR,
                hints=hints,
                compression="GZIP",
            ),
        )
        self._firehose = Firehose([config], invoke=self._invoke, put_object=lake.put_object, clock=self.clock)

    def send(self, *records):
        """Put records of lines, and let them arrive."""
        for record in records:
            data = record if isinstance(record, bytes) else ("\n".join(record) + "\n").encode()
            self._firehose.put("shop-dev-web", [data])
        assert self._firehose.drain(timeout=60)

    def put_object(self, **call):
        """S3, for the reasons that the function writes."""
        key = re.sub(r"year=.*/hour=\d\d", f"{NOW:year=%Y/month=%m/day=%d/hour=%H}", call["Key"])
        self._lake.put_object(bucket=call["Bucket"], key=key, body=call["Body"])

    @staticmethod
    def _invoke(_arn, event):
        return json.dumps(transformer.handler(json.loads(event), None)).encode()


@pytest.fixture
def route(lake, monkeypatch):
    yield Route(lake, monkeypatch)
    transformer._route.cache_clear()


@pytest.fixture(params=["json", "parquet"])
def ask(request, lake):
    """Asks a named query, of JSON lines and of the same documents as Parquet."""

    def ask(name, *values, sql=None):
        here = environment(request.param)
        if request.param == "parquet":
            lake.open(here, now=NOW).convert("web")
        catalog = lake.open(here, now=NOW)
        return catalog.ask(sql, *values) if sql else catalog.ask_named(name, *values)

    return ask


def test_objects_are_where_the_table_looks(route, lake):
    route.send([line("one")])
    [key] = lake.written()
    assert key.startswith("logs/route=web/year=2026/month=11/day=21/hour=03/shop-dev-web-1-")
    assert gzip.decompress((lake.folder / BUCKET / key).read_bytes()).startswith(b'{"@timestamp":')


def test_errors_are_counted_by_service_each_once(route, ask):
    early = NOW - timedelta(hours=2)
    route.send(
        [line("all well", level="info"), line("no card", level="error", at=early), line("no money", level="error")],
        [line("no money", level="error")],  # a client's second try: the same line
        [
            line("no stock", level="fatal", service="stock"),
            line("odd", level="error", service="stock", order={"id": 1}),
        ],
        [line("long ago", level="error", at=NOW - timedelta(hours=30))],
    )
    rows = ask("web: errors by service")
    assert [(row["service_name"], row["severity"], row["documents"], row["last_body"]) for row in rows] == [
        ("orders", "ERROR", 2, "no money"),
        ("stock", "ERROR", 1, "odd"),
        ("stock", "FATAL", 1, "no stock"),
    ]


def test_request_is_found_by_its_trace_id_over_services_and_in_order(route, ask):
    route.send(
        [line("second", service="stock", trace_id=TRACE, at=NOW - timedelta(seconds=1)), line("another's")],
        [line("first", trace_id=TRACE, at=NOW - timedelta(seconds=2)), line("other", trace_id=TRACE[::-1])],
    )
    route.send([line("first", trace_id=TRACE, at=NOW - timedelta(seconds=2))])  # a copy in another object
    rows = ask("web: a request by its trace id", TRACE)
    assert [(row["body"], row["service_name"]) for row in rows] == [("first", "orders"), ("second", "stock")]
    assert ask("web: a request by its trace id", "f" * 32) == []


def test_duplicates_are_told_with_their_objects(route, ask):
    route.send([line("twice"), line("once")])
    route.send([line("twice")])
    [row] = ask("web: duplicates")
    assert (row["copies"], row["bodies"], len(row["objects"])) == (2, 1, 2)
    assert all("/logs/route=web/" in each for each in row["objects"])


def test_slowest_deliveries_are_told_by_service(route, ask):
    slow = json.loads(line("waited", service="stock"))
    slow["_time"] = f"{NOW + timedelta(seconds=90):%Y-%m-%dT%H:%M:%S.%f}000Z"
    route.send([line("quick"), json.dumps(slow)])
    rows = ask("web: slowest deliveries")
    assert [(row["service_name"], row["documents"], row["slowest_ms"]) for row in rows] == [
        ("stock", 1, 90_000),
        ("orders", 1, 250),
    ]
    assert all(row["slowest_event_id"] for row in rows)


def test_failed_records_are_told_with_their_reasons(route, ask, lake):
    broken = gzip.compress(b"x" * 20_000_000)  # more than a record may hold when it is unpacked
    route.send([line("fine")], broken)
    rows = ask("failed records with their reasons")
    assert [(row["route"], row["failed_as"], row["reason"], row["bytes"]) for row in rows] == [
        ("web", "processing-failed", "expanded_bytes_limit", len(broken))
    ]
    assert rows[0]["code"] == "Lambda.ProcessingFailedStatus"
    assert "/failed/route=web/reason=processing-failed/" in rows[0]["object"]
    assert any(key.startswith("reasons/route=web/") for key in lake.written())


FAILURE = {"attemptsMade": 4, "arrivalTimestamp": int(NOW.timestamp() * 1000), "rawData": "eA=="}
FAILED_HOUR = "year=2026/month=11/day=21/hour=03/"


CONVERSION = "DataFormatConversion.ParseError"
TOO_MANY = "DynamicPartitioning.ActivePartitionsLimitExceeded"
SPELLINGS = [
    ("AmazonOpenSearchService-failed", {"errorCode": "ES.Rejected", "esIndexName": "i"}, "ES.Rejected"),
    ("format-conversion-failed", {"lastErrorCode": CONVERSION}, CONVERSION),
    ("format-conversion-failed", {"ErrorCode": CONVERSION}, CONVERSION),
    ("activePartitionExceeded", {"errorCode": TOO_MANY}, TOO_MANY),
    ("partitioning-failed", {"errorCode": "DynamicPartitioning.X"}, "DynamicPartitioning.X"),
]


@pytest.mark.parametrize(("reason", "members", "told"), SPELLINGS)
def test_whatever_failed_is_told_however_firehose_spells_it(lake, reason, members, told):
    lake.put_lines(f"failed/route=web/reason={reason}/{FAILED_HOUR}", [FAILURE | members])
    [row] = lake.open(environment(), now=NOW).ask_named("failed records with their reasons")
    assert (row["failed_as"], row["code"], row["reason"], row["bytes"]) == (reason, told, None, 1)
    assert row["arrived"] == NOW.replace(tzinfo=None)


def test_record_that_failed_once_is_told_once_though_its_batch_was_tried_again(lake):
    sha = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x"
    lake.put_lines(f"failed/route=web/reason=processing-failed/{FAILED_HOUR}", [FAILURE])
    for attempt in "ab":
        told = {"sha256": sha, "reason": "members_limit", "bytes": 1}
        lake.put_lines(f"reasons/route=web/{FAILED_HOUR}", [told], name=f"{attempt}.jsonl")
    lake.put_lines(f"reasons/route=catch-all/{FAILED_HOUR}", [{"sha256": sha, "reason": "another's"}])
    rows = lake.open(environment(), now=NOW).ask_named("failed records with their reasons")
    assert [row["reason"] for row in rows] == ["members_limit"]


def plain(text):
    return json.dumps(json.loads(line("")) | {"log": text})


STACK = ["Traceback (most recent call last):", '  File "a.py", line 1, in f', "    g()", "ValueError: no"]


def test_view_keeps_the_copy_that_holds_the_most(route, ask):
    """A trace that was packed whole and cut short has one id twice; the longer one holds what the shorter does."""
    whole, short = [[plain(text) for text in STACK[:lines]] for lines in (4, 2)]
    for records in ([short, whole], [whole, short]):
        route.send(*records, [line("alone")])
    rows = ask("", sql='SELECT * FROM "shop_dev"."web__unique" ORDER BY body')
    assert [row["body"] for row in rows] == ["\n".join(STACK), "alone"]
    assert json.loads(rows[0]["attributes"])["log.record.lines"] == 4
    assert rows[1]["service_name"] == "orders"


@pytest.mark.parametrize("of", ["lines", "parts"])
@pytest.mark.parametrize("held", ["4", 4])
def test_what_a_copy_holds_is_what_it_says_and_not_how_long_it_is(lake, of, held):
    """A rule that redacts was deployed between the two: the whole trace is now shorter than its beginning was."""
    whole = {"event_id": "e" * 32, "body": "****", "attributes": {f"log.record.{of}": held}}
    short = {"event_id": "e" * 32, "body": "Traceback", "attributes": {f"log.record.{of}": {"not": "a number"}}}
    lake.put_lines(f"logs/route=web/{FAILED_HOUR}", [short, whole, short])
    [row] = lake.open(environment(), now=NOW).ask('SELECT body FROM "shop_dev"."web__unique"')
    assert row["body"] == "****"


def test_view_has_every_document_once(route, ask):
    route.send([line(f"line {number}") for number in range(50)], [line(f"line {number}") for number in range(25)])
    assert ask("", sql='SELECT count(*) AS n FROM "shop_dev"."web"') == [{"n": 75}]
    told = ask("", sql='SELECT count(*) AS n, count(DISTINCT body) AS bodies FROM "shop_dev"."web__unique"')
    assert told == [{"n": 50, "bodies": 50}]


def test_view_has_every_line_that_cannot_be_read(lake):
    """They have no id, and are no copies of each other."""
    lake.put_lines(f"logs/route=web/{FAILED_HOUR}", ["no document", "nor this"])
    assert len(lake.open(environment(), now=NOW).ask('SELECT * FROM "shop_dev"."web__unique"')) == 2


@pytest.mark.parametrize(("days", "rows"), [(("21", "21"), 1), (("20", "21"), 2)])
def test_view_tells_copies_apart_by_day(lake, days, rows):
    """Which is what lets Athena read one day only; copies around midnight are both there, as the decision says."""
    for hour, day in enumerate(days):
        document = {"@timestamp": "2026-11-20T23:59:59Z", "event_id": "e" * 32, "body": "x"}
        lake.put_lines(f"logs/route=web/year=2026/month=11/day={day}/hour=0{hour}/", [document])
    assert len(lake.open(environment(), now=NOW).ask('SELECT * FROM "shop_dev"."web__unique"')) == rows


OFFSETS = [(0, True), (1, True), (24, True), (25, True), (26, False), (27, False), (49, False)]


@pytest.mark.parametrize("now", [NOW, datetime(2026, 3, 1, 0, 30, tzinfo=UTC), datetime(2027, 1, 1, 0, 59, tzinfo=UTC)])
@pytest.mark.parametrize(("hours", "is_read"), OFFSETS)
def test_queries_read_the_folders_of_the_last_day_and_no_others(lake, now, hours, is_read):
    at = now - timedelta(hours=hours)
    document = {
        "@timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.000000000Z",
        "observedTimestamp": f"{now:%Y-%m-%dT%H:%M:%S}.000000000Z",
        "severity": {"text": "ERROR", "number": 17},
        "traceId": TRACE,
        "event_id": "e" * 32,
        "body": "x",
    }
    folder = f"year={at:%Y}/month={at:%m}/day={at:%d}/hour={at:%H}/"
    lake.put_lines(f"logs/route=web/{folder}", [document, document, "no document"])
    lake.put_lines(f"failed/route=web/reason=processing-failed/{folder}", [FAILURE])
    catalog = lake.open(environment(), now=now)
    for query in queries(catalog.deployment):
        if query.name.startswith("catch-all"):
            continue
        values = [TRACE] * query.sql.count("?")
        assert bool(catalog.ask_named(query.name, *values)) == is_read, query.name


@pytest.mark.parametrize("name", ["service", "copy", "order", "waited_ms", "documents", "copies"])
def test_key_may_have_any_name_that_is_not_taken(lake, name):
    here = environment(partition_by=[{"name": name, "field": "attributes.x", "values": ["a"]}])
    document = {"@timestamp": "2026-11-21T03:00:00Z", "event_id": "e" * 32, "traceId": TRACE, "body": "x"}
    lake.put_lines(f"logs/route=web/{name}=a/{FAILED_HOUR}", [document, document])
    catalog = lake.open(here, now=NOW)
    assert len(catalog.ask('SELECT * FROM "shop_dev"."web__unique"')) == 1
    for query in queries(here):
        catalog.ask_named(query.name, *[TRACE] * query.sql.count("?"))
    assert name not in TAKEN


def test_key_without_values_is_asked_for(lake):
    here = environment(
        partition_by=[{"name": "tenant", "field": "tag"}, {"name": "kind", "field": "tag", "values": ["a"]}]
    )
    document = {"@timestamp": "2026-11-21T03:00:00Z", "event_id": "e" * 32, "severity": {"text": "ERROR", "number": 17}}
    for tenant in ("acme", "emca"):
        lake.put_lines(f"logs/route=web/tenant={tenant}/kind=other/{FAILED_HOUR}", [document, document])
    catalog = lake.open(here, now=NOW)
    [row] = catalog.ask_named("web: duplicates", "acme")
    assert row["copies"] == 2
    assert "tenant=acme" in row["objects"][0]
