"""Aggregates of the Kinesis Producer Library, read from the wire.

`F3 89 9A C2`, a protobuf message, the MD5 of the message:
https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
https://protobuf.dev/programming-guides/encoding/

AggregatedRecord{partition_key_table = 1, explicit_hash_key_table = 2, records = 3};
Record{partition_key_index = 1, explicit_hash_key_index = 2, data = 3, tags = 4}. The data alone is kept: keys and
their indices say which shard a record travelled through, and no writer of tags is known.

The reader is our own because the format is this small, because importing the protobuf runtime costs more than a cold
start has, and because the runtime refuses a damaged message as a whole. A member costs a dozen steps of the
interpreter: what its first bytes mean is looked up, and worked out only for lengths that were not met before. Half of
the time is the MD5.

| Case | Members | Rest |
|---|---|---|
| MD5 right | all, also those whose key index is out of range | |
| MD5 right, a field we do not know | all; the field is skipped, as protobuf has it | |
| MD5 right, a member with its data twice or not at all | every data there is | |
| MD5 right, message broken (a writer's fault) | those before the first broken field | from there, `kpl_protobuf` |
| MD5 wrong, or cut off | those before the first byte that a writer would not have put there | from there, `kpl_md5` |
| magic and not more than 16 bytes | | all of it, `kpl_short` |

What comes out of an aggregate with a wrong MD5 may itself have changed on its way, and is to be marked as damaged.
To lose nothing, a field is read there only if it has the one form that writers give it: no unknown field, no data
twice, no partition key that is not text, since each of them may be a member whose length or tag was hit.
"""

from __future__ import annotations

import re
from hashlib import md5
from typing import NamedTuple

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_SIZE = 16
_VARINT_BYTES = 10
_MORE = 0x80
"""The bit that says that another byte of a number follows."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_KEY_TABLES = (0x0A, 0x12)
_RECORD = _DATA = 0x1A
_KEY_INDEX, _HASH_KEY_INDEX, _TAG = 0x08, 0x10, 0x22
_OF_RECORD = {_KEY_INDEX, _HASH_KEY_INDEX, _DATA, _TAG}
_KEY = re.compile(rb"[^\x00-\x1f\x7f]{1,1024}+")
"""A partition key is up to 256 characters, and nobody makes one of control characters, which lengths and tags are."""


_HEAD_BYTES = 10
"""What a record of up to 2 MB takes before its data when its key's index is below 128."""
_MOST_HEADS = 4096
_heads: dict[bytes, tuple[int, int]] = {}
"""For the first bytes of a record, where its data starts and stops from there. Most lengths and indices come again."""


class Aggregate(NamedTuple):
    """The members' data in order, and what is left when it is damaged: the bytes, and a code that says how."""

    members: list[bytes]
    rest: bytes = b""
    damage: str = ""


def read_aggregate(data: bytes) -> Aggregate:
    """Read data that begins with the magic. Whatever it is, each of its members' bytes is in what is returned."""
    members: list[bytes] = []
    start, end = len(MAGIC), len(data) - _DIGEST_SIZE
    if end <= start:
        return Aggregate(members, data, "kpl_short")
    if md5(memoryview(data)[start:end], usedforsecurity=False).digest() != data[end:]:
        return Aggregate(members, data[_salvage(data, start, members) :], "kpl_md5")
    reached = _read(data, start, end, members)
    return Aggregate(members) if reached == end else Aggregate(members, data[reached:], "kpl_protobuf")


def _read(data: bytes, at: int, end: int, members: list[bytes]) -> int:
    """Read the fields of a message and return where the first broken one begins, or the end."""
    add, known = members.append, _heads
    while at < end:
        try:
            # The digest follows, so there are always as many bytes.
            while at < end:
                skip, length = known[data[at : at + _HEAD_BYTES]]
                start = at + skip
                at += length
                add(data[start:at])
        except KeyError:
            pass
        if at > end:
            members.pop()
            return at - length
        if at < end and not _learn(data[at : at + _HEAD_BYTES]):
            try:
                at = _read_field(data, at, end, members, strict=False)
            except ValueError:
                break
    return at


def _learn(head: bytes) -> bool:
    """Note the lengths in the first bytes of a record, if they hold all that comes before its data."""
    try:
        size, inner = _varint(head, 1, len(head))
        at = inner
        for tag in (_KEY_INDEX, _HASH_KEY_INDEX):
            if head[at] == tag:
                at = _varint(head, at + 1, len(head))[1]
        length, start = _varint(head, at + 1, len(head))
    except (ValueError, IndexError):
        return False
    if head[0] != _RECORD or head[at] != _DATA or start + length != inner + size:
        return False
    if len(_heads) >= _MOST_HEADS:
        _heads.clear()
    _heads[head] = start, start + length
    return True


def _salvage(data: bytes, at: int, members: list[bytes]) -> int:
    """Read the fields that are beyond doubt and return where the first other one begins."""
    try:
        while at < len(data):
            at = _read_field(data, at, len(data), members, strict=True)
    except ValueError:
        pass
    return at


def _read_field(data: bytes, at: int, end: int, members: list[bytes], *, strict: bool) -> int:
    tag, start, stop = _field(data, at, end)
    if tag == _RECORD:
        members.extend(_read_record(data, start, stop, strict=strict))
    elif strict and not (tag in _KEY_TABLES and _KEY.fullmatch(data, start, stop)):
        raise ValueError("not what a writer puts here")
    return stop


def _read_record(data: bytes, at: int, end: int, *, strict: bool) -> list[bytes]:
    found = []
    tags = []
    while at < end:
        tag, start, at = _field(data, at, end)
        tags.append(tag)
        if tag == _DATA:
            found.append(data[start:at])
    if strict and (len(found) != 1 or tags != sorted(tags) or not {*tags} <= _OF_RECORD):
        raise ValueError("not a record as writers make it")
    return found


def _field(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """A field's number and type in one, and where its content starts and stops. ValueError when it is broken."""
    tag, at = _varint(data, at, end)
    kind = tag & 7
    if kind == _BYTES:
        size, at = _varint(data, at, end)
        stop = at + size
    elif kind == _VARINT:
        stop = _varint(data, at, end)[1]
    elif kind == _FIXED64:
        stop = at + 8
    elif kind == _FIXED32:
        stop = at + 4
    else:
        raise ValueError("a group, or no type at all")
    if stop > end:
        raise ValueError("cut off")
    return tag, at, stop


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(data[at : min(at + _VARINT_BYTES, end)]):
        value |= (byte & 127) << 7 * shift
        if byte < _MORE:
            return value, at + shift + 1
    raise ValueError("a number without an end")
