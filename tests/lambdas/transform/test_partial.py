"""A line that was cut is one document where its parts are in one batch, and nothing is lost whatever fails."""

import json
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.transform.errors import RecordError
from lambdas.transform.event_id import Arrival
from lambdas.transform.limits import MAX_JOINED_BYTES
from lambdas.transform.parse.block import read_block
from lambdas.transform.partial import Parts

ARRIVED = "2026-11-21T02:37:00.000000000Z"


def part(text, ordinal, of, *, line="p1", container="c1", **more):
    return {
        "container_id": container,
        "source": "stdout",
        "log": text,
        "partial_message": "true",
        "partial_id": line,
        "partial_ordinal": str(ordinal),
        "partial_last": "true" if ordinal == of else "false",
        "_tag": "shop",
        "_time": f"2026-11-21T02:36:00.{ordinal:09d}Z",
        **more,
    }


def plain(text):
    return {"container_id": "c1", "source": "stdout", "log": text, "_tag": "shop", "_time": "2026-11-21T02:36:00.5Z"}


@dataclass
class Batch:
    """What a batch's records came to: their documents, where they were delivered."""

    documents: dict[int, list]
    joined: dict[int, int]


def transform(*records, unreadable=(), failing=()):
    """Do what the transformer does: read in order; some records cannot be read, some fail after that."""
    datas = [b"".join(orjson.dumps(member) + b"\n" for member in members) for members in records]

    def read(at):
        if at in unreadable:
            raise RecordError("unreadable")
        return read_block(datas[at], Arrival(record_id=str(at), time=ARRIVED))

    parts, documents = Parts(datas, read), {}
    for at in range(len(datas)):
        try:
            found = [document for block in parts.read(at) for document in block]
        except RecordError:
            assert at in unreadable
            continue
        if at not in failing:
            documents[at] = found
            parts.delivered(at)
    return Batch(documents, parts.joined)


def bodies(batch):
    return {at: [document.body for document in documents] for at, documents in batch.documents.items()}


def test_parts_of_a_record_become_the_document_of_the_first_with_the_whole_text():
    first = transform([part("a" * 9, 1, 3)]).documents[0][0]
    batch = transform([plain("x"), part("a" * 9, 1, 3), plain("y"), part("b" * 9, 2, 3), part("c", 3, 3)])

    whole = batch.documents[0][1]
    assert bodies(batch) == {0: ["x", "a" * 9 + "b" * 9 + "c", "y"]}
    assert whole.attributes == {"log.iostream": "stdout", "log.record.parts": 3}
    assert (whole.event_id, whole.time) == (first.event_id, "2026-11-21T02:36:00.000000001Z")
    assert batch.joined == {0: 2}


@pytest.mark.parametrize("records", [((1,), (2,), (3,)), ((3,), (1, 2)), ((2, 3), (), (1,)), ((3, 2, 1),)], ids=str)
def test_the_record_with_the_earliest_part_holds_the_line_in_whatever_order_they_come(records):
    batch = transform(*([part(f"<{ordinal}>", ordinal, 3) for ordinal in record] for record in records))

    assert bodies(batch) == {at: ["<1><2><3>"] if at == 0 else [] for at in range(len(records))}
    alone = transform([part("<1>", 1, 3)]).documents[0][0]
    assert batch.documents[0][0].event_id == alone.event_id


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_part_whose_others_are_missing_stays_with_all_it_carries_and_is_marked(missing):
    there = [ordinal for ordinal in (1, 2, 3) if ordinal != missing]

    batch = transform([part(f"<{ordinal}>", ordinal, 3) for ordinal in there])

    assert [(one.body, one.attributes["partial_ordinal"]) for one in batch.documents[0]] == [
        (f"<{ordinal}>", str(ordinal)) for ordinal in there
    ]
    for document in batch.documents[0]:
        assert document.attributes["log.record.partial"] is True
        assert document.attributes.keys() >= {"partial_message", "partial_id", "partial_last", "log.iostream"}


def test_numbers_with_a_gap_are_no_line_even_if_as_many_as_the_last_one_says():
    batch = transform([part("<2>", 2, 2), part("<5>", 5, 9)])

    assert bodies(batch) == {0: ["<2>", "<5>"]}


