import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.lines import PART_BYTES, follow_pipes, read_lines

LINES = st.lists(st.integers(0, 3 * PART_BYTES + 2), max_size=6)


def lines_of(data: bytes):
    return list(read_lines(io.BytesIO(data), stream="stdout"))


def process(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_short_lines_are_lines_without_their_newline():
    assert [(line.text, line.part) for line in lines_of(b"one\n\ntwo\r\n")] == [
        ("one", None),
        ("", None),
        ("two\r", None),
    ]


@pytest.mark.parametrize(
    ("length", "parts"),
    [(16_383, None), (16_384, [16_384, 0]), (16_385, [16_384, 1]), (40_000, [16_384, 16_384, 7_232])],
)
def test_a_line_is_cut_when_it_does_not_fit_dockers_buffer(length, parts):
    """With its newline 16,383 bytes fill the buffer of 16,384; one more byte leaves the newline outside."""
    found = lines_of(b"x" * length + b"\nnext\n")

    assert found.pop().part is None
    if parts is None:
        assert [(len(line.text), line.part) for line in found] == [(length, None)]
    else:
        assert [len(line.text) for line in found] == parts
        assert [line.part.ordinal for line in found] == list(range(1, len(parts) + 1))
        assert [line.part.last for line in found] == [False] * (len(parts) - 1) + [True]
        assert len({line.part.id for line in found}) == 1


def test_what_is_left_at_the_end_without_a_newline_is_a_part_without_a_last():
    (line,) = lines_of(b"cut off")

    assert line.part.fields() | {"partial_id": "*"} == {
        "partial_message": "true",
        "partial_id": "*",
        "partial_ordinal": "1",
        "partial_last": "false",
    }


def test_two_cut_lines_have_two_ids():
    assert len({line.part.id for line in lines_of(b"x" * 20_000 + b"\n" + b"y" * 20_000 + b"\n")}) == 2


@given(lengths=LINES)
def test_no_byte_is_lost_or_moved(lengths):
    data = b"".join(bytes([65 + n]) * length + b"\n" for n, length in enumerate(lengths))

    rebuilt = "".join(line.text + ("\n" if line.part is None or line.part.last else "") for line in lines_of(data))

    assert rebuilt.encode() == data


def test_both_pipes_are_followed_to_their_end():
    code = "import sys\nfor n in range(5000): print(n); print(n, file=sys.stderr)"
    with process(code) as running:
        found = [line for line in follow_pipes(running.stdout, running.stderr, tick=10) if line]

    for stream in ("stdout", "stderr"):
        assert [line.text for line in found if line.stream == stream] == [str(n) for n in range(5000)]


def test_a_silent_process_gives_ticks():
    with process("import signal; signal.pause()") as running:
        lines = follow_pipes(running.stdout, running.stderr, tick=0.01)
        assert next(lines) is None
        running.kill()
        assert [line for line in lines if line] == []
