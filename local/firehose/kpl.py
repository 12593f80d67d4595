"""KPL aggregates: many records in one of a data stream, taken apart again.

An aggregate is `F3 89 9A C2`, a protobuf message and the message's MD5. What the consumer libraries (KCL, and
aws-kinesis-aggregation in Python) do with it, and so this:

| bytes | members |
|---|---|
| no magic, at most 16 bytes behind it, or another MD5 | none: a plain record |
| the right MD5 around what is no such message | none: a plain record |
| a key index beyond its table | those before it; the rest is lost, with a warning |
| no records inside | an empty list: nothing comes out |
| an aggregate as a member | is a member, and stays one |

The message: AggregatedRecord{partition_key_table = 1, explicit_hash_key_table = 2, records = 3}, Record{
partition_key_index = 1, explicit_hash_key_index = 2, data = 3, tags = 4}, Tag{key = 1, value = 2}; of a record index
and data are required, of a tag the key. It is read by hand: protobuf's own reader would be a dependency for three
fields.

Source: https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

logger = logging.getLogger(__name__)

MAGIC: Final = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES: Final = 16
_VARINT_BYTES: Final = 10
_UINT64: Final = (1 << 64) - 1
# A field's number and kind are one 32-bit number; protobuf's own readers give up at a hundred groups in each other.
_LARGEST_TAG: Final = (1 << 32) - 1
_DEEPEST: Final = 100


@dataclass(frozen=True, slots=True)
class Member:
    """One record out of an aggregate."""

    data: bytes
    partition_key: str


class _MalformedError(Exception):
    """The bytes are no message of this kind."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A Record message as it stands: its keys are numbers into the aggregate's tables."""

    key_index: int
    hash_key_index: int | None
    data: bytes


def members(data: bytes) -> list[Member] | None:
    """Return the records inside of `data`, None if it is no aggregate but a record itself."""
    body, digest = data[len(MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not data.startswith(MAGIC) or len(data) <= len(MAGIC) + _DIGEST_BYTES:
        return None
    if hashlib.md5(body, usedforsecurity=False).digest() != digest:
        return None
    try:
        keys, hash_keys, entries = _read_aggregate(body)
    except _MalformedError:
        return None
    found: list[Member] = []
    for entry in entries:
        if not _in_table(entry.key_index, keys) or not _in_table(entry.hash_key_index, hash_keys):
            logger.warning("an aggregate names a key it lacks: %d of its records lost", len(entries) - len(found))
            break
        found.append(Member(entry.data, keys[entry.key_index]))
    return found


def _in_table(index: int | None, table: Sequence[str]) -> bool:
    return index is None or index < len(table)


def _read_aggregate(body: bytes) -> tuple[list[str], list[str], list[_Entry]]:
    keys: list[str] = []
    hash_keys: list[str] = []
    entries: list[_Entry] = []
    for number, value in _fields(body):
        match number, value:
            case 1, bytes():
                keys.append(value.decode(errors="replace"))
            case 2, bytes():
                hash_keys.append(value.decode(errors="replace"))
            case 3, bytes():
                entries.append(_read_entry(value))
    return keys, hash_keys, entries


def _read_entry(message: bytes) -> _Entry:
    key_index: int | None = None
    hash_key_index: int | None = None
    data: bytes | None = None
    for number, value in _fields(message):
        match number, value:
            case 1, int():
                key_index = value
            case 2, int():
                hash_key_index = value
            case 3, bytes():
                data = value
            case 4, bytes():
                _check_tag(value)
    if key_index is None or data is None:
        raise _MalformedError
    return _Entry(key_index, hash_key_index, data)


def _check_tag(message: bytes) -> None:
    if not any(number == 1 and isinstance(value, bytes) for number, value in _fields(message)):
        raise _MalformedError


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes | None]]:
    """Yield each field's number and value: an int, bytes, or None for a kind that no field of ours has."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position, most=_LARGEST_TAG)
        value, position = _value(message, position, tag)
        yield tag >> 3, value


def _value(message: bytes, position: int, tag: int, depth: int = 0) -> tuple[int | bytes | None, int]:
    if tag >> 3 == 0:
        raise _MalformedError
    match tag & 7:
        case 0:  # a varint
            return _varint(message, position)
        case 1:  # 64 bits
            return None, _skip(message, position, 8)
        case 2:  # as many bytes as it says
            length, start = _varint(message, position)
            end = _skip(message, start, length)
            return message[start:end], end
        case 3 if depth < _DEEPEST:  # a group, until its end
            return None, _skip_group(message, position, tag >> 3, depth)
        case 5:  # 32 bits
            return None, _skip(message, position, 4)
        case _:
            raise _MalformedError


def _skip_group(message: bytes, position: int, number: int, depth: int) -> int:
    while True:
        tag, position = _varint(message, position, most=_LARGEST_TAG)
        if tag == (number << 3 | 4):
            return position
        _, position = _value(message, position, tag, depth + 1)


def _skip(message: bytes, position: int, length: int) -> int:
    if position + length > len(message):
        raise _MalformedError
    return position + length


def _varint(message: bytes, position: int, *, most: int | None = None) -> tuple[int, int]:
    number = 0
    for count, byte in enumerate(message[position : position + _VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follow
            if most is not None and number > most:
                raise _MalformedError
            return number & _UINT64, position + count + 1
    raise _MalformedError
