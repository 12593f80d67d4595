"""What one client puts on the wire: the Forward protocol's carrier modes as immutable chunks.

Mechanism: a chunk is encoded once and keeps its bytes and its id, so that a resend is the same chunk and
a server may recognise it. Cost: an unacknowledged chunk is held in memory, encoded.

Format: Forward Protocol Specification v1,
https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1 (Message Modes, PackedForward,
CompressedPackedForward, EventTime Ext Format, Option, Response).
"""

import base64
import gzip
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgpack  # type: ignore[import-untyped]  # the library ships no types

NANOSECONDS = 1_000_000_000
# "EventTime Ext Format": type 0, four bytes of seconds and four of nanoseconds, big endian.
EVENT_TIME_TYPE = 0
# "Option": chunk is a base64 of 128 bits, unique to the chunk.
CHUNK_ID_BYTES = 16

Record = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One message as it goes over the wire.

    `id` is None when no acknowledgement is asked for. `records` is how many log records it carries.
    """

    data: bytes
    id: str | None
    records: int


def encode_message(*, tag: str, time_unix_nano: int, record: Record, ack: bool, sub_second: bool) -> Chunk:
    """One record in Message mode, `[tag, time, record, option]`.

    With `sub_second` the time is an EventTime, otherwise an integer of whole seconds. Characters of a
    value that stand for undecodable bytes (surrogateescape) go out as those bytes.
    """
    identity = _new_id() if ack else None
    time = _event_time(time_unix_nano) if sub_second else time_unix_nano // NANOSECONDS
    data = _pack([tag, time, record, {"chunk": identity} if identity else {}])
    return Chunk(data=data, id=identity, records=1)


def encode_packed(*, tag: str, entries: Iterable[bytes], ack: bool, compress: bool) -> Chunk:
    """Many entries of one tag in PackedForward mode, or gzipped in CompressedPackedForward mode.

    The entries are those of `encode_entry`. The option names how many there are, as out_forward does.
    """
    packed = list(entries)
    body = b"".join(packed)
    option: dict[str, str | int] = {"size": len(packed)}
    if compress:
        body = gzip.compress(body, compresslevel=1)
        option["compressed"] = "gzip"
    identity = _new_id() if ack else None
    if identity:
        option["chunk"] = identity
    return Chunk(data=_pack([tag, body, option]), id=identity, records=len(packed))


def encode_entry(*, time_unix_nano: int, record: Record) -> bytes:
    """One `[EventTime, record]` of a PackedForward stream."""
    return _pack([_event_time(time_unix_nano), record])


class Acknowledgements:
    """The server's side of one connection: `{"ack": <chunk id>}` values, however the bytes are cut."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker()

    def read(self, received: bytes) -> list[str]:
        """The chunk ids that these bytes complete. Raises ConnectionError at anything else."""
        self._unpacker.feed(received)
        try:
            answers = list(self._unpacker)
        except (ValueError, msgpack.UnpackException) as error:
            raise ConnectionError(f"the server answered what is not MessagePack: {received[:40]!r}") from error
        return [_acknowledged_id(answer) for answer in answers]


def _acknowledged_id(answer: object) -> str:
    identity = answer.get("ack") if isinstance(answer, dict) else None
    if not isinstance(identity, str):
        raise ConnectionError(f"the server answered {answer!r:.60} instead of an acknowledgement")
    return identity


def _event_time(time_unix_nano: int) -> msgpack.ExtType:
    return msgpack.ExtType(EVENT_TIME_TYPE, struct.pack(">II", *divmod(time_unix_nano, NANOSECONDS)))


def _new_id() -> str:
    return base64.b64encode(os.urandom(CHUNK_ID_BYTES)).decode("ascii")


def _pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True, unicode_errors="surrogateescape")
    return packed