def test_parts_in_different_blocks_of_a_record_are_found_in_their_place():
    members = [plain("x"), plain("y"), part("<1>", 1, 2), plain("z"), part("<2>", 2, 2)]
    data = b"\n".join(map(orjson.dumps, members))
    documents = [one for block in read_block(data, Arrival(record_id="r", time=ARRIVED)) for one in block]

    found = Parts([data], lambda _: [documents[:2], documents[2:3], documents[3:]]).read(0)

    assert [[one.body for one in block] for block in found] == [["x", "y"], ["<1><2>"], ["z"]]


def test_what_had_to_be_rewritten_in_any_part_is_told_of_the_whole():
    raw = [orjson.dumps(part(text, at, 2)) for at, text in enumerate(("<1>", "<2?>"), start=1)]
    data = b"\n".join(raw).replace(b"?", b"\xff")
    parts = Parts([data], lambda _: read_block(data, Arrival(record_id="r", time=ARRIVED)))

    ((document,),) = parts.read(0)

    assert (document.body, document.rewritten) == (r"<1><2\xff>", ("encoding",))


@pytest.mark.parametrize("change", [{"container_id": "c2"}, {"source": "stderr"}, {"_tag": "t"}, {"partial_id": "p"}])
def test_parts_of_different_lines_are_kept_apart(change):
    batch = transform([part("<1>", 1, 2), {**part("<2>", 2, 2), **change}])

    assert bodies(batch) == {0: ["<1>", "<2>"]}


def test_copy_of_a_part_is_left_out_and_one_that_says_something_else_prevents_joining():
    same = transform([part("<1>", 1, 2), part("<1>", 1, 2)], [part("<2>", 2, 2)], [part("<2>", 2, 2)])
    other = transform([part("<1>", 1, 2), part("<2>", 2, 2), part("<3>", 2, 2)])

    assert bodies(same) == {0: ["<1><2>"], 1: [], 2: []}
    assert same.joined == {0: 1, 1: 1, 2: 1}
    assert bodies(other) == {0: ["<1>", "<2>", "<3>"]}


@pytest.mark.parametrize(
    "odd",
    [
        {"partial_ordinal": "0"},
        {"partial_ordinal": 2},
        {"partial_ordinal": "9" * 5_000},
        {"partial_ordinal": "٢"},
        {"partial_last": "yes"},
        {"partial_last": True},
        {"partial_id": ["p1"]},
        {"log": {"a": 1}},
        {"log": None},
        {"team": "blue"},
    ],
    ids=lambda odd: str(odd)[:30],
)
def test_part_that_is_not_as_docker_writes_it_stays_alone(odd):
    batch = transform([part("<1>", 1, 2), {**part("<2>", 2, 2), **odd}])

    assert batch.documents[0][0].body == "<1>"
    assert len(batch.documents[0]) == 2


@pytest.mark.parametrize(("over", "documents"), [(0, 1), (1, 2)])
def test_line_that_is_too_long_stays_in_parts(over, documents):
    batch = transform([part("a" * 500_000, 1, 2), part("b" * (MAX_JOINED_BYTES - 500_002 + over), 2, 2)])

    assert len(batch.documents[0]) == documents


@pytest.mark.parametrize(("key", "log"), [("log", None), ("message", None), ("message", "tiny")])
def test_record_that_the_aggregator_cut_is_whole_again_whichever_member_it_cut(key, log):
    """The form of carry.lua: the id ends with the bytes of the whole, all other members are in every part."""
    text = "é" * 8
    rest = {} if log is None else {"log": log}
    more = {"line": f"1795228560.123456789-{len(text.encode())}", "_time": "2026-11-21T02:36:00.5Z", "level": "info"}
    cut = [{**part(None, at, 2, **more), **rest, key: piece} for at, piece in enumerate((text[:5], text[5:]), start=1)]
    for one in cut:
        one["partial_id"] = one.pop("line", one["partial_id"])
        if one["log"] is None:
            del one["log"]

    (document,) = transform(cut).documents[0]

    assert {"log": document.body, **document.attributes}[key] == text
    assert document.attributes["log.record.parts"] == 2
    if log:
        assert document.body == log


