"""Lines of a trace that arrive together become one document, and no line is lost or told twice by it."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.transform import multiline
from lambdas.transform.event_id import Arrival
from lambdas.transform.limits import MAX_JOINED_BYTES, MAX_JOINED_LINES
from lambdas.transform.multiline import join_stack_traces, might_hold_trace
from lambdas.transform.parse.block import read_block

RECORDED = {
    path.stem: path.read_text(encoding="utf-8").split("\n")[:-1]
    for path in sorted((Path(__file__).parents[2] / "events" / "traces").glob("*.txt"))
}
JAVA = ["ERROR order failed", "java.lang.IllegalStateException: no", "\tat a.B.c(B.java:1)", "\tat a.B.d(B.java:2)"]
FRAME = "\tat com.example.Shop.take(Shop.java:12)"


def member(text, number, source="c1", **more):
    return {
        "container_id": source,
        "source": "stderr",
        "log": text,
        "_tag": "shop",
        "_time": f"2026-11-21T02:36:00.{number + 1:09d}Z",
        **more,
    }


def read(*members):
    block = b"".join(orjson.dumps(one) + b"\n" for one in members)
    arrival = Arrival(record_id="r", time="2026-11-21T02:37:00.000000000Z")
    return [document for documents in read_block(block, arrival) for document in documents]


def read_texts(texts):
    return read(*(member(text, number) for number, text in enumerate(texts)))


def test_trace_becomes_the_document_of_its_first_line_with_all_lines_in_its_body():
    apart = read_texts([*JAVA, "INFO next"])
    first, ids = apart[0], [document.event_id for document in apart]

    joined = join_stack_traces(read_texts([*JAVA, "INFO next"]))

    assert [document.body for document in joined] == ["\n".join(JAVA), "INFO next"]
    assert [document.event_id for document in joined] == [ids[0], ids[4]]
    assert (joined[0].time, joined[0].observed) == (first.time, first.observed)
    assert joined[0].attributes == {"log.iostream": "stderr", "log.record.lines": 4}
    assert joined[1].attributes == {"log.iostream": "stderr"}


@pytest.mark.parametrize(
    "other", [{"source": "c2"}, {"_tag": "web"}, {"source_": "stdout"}, {"ecs_cluster": "blue"}], ids=str
)
def test_lines_of_another_source_between_them_neither_join_nor_part_them(other):
    other = {
        ("source" if key == "source_" else "container_id" if key == "source" else key): v for key, v in other.items()
    }
    lines = [
        one
        for number, text in enumerate(JAVA)
        for one in (member(text, number), {**member(text, number + 50), **other})
    ]

    joined = join_stack_traces(read(*lines))

    assert [document.body for document in joined] == ["\n".join(JAVA)] * 2


def test_other_line_of_the_same_source_parts_a_trace():
    joined = join_stack_traces(read_texts([*JAVA[:3], "INFO next", *JAVA[2:]]))

    assert [document.body for document in joined] == ["\n".join(JAVA[:3]), "INFO next", "\n".join(JAVA[2:])]


@pytest.mark.parametrize("line", ['{"msg":"java.lang.Error: x"}', ' {"level":"error"} ', '  {"a":1}'])
def test_json_line_never_joins(line):
    joined = join_stack_traces(read_texts([line, *JAVA[1:], line, *JAVA[1:]]))

    assert [document.body for document in joined] == [line, "\n".join(JAVA[1:])] * 2


def test_json_line_that_is_indented_ends_a_trace():
    trace = ["Traceback (most recent call last):", '  File "a.py", line 1, in f']

    joined = join_stack_traces(read_texts([*trace, '  {"a":1}', "KeyError: 1"]))

    assert [document.body for document in joined] == ["\n".join(trace), '  {"a":1}', "KeyError: 1"]


def test_lines_that_their_shipper_gave_different_severities_stay_apart():
    lines = [{"version": "1.1", "short_message": text, "level": at % 2 + 3} for at, text in enumerate([*JAVA, *JAVA])]

    assert [document.body for document in join_stack_traces(read(*lines))] == [*JAVA, *JAVA]


def test_what_had_to_be_rewritten_in_any_line_is_told_of_the_whole():
    documents = read_texts(JAVA)
    documents[1].rewritten, documents[3].rewritten = ("encoding",), ("encoding", "number")

    (joined,) = join_stack_traces(documents)

    assert sorted(joined.rewritten) == ["encoding", "number"]


def test_line_with_attributes_of_its_own_stays_alone_with_them():
    joined = join_stack_traces(
        read(member(JAVA[1], 1), member(FRAME, 2, _time="yesterday"), member(FRAME, 3), member(FRAME, 4))
    )

    assert [document.body for document in joined] == [JAVA[1], FRAME, f"{FRAME}\n{FRAME}"]
    assert joined[1].attributes["_time"] == "yesterday"


def test_lines_that_carry_a_time_of_their_own_join_as_well():
    """As an agent reads them from Docker's json-file, where each line differs in more than its text."""
    (joined,) = join_stack_traces(
        read(
            *(
                {"log": f"{text}\n", "stream": "stderr", "time": f"2026-11-21T02:36:0{at}.5Z"}
                for at, text in enumerate(JAVA)
            )
        )
    )

    assert joined.body == "\n".join(JAVA)
    assert joined.time == "2026-11-21T02:36:00.500000000Z"


