"""The KPL's aggregated record: many lines in one record of a Kinesis data stream.

    F3 89 9A C2, AggregatedRecord in protobuf, MD5 of the protobuf
    AggregatedRecord: partition_key_table = 1, records = 3
    Record: partition_key_index = 1, data = 3

Its lines share the one key that chose the shard: consumers leave out what by its own key belongs into another shard.

https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
"""

from collections.abc import Iterable
from hashlib import md5
from typing import Final

_MAGIC: Final = b"\xf3\x89\x9a\xc2"
_KEY_TABLE: Final = b"\x0a"
_RECORDS: Final = b"\x1a"
_FIRST_KEY: Final = b"\x08\x00"
_DATA: Final = b"\x1a"
OVERHEAD_PER_LINE: Final = 16
"""Bytes around a line, at most."""


def aggregate(lines: Iterable[bytes], *, key: str) -> bytes:
    """The aggregate of these lines under one partition key."""
    name = key.encode()
    parts = [_KEY_TABLE, _varint(len(name)), name]
    for line in lines:
        length = _varint(len(line))
        parts += (_RECORDS, _varint(len(_FIRST_KEY) + 1 + len(length) + len(line)), _FIRST_KEY, _DATA, length, line)
    message = b"".join(parts)
    return _MAGIC + message + md5(message, usedforsecurity=False).digest()


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
