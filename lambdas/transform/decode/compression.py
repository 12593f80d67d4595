"""gzip, zlib, zstd and snappy, undone within a limit.

Who writes them: Fluent Bit's Firehose and Kinesis outputs (`compression gzip|zstd|snappy`, each record on its own),
the Go plugin `kinesis` (`compression gzip|zlib`, each member on its own), CloudWatch Logs subscriptions (gzip).

Each reader takes data and the place where a stream begins, reads all the streams that follow one another there, and
returns what came out of the intact ones and where they end. A stream that is cut off or corrupt gives nothing: half of
one is no proof of where its lines end, and it is kept whole by who asked. Each costs time in proportion to what goes
in and comes out, and never more memory than is allowed to come out: zlib is told how much it may write, zstd and
snappy write into a buffer of that size, and no size that the data declares is believed before it was compared with it.

| Format | Streams in a row | Source |
|---|---|---|
| gzip | one text, as the format has it; whitespace and NULs between them are skipped, but for a line's end | RFC 1952 |
| zlib | one line each, there being no rule | RFC 1950 |
| zstd | one text | RFC 8878 |
| snappy framed | one text | https://github.com/google/snappy/blob/main/framing_format.txt |
| snappy raw | | https://github.com/google/snappy/blob/main/format_description.txt |
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Final

from lambdas.transform.decode.record import Room
from lambdas.transform.errors import RecordError

GZIP: Final = b"\x1f\x8b\x08"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
SNAPPY: Final = b"\xff\x06\x00\x00sNaPpY"
ZLIB: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""Deflate with a window of 32 KB, which all writers use, at the four levels that the second byte can tell."""
_GAP = re.compile(rb"[\s\0]*+")

_FIRST_PIECE = 4096
_LARGEST_PIECE = 65536
_ZSTD_BLOCK = 128 * 1024
_SNAPPY_CHUNK = 65536
_SNAPPY_SIZE_BYTES = 5
_SNAPPY_LARGEST_RATIO = 22
"""A copy of three bytes writes up to 64."""
_COMPRESSED, _RLE = 2, 1
_SKIPPABLE = 0x80
"""Chunks of snappy's framing from here on are padding and what readers may skip; 0 and 1 are data."""

Expanded = tuple[bytes, int]
"""What came out of the intact streams, and where they end; where they began if there was none."""


def read_gzip(data: bytes, at: int, room: Room) -> Expanded:
    """Read gzip streams."""
    return _read_streams(data, at, room, magic=GZIP, wbits=31, is_line=False)


def read_zlib(data: bytes, at: int, room: Room) -> Expanded:
    """Read zlib streams."""
    return _read_streams(data, at, room, magic=ZLIB, wbits=15, is_line=True)


def read_zstd(data: bytes, at: int, room: Room) -> Expanded:
    """Read zstd frames."""
    return _read_frames(data, at, room, magic=ZSTD, measure=_measure_zstd, read=_zstd)


def read_snappy(data: bytes, at: int, room: Room) -> Expanded:
    """Read snappy's framing format."""
    return _read_frames(data, at, room, magic=SNAPPY, measure=_measure_snappy, read=_snappy)


def read_raw_snappy(data: bytes, room: Room) -> bytes | None:
    """Read data that may be one raw snappy block, or say with None that it is not: it has no magic and no checksum.

    Almost no text gets past the first tests, which cost next to nothing: the block begins with the length of what it
    holds, then must come bytes that are not copied from before, and there is a least and a largest ratio.
    """
    size = _raw_snappy_size(data)
    if not size or (size > room.expanded_bytes and is_text(data)):
        return None
    if size > room.expanded_bytes:
        raise RecordError("expanded_bytes_limit")
    import cramjam  # noqa: PLC0415 - heavy, and rarely needed

    out = bytearray(size)
    try:
        written = cramjam.snappy.decompress_raw_into(data, out)
    except cramjam.DecompressionError:
        return None
    if written != size:
        return None
    room.expand(size)
    return bytes(out)


def _raw_snappy_size(data: bytes) -> int:
    """What a raw snappy block says of its size, or 0 when it can be none."""
    size = 0
    for at, byte in enumerate(data[:_SNAPPY_SIZE_BYTES]):
        size |= (byte & 127) << 7 * at
        if byte & 128:
            continue
        credible = size <= _SNAPPY_LARGEST_RATIO * len(data) and len(data) <= 32 + size + size // 6
        # The first bytes cannot be a copy of earlier ones, so the lowest bits of what leads them say: literal.
        return size if credible and at + 1 < len(data) and not data[at + 1] & 3 else 0
    return 0


