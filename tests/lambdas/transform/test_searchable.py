"""The search shape holds all that the stored one does, and nothing that OpenSearch could refuse."""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.transform.document import Document, Resource, Source, encode
from lambdas.transform.levels import read_level
from lambdas.transform.numbers import NUMBERS, number_fields
from lambdas.transform.searchable import (
    FIRST_TIME,
    LAST_TIME,
    LONGEST_KEYWORD,
    LONGEST_TERM,
    MAX_PATHS,
    make_searchable,
)

NONE: frozenset[str] = frozenset()
TIME = "2026-11-21T02:36:00.123456789Z"
LONGEST_BYTES = 32_766
RESOURCE = {
    "service": {"name": "shop"},
    "container": {"id": "fa6e", "name": "ecs-shop-3", "image": {"name": "shop:3"}},
    "aws": {"ecs": {"task": {"arn": "arn:x", "revision": "3"}}, "log": {"group": {"names": ["a", "b"]}}},
}


def make(body: Any = "x", attributes: dict[str, Any] | None = None, *, resource=RESOURCE, tag="web") -> Document:
    source = Source(resource=Resource(resource), tag=tag, attributes=attributes or {}, shared=b"")
    return Document(source, TIME, body, "0" * 32)


def written(document: Document, numbers: frozenset[str] = NONE) -> dict[str, Any]:
    """The search shape, which is one line whatever the document."""
    line = make_searchable(numbers)(copy.copy(document))
    assert (line[-1], line.count("\n")) == ("\n", 1)
    return json.loads(line)


def stored(document: Document) -> dict[str, Any]:
    return json.loads(encode(copy.copy(document)))


def restored(document: dict[str, Any]) -> dict[str, Any]:
    """The stored form of a search shape, as lambdas.transform.searchable says that it is found."""
    kept = {name: value for name, value in document.items() if name not in ("numbers", "overflow", "body_is_json")}
    told = copy.deepcopy(kept)
    if document.get("body_is_json"):
        told["body"] = json.loads(told["body"])
    for entry in document.get("overflow", ()):
        *heads, last = (step.replace("~1", "/").replace("~0", "~") for step in entry["at"].split("/")[1:])
        place: Any = told
        for head in heads:
            place = place[int(head)] if isinstance(place, list) else place.setdefault(head, {})
        value = entry["text"] if "text" in entry else json.loads(entry["json"])
        place[int(last) if isinstance(place, list) else last] = value
    return told


def terms(value: Any, path: str) -> list[str]:
    """What a flat_object makes of a value: each leaf with its path, and each path."""
    if isinstance(value, dict):
        return [path, *(term for key, inner in value.items() for term in terms(inner, f"{path}.{key}"))]
    if isinstance(value, list):
        return [path, *(term for item in value for term in terms(item, path))]
    return [f"{path}={value}"]


def check(document: Document, numbers: frozenset[str] = NONE) -> dict[str, Any]:
    """Nothing is lost, and nothing is where it does not fit."""
    told = written(document, numbers)
    assert restored(told) == stored(document)
    assert isinstance(told["body"], str)
    assert FIRST_TIME <= told["@timestamp"] <= LAST_TIME
    assert FIRST_TIME <= told["observedTimestamp"] <= LAST_TIME
    found = terms(told.get("attributes", {}), "attributes")
    # The longest term is the field's name, the path with its value, and a mark.
    assert max(len(f"attributes.{term}".encode()) for term in found) <= LONGEST_BYTES
    values = [term for term in found if "=" in term]
    assert sum(map(len, values)) <= MAX_PATHS + len("attributes.") * len(values)
    for entry in told.get("overflow", ()):
        assert entry.keys() in ({"at", "text"}, {"at", "json"})
        assert all(isinstance(value, str) for value in entry.values())
    assert all(type(value) in (int, float) for value in told.get("numbers", {}).values())
    return told