def test_copy_of_a_line_does_not_get_into_the_trace_and_is_not_lost():
    lines = [member(text, number) for number, text in enumerate(JAVA)]

    joined = join_stack_traces(read(*lines[:3], *lines))

    assert sorted(document.body for document in joined) == sorted(["\n".join(JAVA), *JAVA[:3]])
    assert len({document.event_id for document in joined}) == 3


@pytest.mark.parametrize(("lines", "documents"), [(MAX_JOINED_LINES, 1), (MAX_JOINED_LINES + 1, 2)])
def test_trace_of_too_many_lines_goes_on_in_a_document_that_names_the_first(lines, documents):
    joined = join_stack_traces(read_texts([JAVA[1], *[FRAME] * (lines - 1)]))

    assert len(joined) == documents
    assert joined[0].attributes["log.record.lines"] == MAX_JOINED_LINES
    assert [one.attributes["log.record.continues"] for one in joined[1:]] == [joined[0].event_id] * (documents - 1)


@pytest.mark.parametrize(("over", "documents"), [(0, 1), (1, 2)])
def test_trace_of_too_many_bytes_goes_on_in_another_document(over, documents):
    frames = [FRAME + "x" * 99_000] * 9
    used = len(orjson.dumps("\n".join([JAVA[1], *frames, FRAME])))
    joined = join_stack_traces(read_texts([JAVA[1], *frames, FRAME + "y" * (MAX_JOINED_BYTES - used + over)]))

    assert [len(orjson.dumps(one.body)) <= MAX_JOINED_BYTES for one in joined] == [True] * documents
    assert joined[-1].body.endswith("y")


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_trace_passes_the_first_look(name):
    assert might_hold_trace(read_texts(RECORDED[name]))


def test_lines_without_a_trace_do_not_pass_the_first_look_and_are_returned_as_they_are():
    documents = read_texts(["GET /", "INFO a", '{"a":1}', "level=info"])

    assert not might_hold_trace(documents)
    assert join_stack_traces(documents) is documents


def test_first_look_takes_any_body():
    assert might_hold_trace(read(member(4, 1), member("x", 2)))
    assert not might_hold_trace([])


LINES = st.sampled_from(
    [line for lines in RECORDED.values() for line in lines] + JAVA + ["INFO x", "done", "", '{"a":1}']
)
STREAMS = st.lists(
    st.sampled_from(sorted(RECORDED)).map(RECORDED.__getitem__) | st.lists(LINES, max_size=6), max_size=3
)


@given(streams=st.lists(STREAMS, min_size=1, max_size=3), data=st.data())
def test_every_line_is_found_exactly_once_in_the_order_of_its_source(streams, data):
    left = {f"c{at}": [line for lines in stream for line in lines] for at, stream in enumerate(streams)}
    sent, members = {source: list(lines) for source, lines in left.items()}, []
    chance = data.draw(st.randoms(use_true_random=False))
    while waiting := [source for source, lines in left.items() if lines]:
        source = chance.choice(waiting)
        members.append(member(left[source].pop(0), len(members), source))
    cuts = sorted(chance.sample(range(len(members) + 1), k=min(3, len(members))))

    said = {source: [] for source in sent}
    for start, end in zip([0, *cuts], [*cuts, len(members)], strict=True):
        for document in join_stack_traces(read(*members[start:end])):
            lines = document.body.split("\n")
            assert len(lines) == document.attributes.get("log.record.lines", 1)
            said[document.resource.members["container"]["id"]] += lines

    assert said == sent


def test_lines_are_read_once_for_all_sources(monkeypatch):
    looked = []
    monkeypatch.setattr(multiline, "find_traces", lambda texts: looked.append(len(texts)) or [])

    join_stack_traces(read(*(member(FRAME, number, f"c{number % 100}") for number in range(1000))))

    assert sum(looked) == 1000