def is_text(data: bytes) -> bool:
    """Whether this is UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _gap(data: bytes, at: int) -> int:
    gap = _GAP.match(data, at)
    return gap.end() if gap else at


def _read_streams(
    data: bytes, at: int, room: Room, *, magic: bytes | tuple[bytes, ...], wbits: int, is_line: bool
) -> Expanded:
    """Read streams of deflate, each a line of its own or, where no line's end is between them, all of them one text."""
    found: list[bytes] = []
    end = at
    while data.startswith(magic, at):
        begun = len(found)
        stop = _inflate(data, at, room, found, wbits=wbits)
        if stop is None:
            break
        if is_line and begun:
            found.insert(begun, b"\n")
        end = stop
        at = _gap(data, stop)
        if not is_line and data.find(b"\n", stop, at) >= 0:
            found.append(b"\n")
    return b"".join(found), end


def _inflate(data: bytes, at: int, room: Room, found: list[bytes], *, wbits: int) -> int | None:
    """Read one stream into `found` and return where it ends, or None with nothing added when it is not whole.

    The pieces begin small and grow because zlib copies what it did not need of the last one: with a megabyte of tiny
    streams given to it at once that would take time quadratic in their number.
    """
    room.unpack(1)
    stream = zlib.decompressobj(wbits)
    pieces: list[bytes] = []
    size, spent = _FIRST_PIECE, 0
    try:
        while at < len(data) and not stream.eof:
            piece = data[at : at + size]
            pieces.append(stream.decompress(piece, room.expanded_bytes - spent + 1))
            spent += len(pieces[-1])
            if spent > room.expanded_bytes:
                raise RecordError("expanded_bytes_limit")
            at += len(piece) - len(stream.unused_data)
            size = min(2 * size, _LARGEST_PIECE)
    except zlib.error:
        return None
    if not stream.eof:
        return None
    room.expand(spent)
    found += pieces
    return at


def _read_frames(
    data: bytes,
    at: int,
    room: Room,
    *,
    magic: bytes,
    measure: Callable[[bytes, int], tuple[int, int]],
    read: Callable[[bytes, bytearray], int],
) -> Expanded:
    """Read streams whose ends and largest sizes can be told from their headers."""
    found: list[bytes] = []
    while data.startswith(magic, at):
        room.unpack(1)
        try:
            end, most = measure(data, at)
        except (IndexError, ValueError):
            break
        # What is larger than its header admits does not fit, and neither does what is larger than may come out.
        out = bytearray(min(most, room.expanded_bytes + 1))
        try:
            written = read(data[at:end], out)
        except ValueError:
            if most > room.expanded_bytes:
                raise RecordError("expanded_bytes_limit") from None
            break
        room.expand(written)
        found.append(bytes(memoryview(out)[:written]))
        at = end
    return b"".join(found), at


def _zstd(data: bytes, out: bytearray) -> int:
    import cramjam  # noqa: PLC0415 - heavy, and rarely needed

    try:
        return int(cramjam.zstd.decompress_into(data, out))
    except cramjam.DecompressionError as error:
        raise ValueError("not zstd") from error


def _snappy(data: bytes, out: bytearray) -> int:
    import cramjam  # noqa: PLC0415 - heavy, and rarely needed

    try:
        return int(cramjam.snappy.decompress_into(data, out))
    except cramjam.DecompressionError as error:
        raise ValueError("not snappy") from error


def _measure_zstd(data: bytes, at: int) -> tuple[int, int]:
    """Where a frame ends, from the sizes of its blocks, and the most it can hold. IndexError when it is cut off."""
    descriptor = data[at + 4]
    single, checksum = descriptor & 0x20, descriptor & 0x04
    at += 5 if single else 6
    at += (0, 1, 2, 4)[descriptor & 3]
    content, least = ((1 if single else 0, 0), (2, 256), (4, 0), (8, 0))[descriptor >> 6]
    declared = int.from_bytes(data[at : at + content], "little") + least
    at += content
    most, last = 0, 0
    while not last:
        header = data[at] | data[at + 1] << 8 | data[at + 2] << 16
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        most += _ZSTD_BLOCK if kind == _COMPRESSED else size
        at += 3 + (1 if kind == _RLE else size)
    at += 4 if checksum else 0
    if at > len(data):
        raise IndexError("cut off")
    return at, min(most, declared) if content else most


def _measure_snappy(data: bytes, at: int) -> tuple[int, int]:
    """Where the chunks end, and the most they can hold. IndexError when the last is cut off."""
    most = 0
    at += len(SNAPPY)
    while at < len(data) and (data[at] <= 1 or data[at] >= _SKIPPABLE) and not data.startswith(SNAPPY, at):
        size = data[at + 1] | data[at + 2] << 8 | data[at + 3] << 16
        most += _SNAPPY_CHUNK if data[at] <= 1 else 0
        at += 4 + size
    if at > len(data):
        raise IndexError("cut off")
    return at, most
