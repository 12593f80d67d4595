import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.clients import Container
from loadtest.files import WHOLE_LINE_BYTES, FileCount, FileSender, read_file_lines
from loadtest.forward import ForwardClient
from loadtest.ledger import Ledger
from loadtest.lines import PART_BYTES


def lines_of(data: bytes):
    return list(read_file_lines(io.BytesIO(data)))


def rebuilt(lines) -> bytes:
    pieces = (line.text + ("\n" if line.part is None or line.part.last else "") for line in lines)
    return "".join(pieces).encode("utf-8", "surrogateescape")


def test_a_file_is_sent_with_its_bytes_and_accounted_for(aggregator):
    server, ledger, progress = aggregator(), Ledger(), []
    with ForwardClient("127.0.0.1", server.port, window=4) as client:
        sender = FileSender(client, container=Container.new("app"), tag="t", ledger=ledger, progress=progress.append)
        count = sender.send(io.BytesIO(b"one\n\xff two\nlast without newline"))

    assert count == FileCount(lines=3, records=3, acknowledged=3)
    records = [record for _, _, record in server.entries()]
    assert [record["log"] for record in records] == ["one", "\udcff two", "last without newline"]
    assert {(record["container_name"], record["source"]) for record in records} == {("/app", "stdout")}
    assert {sent.client for sent in ledger} == {"file"}
    assert progress == [1, 2, 3]


def test_a_line_that_firehose_takes_is_whole():
    (line,) = lines_of(b"x" * (WHOLE_LINE_BYTES - 3) + b"\n")

    assert line.part is None


@pytest.mark.parametrize(
    "data",
    [b"x" * (WHOLE_LINE_BYTES - 1), b'"' * (WHOLE_LINE_BYTES // 2), "日".encode() * (WHOLE_LINE_BYTES // 6)],
    ids=["too long", "too long with its quotes escaped", "too long with its characters escaped"],
)
@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_that_firehose_would_not_take_is_cut_as_docker_cuts(data, end):
    lines = lines_of(data + end)

    assert rebuilt(lines) == data + b"\n"
    assert max(len(line.text.encode("utf-8", "surrogateescape")) for line in lines) == PART_BYTES
    assert [line.part.ordinal for line in lines] == list(range(1, len(lines) + 1))
    assert [line.part.last for line in lines] == [False] * (len(lines) - 1) + [True]


@given(
    lengths=st.lists(
        st.sampled_from([0, 1, 16_384, 1_007_615, 1_007_616, 1_015_807, 1_024_000, 1_024_001, 2_500_000]), max_size=3
    )
)
def test_no_byte_of_a_file_is_lost_or_moved(lengths):
    data = b"".join(bytes([65 + n]) * length + b"\n" for n, length in enumerate(lengths))

    assert rebuilt(lines_of(data)) == data
