"""A document beyond the limit comes out within it, and nothing of it is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.transform.document import Document, Resource, Source, encode
from lambdas.transform.errors import RecordError
from lambdas.transform.limits import MAX_DOCUMENT_BYTES
from lambdas.transform.oversize import fit, is_oversize
from lambdas.transform.searchable import make_searchable
from lambdas.transform.store import NoStore

TIME = "2026-11-21T02:36:00.123456789Z"
EVENT_ID = "0123456789abcdef" * 2
MARKS = {"log.record.truncated", "log.record.original", "log.record.original_bytes"}
LIMIT = 2000
SEARCH = make_searchable(frozenset({"took", "x"}))


class Shelf:
    """A store in memory."""

    def __init__(self):
        self.originals = {}

    def put_original(self, event_id, data, time):
        self.originals[event_id, time] = data
        return f"s3://shelf/{event_id}"

    def put_reasons(self, failures, invocation_id, time):
        raise NotImplementedError


def make(body, *, attributes=None, tag="web", resource=None, trace_id=None):
    source = Source(resource=Resource(resource or {}), tag=tag, attributes={}, shared=b"")
    document = Document(source=source, time=TIME, body=body, event_id=EVENT_ID)
    document.attributes = attributes or {}
    document.trace_id = trace_id
    return document


def truncate(document, *, limit=LIMIT, store=None, encode=encode):
    line = encode(document)
    [line] = fit(document, line, oversize="truncate", store=store or Shelf(), encode=encode, limit=limit)
    assert len(line.encode()) <= limit
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    return line


def split(document, *, limit=LIMIT, store=None, encode=encode):
    line = encode(document)
    lines = fit(document, line, oversize="split", store=store or NoStore(), encode=encode, limit=limit)
    assert all(len(line.encode()) <= limit and line.count("\n") == 1 for line in lines)
    return [json.loads(line) for line in lines]


def of_size(size):
    bare = len(encode(make("")).encode())
    return make("a" * (size - bare))


def test_line_at_the_limit_is_left_and_one_past_it_is_not():
    assert not is_oversize(encode(of_size(MAX_DOCUMENT_BYTES)))
    assert is_oversize(encode(of_size(MAX_DOCUMENT_BYTES + 1)))


@pytest.mark.parametrize("character", ["é", "€", "😀"])
def test_limit_is_of_bytes_and_not_of_characters(character):
    width = len(character.encode())
    assert not is_oversize(character * (MAX_DOCUMENT_BYTES // width))
    assert is_oversize(character * (MAX_DOCUMENT_BYTES // width + 1))


def test_truncated_document_says_so_and_where_the_original_is():
    document, shelf = of_size(MAX_DOCUMENT_BYTES + 1), Shelf()
    whole = encode(document)
    line = truncate(document, limit=MAX_DOCUMENT_BYTES, store=shelf)
    cut = json.loads(line)
    assert len(line) == MAX_DOCUMENT_BYTES
    assert document.body.startswith(cut["body"])
    assert cut["attributes"] == {
        "log.record.truncated": True,
        "log.record.original": f"s3://shelf/{EVENT_ID}",
        "log.record.original_bytes": MAX_DOCUMENT_BYTES + 1,
    }
    assert (cut["event_id"], cut["tag"], cut["@timestamp"]) == (EVENT_ID, "web", TIME)
    assert shelf.originals == {(EVENT_ID, TIME): whole.encode()}


def test_document_whose_original_cannot_be_kept_is_not_cut():
    document = of_size(LIMIT + 1)
    with pytest.raises(RecordError, match="original_not_stored"):
        fit(document, encode(document), oversize="truncate", store=NoStore(), limit=LIMIT)


@pytest.mark.parametrize("unit", ["a", "é", "€", "😀", '"', "\\", "\n", "\x01", 'ä"\\\x01😀a'])
def test_body_is_cut_at_a_character_as_late_as_possible(unit):
    for extra in range(12):
        document = make("a" * extra + unit * LIMIT)
        line = truncate(document)
        body = json.loads(line)["body"]
        assert document.body.startswith(body)
        following = json.dumps(document.body[len(body)], ensure_ascii=False)
        assert len(line.encode()) + len(following.encode()) - 2 > LIMIT


def test_huge_attribute_is_cut_and_everything_else_is_whole():
    document = make("short", attributes={"small": "kept", "count": 3, "huge": "h" * LIMIT, "list": [1, 2]})
    cut = json.loads(truncate(document))
    assert cut["body"] == "short"
    kept = {name: value for name, value in cut["attributes"].items() if name not in {*MARKS, "huge"}}
    assert kept == {"small": "kept", "count": 3, "list": [1, 2]}
    assert len(cut["attributes"]["huge"]) > LIMIT // 2
    assert set("h") == set(cut["attributes"]["huge"])


def test_several_huge_values_share_the_room():
    cut = json.loads(truncate(make("b" * LIMIT, attributes={"x": "x" * LIMIT, "y": "y" * LIMIT})))
    lengths = [len(cut["body"]), len(cut["attributes"]["x"]), len(cut["attributes"]["y"])]
    assert min(lengths) == max(lengths) > LIMIT // 5


def test_huge_value_that_is_no_text_is_cut_as_its_json():
    cut = json.loads(truncate(make({"rows": list(range(LIMIT))}, attributes={"huge": [["x"]] * LIMIT})))
    assert json.dumps({"rows": list(range(LIMIT))}, separators=(",", ":")).startswith(cut["body"])
    assert cut["attributes"]["huge"].startswith('[["x"],["x"]')


@pytest.mark.parametrize(
    ("document", "gone"),
    [
        (make("body", attributes={f"name {number}": 1 for number in range(LIMIT)}), {"attributes"}),
        (make("body", tag="t" * LIMIT), {"tag"}),
        (make("body", resource={"container": {"name": "n" * LIMIT}}), {"resource"}),
        (make("body", trace_id="t" * LIMIT), {"traceId"}),
        (make("body" * LIMIT, tag="t" * LIMIT, attributes={"n" * LIMIT: 1}), {"tag", "attributes"}),
    ],
)
def test_what_cannot_be_cut_is_left_to_the_original(document, gone):
    shelf = Shelf()
    cut = json.loads(truncate(document, store=shelf))
    assert cut["body"].startswith("body")
    assert set(cut["attributes"]) == MARKS
    assert not (gone - {"attributes"}) & set(cut)
    assert list(shelf.originals.values()) == [encode(document).encode()]


def test_mark_that_a_client_wrote_does_not_pass_for_ours():
    cut = json.loads(truncate(make("b" * LIMIT, attributes={"log.record.original": "s3://elsewhere"})))
    assert cut["attributes"]["log.record.original"] == "s3://elsewhere"
    assert cut["attributes"]["log.record.original#1"] == f"s3://shelf/{EVENT_ID}"


def test_what_was_rewritten_is_said_once():
    document = make("b" * LIMIT)
    document.rewritten = ("encoding",)
    cut = json.loads(truncate(document))
    assert set(cut["attributes"]) == {*MARKS, "log.record.rewritten"}


def test_document_itself_is_not_changed():
    document = make("b" * LIMIT, attributes={"x": "y"})
    before = encode(document)
    truncate(document)
    split(document)
    assert encode(document) == before


def test_parts_have_everything_in_common_but_the_body_and_their_id():
    parts = split(make("0123456789" * LIMIT, attributes={"x": "y"}, resource={"service": {"name": "shop"}}))
    assert len(parts) > 10
    ids = {part.pop("event_id") for part in parts}
    assert len(ids) == len(parts)
    assert EVENT_ID not in ids
    assert "".join(part.pop("body") for part in parts) == "0123456789" * LIMIT
    numbers = [part["attributes"].pop("log.record.part") for part in parts]
    assert numbers == list(range(1, len(parts) + 1))
    common = {"x": "y", "log.record.parts": len(parts), "log.record.whole": EVENT_ID}
    assert all(part == {**parts[0], "attributes": common} for part in parts)


def test_copy_of_a_document_has_parts_with_the_same_ids():
    """As any copy, it is then told from a second line that says the same."""
    first, second = (split(make("x" * 5 * LIMIT)) for _ in range(2))
    assert [part["event_id"] for part in first] == [part["event_id"] for part in second]


def test_document_one_past_the_limit_becomes_two():
    [first, second] = split(of_size(LIMIT + 1))
    assert first["body"] + second["body"] == of_size(LIMIT + 1).body


@pytest.mark.parametrize("common", [LIMIT // 2, LIMIT])
def test_document_that_has_too_much_in_common_to_be_split_is_truncated(common):
    """Or a megabyte of attributes would be written once for every few bytes of the body."""
    document, shelf = make("b" * 2 * LIMIT, attributes={"huge": "h" * common}), Shelf()
    [cut] = split(document, store=shelf)
    assert cut["attributes"]["log.record.truncated"] is True
    assert len(shelf.originals) == 1


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=50), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("shape", [encode, SEARCH], ids=["stored", "search"])
@given(
    body=st.text(max_size=400) | values,
    repeated=st.integers(1, 30),
    attributes=st.dictionaries(st.text(max_size=100) | st.sampled_from(["took", "status"]), values, max_size=30),
    tag=st.text(max_size=400),
)
def test_whatever_it_is_it_fits_afterwards(shape, body, repeated, attributes, tag):
    document = make(body * repeated if isinstance(body, str) else [body] * repeated, attributes=attributes, tag=tag)
    if len(shape(document).encode()) <= LIMIT:
        return
    shelf = Shelf()
    truncate(document, store=shelf, encode=shape)
    assert list(shelf.originals.values()) == [shape(document).encode()]
    parts = split(document, store=Shelf(), encode=shape)
    if len(parts) > 1:
        text = document.body if isinstance(document.body, str) else None
        joined = "".join(part["body"] for part in parts)
        assert joined == text if text is not None else json.loads(joined) == document.body


HUGE = [
    make("b" * 2_000_000),
    make('"' * 2_000_000),
    make([{'"': '"\\'}] * 100_000),
    make({"took": "\x01" * 900_000}, attributes={"took": 5, "huge": "h" * 900_000}),
    make("short", attributes={"huge": [['"x"'] * 10] * 10_000, "list": list(range(200_000))}),
    make("short", attributes={f"name {number}": {'"': "\\" * 30} for number in range(20_000)}),
    make("short", attributes={"k" * 3000: {"deep" * 600: "v" * 600_000}, "status": "200", "took": "1" * 700_000}),
    make("short", resource={"service": {"name": "n" * 5000}, "x": {"y": "z" * 1_200_000}}, tag="t" * 3000),
]


@pytest.mark.parametrize("document", HUGE, ids=range(len(HUGE)))
def test_a_document_for_search_fits_whatever_is_moved_copied_or_written_as_text_in_it(document):
    """Each is within the limit, says that it was cut, and keeps some of what it can."""
    cut = json.loads(truncate(document, limit=MAX_DOCUMENT_BYTES, encode=SEARCH))
    assert cut["attributes"].keys() >= MARKS
    assert isinstance(cut["body"], str)
    assert cut["body"].startswith(document.body[:5] if isinstance(document.body, str) else "")
    for part in split(document, limit=MAX_DOCUMENT_BYTES, store=Shelf(), encode=SEARCH):
        assert isinstance(part["body"], str)


def test_a_body_for_search_is_cut_no_earlier_than_it_must_be():
    line = truncate(make("b" * 2_000_000), limit=MAX_DOCUMENT_BYTES, encode=SEARCH)
    assert MAX_DOCUMENT_BYTES - 10 < len(line.encode()) <= MAX_DOCUMENT_BYTES


def test_attributes_that_are_numbers_are_copied_out_of_what_was_cut_too():
    cut = json.loads(truncate(make("b" * LIMIT, attributes={"took": 5}), encode=SEARCH))
    assert cut["numbers"] == {"took": 5, "log.record.original_bytes": cut["attributes"]["log.record.original_bytes"]}
