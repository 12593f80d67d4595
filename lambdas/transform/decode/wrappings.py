"""What a Firehose record's data is wrapped in, undone layer by layer.

| Begins with | Wrapping | When it cannot be undone |
|---|---|---|
| `F3 89 9A C2` | a KPL aggregate | see kpl |
| `1F 8B 08`, `28 B5 2F FD`, `FF 06 00 00 sNaPpY` | gzip, zstd, framed snappy | kept undecoded |
| `78` and `01`, `5E`, `9C` or `DA` | zlib | text where it is UTF-8, else kept undecoded |
| `EF BB BF` | the mark of UTF-8, taken off | |
| `FF FE`, `FE FF` | UTF-16 | lines, in which odd bytes are escaped |
| nothing in particular | raw snappy, if all of it is just that, see read_raw_snappy | lines |
| `{"messageType"` | a payload of CloudWatch Logs | lines |

Kept undecoded: a record whose `log` is all of the bytes in base64 and whose `log.record.undecoded` names the wrapping.
What follows intact streams (another wrapping, text) counts as wrapped once more, which bounds the number of such turns.
What is inside is looked at in the same way, down to MAX_ENCODINGS.

Data that begins like a line of Fluent Bit costs two comparisons and a search for its first line's end. A member of an
aggregate that does costs less, and neighbouring members that are lines come out as one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lambdas.transform.decode import cloudwatch, compression, kpl
from lambdas.transform.decode.compression import Expanded
from lambdas.transform.decode.lines import decode_line, is_open, read_documents
from lambdas.transform.decode.record import DAMAGED, Block, Record, Room, keep_undecoded
from lambdas.transform.jsontext import read_object

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_OBJECT = b'{"'
"""How a JSON object begins; raw snappy of 123 bytes begins with `{` as well, but a quote cannot follow there."""
_AFTER_OBJECT = b"{#"
"""The bytes that sort from _OBJECT to before this are those that begin with it."""
_PAYLOAD = b"{" + cloudwatch.MARK
_NOT_IN_TEXT = frozenset(range(32)) - frozenset(b"\t\n\r\x1b")
_CLOSING = ord("}")
_FIRST_KEYS = 1024
"""Bytes of a decompressed payload in which its type must be named when it is not the first key."""

_COMPRESSIONS: tuple[tuple[tuple[bytes, ...], str, Callable[[bytes, int, Room], Expanded]], ...] = (
    ((compression.GZIP,), "gzip", compression.read_gzip),
    ((compression.ZSTD,), "zstd", compression.read_zstd),
    (compression.ZLIB, "zlib", compression.read_zlib),
    ((compression.SNAPPY,), "snappy", compression.read_snappy),
)
_COMPRESSED = tuple(magic for magics, _, _ in _COMPRESSIONS for magic in magics)


def unwrap(data: bytes, room: Room | None = None) -> Iterator[Block]:
    """Undo every wrapping of a Firehose record's data, in order.

    RecordError, `encodings_limit`, `expanded_bytes_limit` or `members_limit`, when there is more than is allowed;
    what came out before is then to be forgotten. A room that the caller gives knows afterwards what was undone.
    """
    if data.startswith(_OBJECT):
        return _read_lines(data)
    return _open(data, 0, room or Room())


def _open(data: bytes, depth: int, room: Room) -> Iterator[Block]:
    if data.startswith(_OBJECT):
        yield from _read_lines(data)
    elif data.startswith(kpl.MAGIC):
        yield from _read_aggregate(data, room.deeper(depth, "kpl"), room)
    elif data.startswith(UTF8_MARK):
        yield from _open(data[len(UTF8_MARK) :], room.deeper(depth, "utf8_mark"), room)
    elif data.startswith(_COMPRESSED):
        yield from _expand(data, depth, room)
    else:
        yield from _read_rest(data, depth, room)


def _expand(data: bytes, depth: int, room: Room) -> Iterator[Block]:
    """Undo a compression, and what comes after its streams."""
    name, read = next((name, read) for magics, name, read in _COMPRESSIONS if data.startswith(magics))
    found, end = read(data, 0, room)
    if end:
        inner = room.deeper(depth, name)
        yield from _open_expanded(found, inner, room)
        rest = data[end:]
        if rest.strip(b"\0\t\n\r "):
            yield from _open(rest, inner, room)
    elif name == "zlib" and compression.is_text(data):
        yield from _read_rest(data, depth, room)
    else:
        yield from _read_rest(data, depth, room, otherwise=keep_undecoded(data, name))


def _open_expanded(data: bytes, depth: int, room: Room) -> Iterator[Block]:
    if data.startswith(b"{") and data.find(cloudwatch.MARK, 0, _FIRST_KEYS) > 0:
        yield from _read_payloads(data)
    else:
        yield from _open(data, depth, room)


def _read_rest(data: bytes, depth: int, room: Room, *, otherwise: Record | None = None) -> Iterator[Block]:
    """Data without a magic, or with one that may be chance: raw snappy, UTF-16, or else `otherwise`, or lines."""
    found = compression.read_raw_snappy(data, room)
    if found is not None and _is_block(data, found):
        yield from _open_expanded(found, room.deeper(depth, "snappy"), room)
    elif otherwise is not None:
        yield otherwise
    elif data.startswith(UTF16_MARKS) and (text := _from_utf16(data)) is not None:
        room.expand(len(text))
        yield from _open(text, room.deeper(depth, "utf16"), room)
    elif data:
        yield from _read_lines(data)


def _is_block(data: bytes, found: bytes) -> bool:
    """Whether what came out of raw snappy is more likely than what went in.

    A short block can be UTF-8. Then its first line must come out as JSON, as it does when Fluent Bit wrote it, or there
    must be a control character in it that is in no text.
    """
    if compression.is_text(data):
        return not _NOT_IN_TEXT.isdisjoint(data) or read_object(found.partition(b"\n")[0]) is not None
    return found[:1] in b"\xf3\x1f\x28\x78\xff\xfe" or compression.is_text(found)


def _from_utf16(data: bytes) -> bytes | None:
    try:
        return data.decode("utf-16").encode()
    except UnicodeError:
        return None


def _read_aggregate(data: bytes, depth: int, room: Room) -> Iterator[Block]:
    aggregate = kpl.read_aggregate(data)
    room.unpack(len(aggregate.members))
    blocks = _open_members(aggregate.members, depth, room)
    yield from _mark(blocks, aggregate.damage) if aggregate.damage == "kpl_md5" else blocks
    if aggregate.rest:
        yield keep_undecoded(aggregate.rest, aggregate.damage)


def _open_members(members: list[bytes], depth: int, room: Room) -> Iterator[Block]:
    """Open each member; neighbours that are lines are put into one block, since that is quicker to read."""
    if members and min(members) >= _OBJECT and (last := max(members)) < _AFTER_OBJECT:
        joined = b"\n".join(members)
        if joined.count(b"\n") < len(members) and (last < _PAYLOAD or _PAYLOAD not in joined):
            yield joined
            return
    lines: list[bytes] = []
    for member in members:
        for block in _open(member, depth, room):
            if isinstance(block, bytes):
                lines.append(block.removesuffix(b"\n"))
            else:
                if lines:
                    yield b"\n".join(lines)
                    lines.clear()
                yield block
    if lines:
        yield b"\n".join(lines)


def _mark(blocks: Iterator[Block], damage: str) -> Iterator[Block]:
    """Say of each record that it came out of something damaged."""
    for block in blocks:
        records = _decode_lines(block) if isinstance(block, bytes) else (block,)
        for record in records:
            if isinstance(record, Record):
                record.members.setdefault(DAMAGED, damage)
            yield record


def _read_lines(data: bytes) -> Iterator[Block]:
    """Lines, unless they are payloads of CloudWatch Logs or one JSON document has many of them."""
    if data.startswith(_PAYLOAD):
        return _read_payloads(data)
    return _find_documents(data)


def _find_documents(data: bytes) -> Iterator[bytes | Record]:
    end = data.find(b"\n")
    if end < 0 or data[end - 1] == _CLOSING or not is_open(data, 0, end):
        yield data
    else:
        yield from read_documents(data)


def _read_payloads(data: bytes) -> Iterator[Block]:
    for block in _find_documents(data):
        for record in _decode_lines(block) if isinstance(block, bytes) else (block,):
            events = cloudwatch.read_payload(record)
            yield from (record,) if events is None else events


def _decode_lines(data: bytes) -> Iterator[Record]:
    for line in data.split(b"\n"):
        yield from decode_line(line)