LARGE: dict[str, Any] = {
    **{f"<{size}>": "k" * size for size in (700, 2047, 2048, 2049)},
    "<bytes>": "\U0001f600" * 2048,
    "<term>": "é" * 20_000,
}
LARGE_VALUES = {
    **LARGE,
    "<list>": [1] * 50_000,
    "<texts>": ["x"] * 1000,
    "<members>": {f"k{n}": n for n in range(500)},
}
"""What is drawn by its name, so that a failure can be read."""


def grown(value: Any) -> Any:
    if isinstance(value, dict):
        return {LARGE.get(key, key): grown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return list(map(grown, value))
    return LARGE_VALUES.get(value, value) if isinstance(value, str) else value


KEY = st.text(max_size=4) | st.sampled_from(
    ["", ".", "a.b", "a", "b", "~1/", "0", "-", "http", "http.response", "duration", *LARGE]
)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["200", "1e999", "NaN", *LARGE_VALUES])
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(KEY | st.sampled_from(NUMBERS), VALUE, max_size=5)
PLACES = st.dictionaries(
    st.sampled_from(["service", "container", "aws", "host", "x", "a.b", ""]),
    st.sampled_from(
        [{"name": "shop"}, {"id": 5}, {"name": {"a": 1}}, "[masked]", None, ["a"], {"image": {"name": "x"}}]
    )
    | st.sampled_from(list(RESOURCE.values()))
    | SCALAR,
    max_size=3,
)
TIMES = st.sampled_from(
    [TIME, FIRST_TIME, LAST_TIME, "0001-01-01T00:00:00.000000000Z", "1969-12-31T23:59:59.999999999Z"]
)
TIMES |= st.sampled_from(["2262-04-11T23:47:16.854775808Z", "9999-12-31T23:59:59.999999999Z"])


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(
    VALUE, ATTRIBUTES, PLACES, st.none() | st.text(max_size=3) | st.sampled_from(list(LARGE)), st.tuples(TIMES, TIMES)
)
def test_nothing_is_lost_and_everything_fits(body, attributes, resource, tag, times):
    document = make(grown(body), grown(attributes), resource=grown(resource), tag=grown(tag))
    document.time, document.observed = times
    document.severity = read_level("warn")
    document.trace_id, document.rewritten = "a" * 32, ("number",)

    check(document, frozenset({"a.b", "http"}))


def test_a_document_that_fits_is_as_it_is_stored():
    document = make("a line", {"order_id": "o-1", "user": {"roles": ["a", None], "": 1}, "a.b": True})

    assert written(document) == stored(document)


@pytest.mark.parametrize(
    ("body", "text"),
    [({"a": [1, "b"]}, '{"a":[1,"b"]}'), (["x"], '["x"]'), (5, "5"), (True, "true"), (1.5, "1.5")],
)
def test_a_body_that_is_no_text_is_its_json(body, text):
    told = check(make(body))

    assert (told["body"], told["body_is_json"]) == (text, True)


@pytest.mark.parametrize("body", ["", "5", '{"a": 1}', "null", None])
def test_a_body_that_is_text_stays_text(body):
    told = check(make(body))

    assert told["body"] == (body or "")
    assert "body_is_json" not in told


def test_long_text_is_moved_from_where_it_is_and_the_rest_stays():
    trace = "at com.acme.Pay\n" * 200
    error = {"type": "Refused", "stack_trace": trace, "causes": [{"trace": trace}, trace, "short"]}

    told = check(make("x", {"error": error, "long": trace, "order_id": "o-1"}))

    assert told["attributes"] == {
        "error": {"type": "Refused", "causes": [{}, None, "short"]},
        "order_id": "o-1",
    }
    moved = {entry["at"]: entry["text"] for entry in told["overflow"]}
    assert moved == dict.fromkeys(
        [
            *("/attributes/error/stack_trace", "/attributes/error/causes/0/trace", "/attributes/error/causes/1"),
            "/attributes/long",
        ],
        trace,
    )


