"""Bombs: what expands beyond the limit is refused by name, without the memory it asks for."""

import gzip
import tracemalloc
import zlib

import cramjam
import pytest

from lambdas.transform.decode import unwrap
from lambdas.transform.errors import RecordError
from lambdas.transform.limits import MAX_EXPANDED_BYTES

MIB = 1024 * 1024
WRITERS = {
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "zlib": lambda data: zlib.compress(data, 1),
    "zstd": lambda data: bytes(cramjam.zstd.compress(data, level=1)),
    "snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
    "snappy framed": lambda data: bytes(cramjam.snappy.compress(data)),
}


def streamed_zstd(data):
    """A frame that does not say how much is in it."""
    compressor = cramjam.zstd.Compressor()
    compressor.compress(data)
    return bytes(compressor.finish())


def zstd_frame(*blocks, header=b"\x00\x58"):
    """A frame of (last, kind, size, content)."""
    return (
        b"\x28\xb5\x2f\xfd"
        + header
        + b"".join(
            (last | kind << 1 | size << 3).to_bytes(3, "little") + content for last, kind, size, content in blocks
        )
    )


WRITERS["zstd streamed"] = streamed_zstd


@pytest.mark.parametrize("name", WRITERS)
def test_as_much_as_allowed_is_expanded_and_one_byte_more_is_refused(name):
    text = b"x" * MAX_EXPANDED_BYTES

    assert list(unwrap(WRITERS[name](text))) == [text]
    with pytest.raises(RecordError, match="expanded_bytes_limit"):
        list(unwrap(WRITERS[name](text + b"x")))


@pytest.mark.parametrize("name", ["gzip", "zlib", "zstd", "zstd streamed", "snappy framed"])
def test_bomb_is_refused_without_the_memory_it_asks_for(name):
    bomb = WRITERS[name](bytes(6 * MAX_EXPANDED_BYTES))
    assert len(bomb) < 5 * MIB

    tracemalloc.start()
    with pytest.raises(RecordError, match="expanded_bytes_limit"):
        list(unwrap(bomb))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2 * MAX_EXPANDED_BYTES + MIB


def test_all_streams_and_levels_are_counted_together(aggregate):
    one = gzip.compress(b"x" * MIB)
    allowed = MAX_EXPANDED_BYTES // MIB

    assert len(list(unwrap(aggregate([one] * allowed)))) == 1
    for data in (aggregate([one] * (allowed + 1)), one * (allowed + 1)):
        with pytest.raises(RecordError, match="expanded_bytes_limit"):
            list(unwrap(data))
    with pytest.raises(RecordError, match="expanded_bytes_limit"):
        list(unwrap(gzip.compress(gzip.compress(b"x" * (MAX_EXPANDED_BYTES - 8)))))


def test_zstd_bomb_of_repeated_bytes_is_refused(members):
    block = (0, 1, 128 * 1024, b"x")

    assert members(zstd_frame(block, block, (1, 1, 3, b"x"))) == [{"log": "x" * (256 * 1024 + 3)}]
    with pytest.raises(RecordError, match="expanded_bytes_limit"):
        members(zstd_frame(*[block] * 10_000, (1, 0, 0, b"")))


@pytest.mark.parametrize(
    "frame",
    [
        zstd_frame((1, 0, 3, b"abc"), header=b"\xe0" + b"\xff" * 8),
        zstd_frame((1, 0, 3, b"abc"), header=b"\x20\x02"),
        zstd_frame((1, 0, 3, b"ab")),
        zstd_frame((1, 3, 3, b"abc")),
        zstd_frame((0, 0, 3, b"abc")),
        zstd_frame((1, 2, 3, b"abc")),
        zstd_frame((1, 0, 3, b"abc"), header=b"\x01\x58\x07"),
    ],
    ids=["claims more", "claims less", "cut off", "no such block", "no last block", "no such content", "a dictionary"],
)
def test_zstd_frame_that_lies_is_kept_undecoded(members, frame):
    (record,) = members(frame)

    assert record["log.record.undecoded"] == "zstd"


def test_zstd_frames_with_a_checksum_are_read(members):
    frame = zstd_frame((1, 0, 3, b"abc"), header=b"\x04\x58") + b"\x99\x09\x77\xad"

    assert members(frame + frame) == [{"log": "abcabc"}]


def test_padding_in_framed_snappy_is_skipped(members):
    padded = WRITERS["snappy framed"](b'{"n":1}\n') + b"\xfe\x03\x00\x00\0\0\0"

    assert members(padded + WRITERS["snappy framed"](b'{"n":2}\n')) == [{"n": 1}, {"n": 2}]


def test_zlib_streams_in_a_row_are_a_line_each_and_gzip_streams_one_text():
    """gzip's format says that members are one text; zlib's says nothing, and the Go plugin writes a line into each."""
    one, two = b'{"n":1}', b'{"n":2}'

    assert list(unwrap(zlib.compress(one) + zlib.compress(two))) == [one + b"\n" + two]
    assert list(unwrap(gzip.compress(b"half a ") + gzip.compress(b"line"))) == [b"half a line"]
    assert list(unwrap(gzip.compress(b"one") + b"\n" + gzip.compress(b"two"))) == [b"one\ntwo"]


def test_zlib_stream_that_is_broken_leaves_no_line_behind():
    intact, broken = zlib.compress(b'{"n":1}'), zlib.compress(b'{"n":2}')[:-1]

    first, kept = unwrap(intact + broken)

    assert first == b'{"n":1}'
    assert kept.members["log.record.undecoded"] == "zlib"
