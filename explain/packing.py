"""From lines to the events that Firehose would call the function with, made the way the pipeline makes them.

A line becomes the record that Docker's fluentd driver and our aggregator make of it (see fluentbit-image/carry.lua);
records become Firehose records, many in one as Fluent Bit's `simple_aggregation` packs them or each on its own; and
those become batches of at most the size that the route gathers.

Cost: memory for one batch.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import IO, Any, Final

import orjson

from lambdas.transform.limits import MAX_PUT_RECORD_BYTES
from lambdas.transform.times import format_time

PART_BYTES: Final = 16_384
"""Docker's: https://github.com/moby/moby/blob/master/daemon/logger/copier.go"""
WHOLE_LINE_BYTES: Final = MAX_PUT_RECORD_BYTES - PART_BYTES
_ESCAPED: Final = 6
"""Bytes of JSON that a byte can take."""

Event = dict[str, Any]


@dataclass(slots=True)
class Container:
    """A container that writes lines, all of them read at one time and a microsecond apart."""

    name: str
    tag: str
    time_ns: int
    _lines: int = field(default=0, init=False)

    def records(self, lines: IO[bytes]) -> Iterator[bytes]:
        """Make a record of every line, whole; of one that Firehose could not take, parts as Docker cuts it."""
        while piece := lines.readline(WHOLE_LINE_BYTES):
            text = piece.removesuffix(b"\n")
            if len(text) * _ESCAPED <= WHOLE_LINE_BYTES or self._fits(text, piece):
                yield self._record(text)
            else:
                yield from self._cut(piece, lines)

    def _fits(self, text: bytes, piece: bytes) -> bool:
        is_whole = piece.endswith(b"\n") or len(piece) < WHOLE_LINE_BYTES
        return is_whole and len(orjson.dumps(_spell(text))) <= WHOLE_LINE_BYTES

    def _cut(self, piece: bytes, lines: IO[bytes]) -> Iterator[bytes]:
        identity, ordinal, rest = sha256(piece).hexdigest(), 0, piece
        while True:
            if len(rest) <= PART_BYTES and not rest.endswith(b"\n"):
                rest += lines.readline(PART_BYTES)
            is_last = len(rest) <= PART_BYTES
            ordinal += 1
            part = {
                "partial_message": "true",
                "partial_id": identity,
                "partial_ordinal": str(ordinal),
                "partial_last": "true" if is_last else "false",
            }
            yield self._record((rest if is_last else rest[:PART_BYTES]).removesuffix(b"\n"), part)
            if is_last:
                return
            rest = rest[PART_BYTES:]

    def _record(self, text: bytes, part: dict[str, str] | None = None) -> bytes:
        self._lines += 1
        record = {
            "source": "stdout",
            "log": _spell(text),
            "container_id": blake2b(self.name.encode(), digest_size=32).hexdigest(),
            "container_name": f"/{self.name}",
            **(part or {}),
            "_tag": self.tag,
            "_time": format_time(self.time_ns + self._lines * 1000),
        }
        return orjson.dumps(record)


def read_records(lines: IO[bytes]) -> Iterator[bytes]:
    """The records in a file of them, each as it is; blank lines are none."""
    return (text for line in lines if (text := line.rstrip(b"\r\n")))


def pack(records: Iterable[bytes], *, most: int = MAX_PUT_RECORD_BYTES) -> Iterator[bytes]:
    """Put as many records into each Firehose record as Fluent Bit does: up to `most` bytes."""
    packed: list[bytes] = []
    size = 0
    for record in records:
        if packed and size + len(record) + 1 > most:
            yield b"\n".join(packed) + b"\n"
            packed, size = [], 0
        packed.append(record)
        size += len(record) + 1
    if packed:
        yield b"\n".join(packed) + b"\n"


def spread(records: Iterable[bytes]) -> Iterator[bytes]:
    """Put each record into a Firehose record of its own."""
    return (record + b"\n" for record in records)


def batch(datas: Iterable[bytes], *, most: int, time_ns: int, stream: str) -> Iterator[Event]:
    """Make events of Firehose records: each of at most so many bytes of data, but at least one record.

    Args:
        datas: the records' data.
        most: bytes.
        time_ns: when all of them arrived.
        stream: name of the Firehose stream they come from.
    """
    members: list[dict[str, Any]] = []
    size = events = 0
    for number, data in enumerate(datas, start=1):
        if members and size + len(data) > most:
            yield _event(members, events, stream)
            members, size, events = [], 0, events + 1
        size += len(data)
        members.append(
            {
                "recordId": f"{49660:<050d}{number:06d}",
                "approximateArrivalTimestamp": time_ns // 10**6,
                "data": b64encode(data).decode(),
            }
        )
    if members:
        yield _event(members, events, stream)


def _event(members: list[dict[str, Any]], number: int, stream: str) -> Event:
    return {
        "invocationId": f"00000000-0000-4000-8000-{number:012d}",
        "deliveryStreamArn": f"arn:aws:firehose:local:000000000000:deliverystream/{stream}",
        "region": "local",
        "records": members,
    }


def _spell(text: bytes) -> str:
    """Bytes that are not UTF-8 spelled out, as our aggregator does, since JSON cannot carry them."""
    return text.decode("utf-8", "backslashreplace")