def test_where_from_is_said_in_json_pointers():
    told = check(make("x", {"a/b~1": {"": "v" * 3000, "~/": ["v" * 3000], "a.b": "v" * 3000}}))

    assert [entry["at"] for entry in told["overflow"]] == [
        *("/attributes/a~1b~01/", "/attributes/a~1b~01/~0~1/0", "/attributes/a~1b~01/a.b"),
    ]


@pytest.mark.parametrize(("characters", "is_moved"), [(LONGEST_TERM, False), (LONGEST_TERM + 1, True)])
def test_text_and_path_are_moved_beyond_the_limit(characters, is_moved):
    text = check(make("x", {"a": "v" * characters}))
    path = check(make("x", {"a": {"b": {"k" * (characters - len("a.b.")): 1, "c": 2}}}))
    head = check(make("x", {"k" * characters: 1, "a": 2}))

    assert [bool(told.get("overflow")) for told in (text, path, head)] == [is_moved] * 3
    if is_moved:
        assert path["overflow"][0]["at"] == "/attributes/a/b"
        assert path["attributes"] == {"a": {}}
        assert head["attributes"] == {"a": 2}
        assert "attributes" not in text


def test_a_path_beyond_the_limit_is_seen_where_nothing_is_at_its_end():
    told = check(make("x", {"a": {"k" * 40_000: {}}}))

    assert told["overflow"][0].keys() == {"at", "json"}


def test_a_member_whose_paths_add_up_is_moved_whole_and_small_ones_stay():
    told = check(make("x", {"k" * 2000: list(range(1000)), "order_id": "o-1", "ids": list(range(1000))}))

    assert told["attributes"].keys() == {"order_id", "ids"}
    assert told["overflow"] == [
        {"at": "/attributes/" + "k" * 2000, "json": json.dumps(list(range(1000))).replace(" ", "")}
    ]


def test_text_that_is_moved_for_its_length_takes_no_room_from_others():
    told = check(make("x", {"error": {"trace": "x" * (MAX_PATHS + 1), "type": "Refused"}, "order_id": "o-1"}))

    assert told["attributes"] == {"error": {"type": "Refused"}, "order_id": "o-1"}


def test_members_that_only_together_are_too_much_are_moved_from_there_on():
    some = {"k" * 100: list(range(1000))}

    told = check(make("x", {f"m{number}": some for number in range(12)}))

    assert list(told["attributes"]) == [f"m{number}" for number in range(8)]


def test_many_keys_below_a_long_one_do_not_repeat_it_in_what_is_moved():
    members = {f"{'x' * 100}{number}": number for number in range(5000)}
    document = make("x", {"k" * 2000: members})

    assert len(make_searchable(NONE)(copy.copy(document))) < 2 * len(encode(copy.copy(document)))


@pytest.mark.parametrize(
    ("resource", "kept", "moved"),
    [
        ({"service": "[masked]"}, None, {"/resource/service": "[masked]"}),
        ({"service": {"name": {"a": 1}}, "host": {"name": "h"}}, {"service": {}, "host": {"name": "h"}}, {}),
        ({"service": {"name": "n" * (LONGEST_KEYWORD + 1)}}, {"service": {}}, {}),
        ({"service": {"name": 5}}, {"service": {}}, {}),
        ({"vendor": {"x": 1}}, None, {}),
    ],
)
def test_what_a_resource_has_no_field_for_is_moved(resource, kept, moved):
    told = check(make(resource=resource))

    assert told.get("resource") == kept
    assert len(told["overflow"]) == 1
    assert moved.items() <= {entry["at"]: entry.get("text") for entry in told["overflow"]}.items()


def test_a_resource_that_fits_stays():
    told = check(make(resource={**RESOURCE, "service": {"name": "n" * LONGEST_KEYWORD}}))

    assert "overflow" not in told


