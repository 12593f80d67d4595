"""What holds whatever comes in: hostile bytes, any JSON, retries, and keys in any order."""

import base64
import json
import math
from datetime import datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.transform.handler import handler
from lambdas.transform.limits import MAX_RESPONSE_BYTES

TIME = "2026-11-21T02:36:00.{:09d}Z"
NAMED = st.sampled_from(
    [
        "log",
        "message",
        "level",
        "time",
        "source",
        "container_id",
        "container_name",
        "ecs_task_arn",
        "_tag",
        "_time",
        "a",
    ]
)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["", "info", "/ecs-a-1-b-0123456789", '{"msg":"x","n":[1]}', "2026-11-21T02:35:00Z"])
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMED | st.text(), inner, max_size=3),
    max_leaves=12,
)
RECORD = st.dictionaries(NAMED | st.text(), VALUE, max_size=8)
FRAGMENT = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b" ",
        b"{",
        b"}",
        b"[",
        b'"',
        b":",
        b",",
        b"\\",
        b"\\u0022",
        b"\\ud800",
        b"\xff",
        b"\x00",
        b'{"log":"',
        b'{"a":1}',
        b'"a":1,"a":2',
        b"NaN",
        b"1e999",
        b"9" * 30,
        b"[" * 300,
        b"]" * 300,
        b'{"a":' * 40,
        b"}" * 40,
    ]
)
DATA = st.binary(max_size=200) | st.lists(FRAGMENT | st.binary(max_size=8), max_size=30).map(b"".join)
BLANK = b" \t\r\n\v\f"
WRAPPINGS = (
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"),  # byte order marks
    *(b"\x1f\x8b", b"\x78", b"\x28\xb5\x2f\xfd", b"\xff\x06\x00\x00sNaPpY", b"\xf3\x89\x9a\xc2"),
)
"""Beginnings of what may hold nothing."""
RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


def documents(response):
    return [json.loads(line) for answer in response["records"] for line in lines(answer)]


def lines(answer):
    return base64.b64decode(answer.get("data", "")).split(b"\n")[:-1]


def leaves(value):
    """Every scalar in a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def read_object(text):
    """The members' values of a JSON object in text, also those of a key that is there twice, or None."""
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: [value for _, value in pairs])
    except ValueError:
        return None


def same(one, other):
    if isinstance(one, bool) or isinstance(other, bool) or one is None:
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=1e-15)
    return str(one) == str(other)


# How loggers spell what OpenTelemetry's short names say.
LEVELS = {
    "TRACE": ("trc", "verbose", "finest", "silly", 10, "10"),
    "DEBUG": ("dbg", "dbug", "fine", "finer", 20, "20"),
    "INFO": ("information", "informational", "inf", "success", 30, "30"),
    "WARN": ("warning", "wrn", 40, "40"),
    "ERROR": ("err", "eror", "severe", 50, "50"),
    "CRITICAL": ("crit", "dpanic"),
    "FATAL": ("panic", "emerg", "emergency", "ftl", 60, "60"),
}


def is_epoch(number, time):
    """Whether a number of seconds, milli-, micro- or nanoseconds is the time, to the second."""
    second = datetime.fromisoformat(time[:19] + "+00:00").timestamp()
    return any(abs(number / unit - second) < 1 for unit in (1, 10**3, 10**6, 10**9))


def is_found(leaf, document):
    """A leaf is in the document as it is, or as what it means there, or member by member when it is JSON itself."""
    if leaf is None or leaf == "":
        return True
    spelled = leaf.strip().lower() if isinstance(leaf, str) else leaf
    meanings = [leaf, *(level for level, spellings in LEVELS.items() if spelled in spellings)]
    if isinstance(leaf, int | float) and is_epoch(leaf, document["@timestamp"]):
        meanings.append(document["@timestamp"])
    if isinstance(leaf, str):
        meanings += [leaf.removeprefix("/"), leaf.upper(), leaf.replace("00Z", "00.000000000Z")]
    if any(same(meaning, found) for meaning in meanings for found in leaves(document)):
        return True
    values = read_object(leaf)
    return values is not None and all(is_found(inner, document) for inner in leaves(values))


@RELAXED
@given(st.lists(DATA, max_size=6))
def test_every_record_is_answered_once_and_dropped_only_when_it_is_blank(make_event, datas):
    event = make_event(*datas)

    response = handler(event, None)

    assert [answer["recordId"] for answer in response["records"]] == [record["recordId"] for record in event["records"]]
    assert len(json.dumps(response)) <= MAX_RESPONSE_BYTES
    for data, answer in zip(datas, response["records"], strict=True):
        assert answer["result"] == ("Ok" if data.strip(BLANK) else "Dropped") or data.startswith(WRAPPINGS)
        assert answer["result"] != "Ok" or base64.b64decode(answer["data"]).endswith(b"\n")
    for document in documents(response):
        assert {"@timestamp", "observedTimestamp", "body", "event_id"} <= document.keys()


@RELAXED
@given(st.lists(st.text(st.characters(exclude_characters="\n{[", exclude_categories=["Cs"]), max_size=30), max_size=8))
def test_lines_of_text_are_one_document_each_unless_they_are_blank_or_one_trace(make_event, texts):
    data = "\n".join(texts).encode()
    response = handler(make_event(b" " + data), None)

    bodies = [document["body"] for document in documents(response)]
    told = [text.removesuffix("\r") for text in (" " + "\n".join(texts)).split("\n") if text.encode().strip()]
    assert "\n".join(bodies).split("\n") == told or (not bodies and not told)


@RELAXED
@given(RECORD)
def test_every_leaf_of_a_record_is_found_again_in_its_document(make_event, record):
    (document,) = documents(handler(make_event(json.dumps(record).encode()), None))

    for leaf in leaves(record):
        assert is_found(leaf, document), leaf


@RELAXED
@given(st.lists(RECORD, max_size=5), st.lists(st.binary(max_size=20), max_size=3))
def test_retried_batch_gives_the_same_documents(make_event, records, raw):
    event = make_event(b"\n".join([json.dumps(record).encode() for record in records] + raw))

    assert handler(event, None) == handler(event, None)


@RELAXED
@given(RECORD, st.randoms(use_true_random=False))
def test_keys_in_another_order_and_another_firehose_record_give_the_same_id(make_event, record, random):
    record = {**record, "_time": TIME.format(7)}
    shuffled = list(record.items())
    random.shuffle(shuffled)
    event = make_event(b"before", json.dumps(record).encode(), json.dumps(dict(shuffled), indent=None).encode())

    _, one, other = documents(handler(event, None))

    assert one["event_id"] == other["event_id"]


@RELAXED
@given(st.lists(RECORD, max_size=6), st.sampled_from([TIME.format(7), TIME.format(0), None]))
def test_records_that_differ_have_ids_that_differ(make_event, records, time):
    """In one Firehose record. Equal ones differ too unless they carry a time finer than a second."""
    packed = [{**record, "_time": time} for record in records]
    packed = [{key: value for key, value in record.items() if value is not None or key != "_time"} for record in packed]
    spelled = [json.dumps(record, sort_keys=True) for record in packed]

    found = [document["event_id"] for document in documents(handler(make_event("\n".join(spelled).encode()), None))]

    expected = len(set(spelled)) if time == TIME.format(7) else len(spelled)
    assert len(set(found)) == expected