def test_record_whose_parts_do_not_have_the_bytes_its_id_says_stays_in_parts():
    batch = transform(
        [part(text, at, 2, line="1795228560.123456789-9") for at, text in enumerate(("<1>", "<2>"), start=1)]
    )

    assert bodies(batch) == {0: ["<1>", "<2>"]}


def test_character_that_docker_cut_in_two_is_itself_again():
    text = 'x{"name": "Sencha 煎茶 é 🎁"}' * 3
    raw = text.encode()
    for cut in range(1, len(raw)):
        halves = [half.decode("utf-8", "backslashreplace") for half in (raw[:cut], raw[cut:])]
        assert bodies(transform([part(half, at, 2) for at, half in enumerate(halves, start=1)])) == {0: [text]}


@pytest.mark.parametrize(
    ("left", "right"), [(r"\xe7", r"\xe7\x85"), (r"\xff", r"\x80"), (r"\xc0", r"\x80"), (r"\x85", "a")]
)
def test_bytes_that_are_no_character_stay_spelled(left, right):
    assert bodies(transform([part(left, 1, 2), part(right, 2, 2)])) == {0: [left + right]}


def test_host_that_fails_leaves_the_parts_of_later_records_to_them():
    records = [part("<1>", 1, 3)], [part("<2>", 2, 3)], [part("<3>", 3, 3)]

    after = transform(*records, failing=[0])
    before = transform(*records, unreadable=[0])

    assert bodies(after) == bodies(before) == {1: ["<2>"], 2: ["<3>"]}
    assert all(one.attributes["log.record.partial"] for found in after.documents.values() for one in found)


def test_record_without_parts_is_not_read_before_its_turn():
    read = []
    parts = Parts([b"{}", None, b'{"partial_id":"p"}'], lambda at: read.append(at) or iter(()))

    assert read == [2]
    assert list(parts.read(0)) == list(parts.read(2)) == []
    assert read == [2, 0]


LINE = st.integers(1, 4)


@given(
    lines=st.lists(LINE, min_size=1, max_size=4),
    records=st.integers(1, 4),
    data=st.data(),
)
def test_whatever_is_missing_copied_mixed_up_or_fails_no_part_that_came_is_lost(lines, records, data):
    """Each part is in a delivered document, or in a failed record, which is kept raw."""
    sent = [(line, ordinal, of) for line, of in enumerate(lines) for ordinal in range(1, of + 1)]
    came = data.draw(st.lists(st.sampled_from(sent), max_size=12))
    places = [data.draw(st.integers(0, records - 1)) for _ in came]
    members = [[] for _ in range(records)]
    for (line, ordinal, of), place in zip(came, places, strict=True):
        members[place].append(part(f"<{line}.{ordinal}>", ordinal, of, line=f"p{line}"))
    unreadable, failing = (set(data.draw(st.lists(st.integers(0, records - 1), max_size=2))) for _ in range(2))

    batch = transform(*members, unreadable=unreadable, failing=failing)

    said = "".join(body for found in bodies(batch).values() for body in found)
    for (line, ordinal, _), place in zip(came, places, strict=True):
        assert f"<{line}.{ordinal}>" in said or place in unreadable | failing
    for at, found in batch.documents.items():
        joined = sum(one.attributes.get("log.record.parts", 1) for one in found)
        assert len(found) + batch.joined[at] == len(members[at])
        assert joined >= len(found)
    if not unreadable | failing and sorted(came) == sent:
        assert sorted(body for found in bodies(batch).values() for body in found) == sorted(
            "".join(f"<{line}.{ordinal}>" for ordinal in range(1, of + 1)) for line, of in enumerate(lines)
        )


def test_long_json_line_is_json_again():
    line = json.dumps({"event": "inventory", "shelves": list(range(12_000))})
    pieces = [line[at : at + 16_384] for at in range(0, len(line), 16_384)]

    ((document,),) = transform(
        [part(text, at, len(pieces)) for at, text in enumerate(pieces, start=1)]
    ).documents.values()

    assert json.loads(document.body)["shelves"][-1] == 11_999