@pytest.mark.parametrize(("characters", "is_moved"), [(LONGEST_KEYWORD, False), (LONGEST_KEYWORD + 1, True)])
def test_a_tag_too_long_for_a_keyword_is_moved(characters, is_moved):
    told = check(make(tag="t" * characters))

    assert ("tag" in told, "overflow" in told) == (not is_moved, is_moved)


@pytest.mark.parametrize(
    ("time", "nearest"),
    [
        ("1969-12-31T23:59:59.999999999Z", FIRST_TIME),
        (FIRST_TIME, FIRST_TIME),
        (LAST_TIME, LAST_TIME),
        ("2262-04-11T23:47:16.854775808Z", LAST_TIME),
    ],
)
def test_a_time_beyond_nanoseconds_is_replaced_by_the_nearest(time, nearest):
    document = make()
    document.time = time
    told = check(document)
    document.time, document.observed = TIME, time
    observed = check(document)

    assert (told["@timestamp"], "overflow" in told) == (nearest, time != nearest)
    assert (observed["observedTimestamp"], "overflow" in observed) == (nearest, time != nearest)


@pytest.mark.parametrize(
    ("attributes", "numbers"),
    [
        ({"http.response.status_code": 200, "order_id": 7}, {"http.response.status_code": 200}),
        ({"http": {"response": {"status_code": 200}}}, {"http.response.status_code": 200}),
        ({"http": {"response.status_code": "503"}}, {"http.response.status_code": 503}),
        ({"duration": "1.5e3", "status": "-2"}, {"duration": 1500, "status": -2}),
        (
            {"http.response.status_code": 200, "http": {"response": {"status_code": 5}}},
            {"http.response.status_code": 200},
        ),
        ({"queue": {"depth": 3}, "queue.depth#1": 4}, {"queue.depth": 3}),
        ({"queue": 3}, None),
        ({"duration": True, "status": None, "count": [1], "size": {"a": 1}}, None),
        ({"duration": "fast", "status": "", "count": " 1", "size": "1_0", "bytes": "٣", "took": "0x1"}, None),
        ({"duration": "NaN", "status": "Infinity", "count": "1e999", "size": float("nan"), "took": "9" * 40}, None),
    ],
)
def test_attributes_that_are_numbers_are_copied_and_what_is_none_is_not(attributes, numbers):
    document = make("x", attributes)

    assert written(document, frozenset({"queue.depth"})).get("numbers") == numbers
    assert written(document, frozenset({"queue.depth"}))["attributes"] == stored(document)["attributes"]


def test_a_number_in_a_long_document_is_copied_too():
    assert check(make("x", {"duration": 5, "trace": "x" * 5000}))["numbers"] == {"duration": 5}


@pytest.mark.parametrize(
    ("own", "has", "has_not"),
    [
        ((), "http.response.status_code", "queue.depth"),
        (("queue.depth",), "queue.depth", "queue"),
        (("queue", "queue.depth"), "queue", "queue.depth"),
        (("status.code",), "status.code", "status"),
        (("http",), "http", "http.response.status_code"),
    ],
)
def test_of_numbers_that_cannot_both_be_fields_a_routes_own_and_the_shorter_one_is_left(own, has, has_not):
    names = number_fields(own)

    assert has in names
    assert has_not not in names


def test_rewritten_is_told_once():
    document = make("x")
    document.rewritten = ("number", "encoding", "number")

    assert written(document)["attributes"] == {"log.record.rewritten": ["encoding", "number"]}
    assert written(make(["x"], {"a": "v" * 5000}))["overflow"]


def test_what_is_nested_as_deep_as_can_be_written_can_be_moved():
    deep: Any = "v" * (LONGEST_TERM + 1)
    for level in range(250):
        deep = [deep] if level % 2 else {"k": deep}

    assert check(make("x", {"a": deep}))["overflow"][0]["text"] == "v" * (LONGEST_TERM + 1)
