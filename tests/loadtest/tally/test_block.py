"""A block of lines is read as `json` and the marker's own expression read it, whatever stands in it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest import marker
from loadtest.marker import Marker
from loadtest.tally.block import find_markers, pieces, read_lines

MARKERS = st.builds(
    Marker,
    run=st.integers(0, marker.LAST_RUN),
    source=st.integers(0, marker.LAST_SOURCE),
    sequence=st.integers(0, marker.LAST_SEQUENCE),
    due_unix_nano=st.integers(0, 2**63 - 1),
)
BYTES = st.lists(
    st.one_of(
        MARKERS.map(Marker.encode),
        MARKERS.map(lambda each: each.encode()[:-1]),
        st.sampled_from([b"s", b"l", b"t", b"slt", b"sslt", b"\n", b"q", b"\x00", b"\xff", b"a" * 36]),
        st.binary(max_size=3),
    ),
    max_size=12,
).map(b"".join)


@settings(max_examples=150)
@given(BYTES)
def test_the_markers_are_those_that_the_expression_finds(data):
    found = find_markers(data)
    assert [Marker(*each) for each in zip(*(column.tolist() for column in found[1:]), strict=True)] == list(
        marker.find(data)
    )
    assert [data[at : at + 3] for at in found.at] == [b"slt"] * len(found.at)


def test_a_time_beyond_63_bits_is_no_message_of_a_plan_and_no_error():
    assert find_markers(Marker(1, 2, 3, 2**64 - 1).encode()).due.tolist() == [-1]


IDS = st.one_of(
    st.text(max_size=4), st.sampled_from(["f" * 32, '"event_id":"x"']), st.none(), st.integers(), st.just([])
)
KEYS = st.one_of(st.text(max_size=3), st.sampled_from(["event_id", '"event_id', "body", 'x","event_id']))
VALUES = st.recursive(
    st.one_of(
        st.none(), st.floats(), st.integers(), st.text(), st.just('","event_id":"spoof"'), st.just('{"event_id":"x"}')
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4) | st.builds(
    lambda first, id_, last: {**first, "event_id": id_, **last},
    st.dictionaries(KEYS, VALUES, max_size=3),
    IDS,
    st.dictionaries(KEYS.filter(lambda key: key != "event_id"), VALUES, max_size=3),
)
LINES = st.one_of(
    DOCUMENTS.map(lambda each: json.dumps(each, separators=(",", ":")).encode()),
    DOCUMENTS.map(lambda each: json.dumps(each, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    DOCUMENTS.map(lambda each: json.dumps(each).encode()[:-1]),
    VALUES.map(lambda each: json.dumps(each).encode()),
    st.tuples(st.text(max_size=3), st.text(max_size=3)).map(
        lambda ids: f'{{"event_id":{json.dumps(ids[0])},"event_id":{json.dumps(ids[1])}}}'.encode()
    ),
    st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"")),
    st.sampled_from([b"", b"  ", b"\r", b"{}", b'{"event_id":"a"}{}', b'{"event_id":"\\ud800"}', b"[" * 5000]),
)


def slowly(line: bytes):
    """What the line's document has for an id, `...` for a line that is no document."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return ...
    return document.get("event_id") if isinstance(document, dict) else ...


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=6))
def test_every_line_has_the_id_that_json_reads(lines):
    read = read_lines(b"".join(line + b"\n" for line in lines))
    ids = [slowly(line) for line in lines]
    assert list(read.lines) == lines
    assert read.unreadable.tolist() == [each is ... for each in ids]
    assert read.nameless.tolist() == [each is not ... and not isinstance(each, str) for each in ids]
    assert read.bad == sum(each is ... and bool(line.strip()) for each, line in zip(ids, lines, strict=True))
    texts = [(each, int(of)) for each, of in zip(ids, read.fingerprints, strict=True) if isinstance(each, str)]
    assert len(set(texts)) == len({each for each, _ in texts}) == len({of for _, of in texts})
    assert [b"".join(lines)[:0] + line[:1] for line in lines] == [
        (b"\n".join(lines) + b"\n")[at : at + 1] if line else b"" for at, line in zip(read.begins, lines, strict=True)
    ]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_the_last_line_counts_with_and_without_its_newline(end):
    assert list(read_lines(b'{"event_id":"a"}\n{"event_id":"b"}' + end).fingerprints) == [
        *read_lines(b'{"event_id":"a"}').fingerprints,
        *read_lines(b'{"event_id":"b"}').fingerprints,
    ]


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=20), st.integers(1, 40))
def test_pieces_are_whole_lines_and_all_of_them(lines, most):
    data = b"\n".join(lines)
    found = pieces(data, most=most)
    assert b"".join(found) == data
    assert all(piece.endswith(b"\n") for piece in found[:-1])
    longest = max(map(len, lines), default=0)
    assert all(len(piece) <= most + longest + 1 for piece in found)


def test_nothing_is_found_in_nothing():
    assert len(find_markers(b"").at) == 0
    assert len(read_lines(b"").lines) == 0
    assert np.array_equal(find_markers(b"s").at, [])
