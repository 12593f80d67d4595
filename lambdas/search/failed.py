"""What Firehose stored of records and documents that failed, as rows of the failed index.

An object holds one line of JSON for each: what Firehose could not have transformed
(https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html#data-transformation-failure-handling) and
what OpenSearch did not take (https://docs.aws.amazon.com/firehose/latest/dev/retry.html).

**No row holds data that was not redacted.** What OpenSearch refused has been through the transformer and its rules, so
its head is in the row. What was not transformed is as its application wrote it, secrets and all, and an index is read
by more people than the failure store: of that the row has length, SHA-256 and place alone. By the SHA-256 it is
joined with the reasons below `reasons/`, by the place it is found in S3.

Cost: the memory of one line. Objects are read once, from the network through the decompressor.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from typing import Any, Final

MOST_ROWS: Final = 10_000
"""Of one object; how many more there are is the last row's message."""
MOST_BYTES: Final = 256 * 1024 * 1024
"""Of one object, uncompressed. What is behind them is not looked at, which the last row says."""
LINE_BYTES: Final = 8 * 1024 * 1024
"""A longer line is none of Firehose's, which has 1,000 KiB of data in it as base64."""
PIECE_BYTES: Final = 1024 * 1024
"""Of what is decompressed at once."""
RAW_BYTES: Final = 32 * 1024
MESSAGE_LENGTH: Final = 4096
REDACTED_REASONS: Final = frozenset({"AmazonOpenSearchService-failed"})
"""Firehose's error-output-type where the data is a document of the transformer, for a serverless collection too."""
MALFORMED: Final = "sluice.malformed"
MORE: Final = "sluice.more"

_KEY: Final = re.compile(r"failed/route=(?P<route>[^/]+)/reason=(?P<reason>[^/]+)/.+")
_GZIP: Final = b"\x1f\x8b"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lies, and what its name says of what is in it."""

    uri: str
    route: str
    reason: str
    time: str

    @classmethod
    def of(cls, *, bucket: str, key: str, time: str) -> Place | None:
        """Read the name of an object; None when it is not one of failed records. Time is when it was written."""
        found = _KEY.fullmatch(key)
        return cls(f"s3://{bucket}/{key}", found["route"], found["reason"], time) if found else None


def rows(place: Place, chunks: Iterable[bytes]) -> Iterator[Row]:
    """Yield a row for each line of an object, gzipped or not, and after MOST_ROWS one that tells of the rest."""
    lines = Lines(chunks)
    made = more = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if made < MOST_ROWS:
            made += 1
            yield _row(place, number, line)
        else:
            more += 1
    if more or lines.cut:
        told = f"{more} more records of this object have no row" + (", and it was not read to its end" * lines.cut)
        yield {**_of(place, 0), "code": MORE, "message": told}


def row_id(row: Row) -> str:
    """The id of a row, which is the same however often its object is read."""
    return sha256(f"{row['object']}\n{row['line']}".encode()).hexdigest()


class Lines:
    """The lines of an object, as far as they are looked at; `cut` tells afterwards whether there are more bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.cut = False

    def __iter__(self) -> Iterator[bytes]:
        kept = bytearray()
        for chunk in self._expanded():
            kept += chunk
            *whole, rest = kept.split(b"\n")
            yield from map(bytes, whole)
            kept = rest[: LINE_BYTES + 1]
        yield bytes(kept)

    def _expanded(self) -> Iterator[bytes]:
        left = MOST_BYTES
        for data in _gunzipped(self._chunks):
            yield data[:left]
            left -= len(data)
            if left < 0:
                self.cut = True
                return


def _gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The data behind a gzip header, of several streams in a row too, a bounded piece at a time; else the data.

    Damage becomes a line of its own, which is none of Firehose's and so makes a row.
    """
    chunks = iter(chunks)
    first = b""
    while len(first) < len(_GZIP) and (chunk := next(chunks, b"")):
        first += chunk
    if not first.startswith(_GZIP):
        yield first
        yield from chunks
        return
    reader = zlib.decompressobj(wbits=31)
    for chunk in chain((first,), chunks):
        data, piece = chunk, b""
        while data or (len(piece) == PIECE_BYTES and not reader.eof):
            if reader.eof:
                reader = zlib.decompressobj(wbits=31)
            try:
                piece = reader.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                yield f"\n{error}\n".encode()
                return
            yield piece
            data = reader.unused_data if reader.eof else reader.unconsumed_tail
    if not reader.eof:
        yield b"\nthe end of the object is missing\n"


def _row(place: Place, number: int, line: bytes) -> Row:
    row = _of(place, number)
    try:
        told = _loads(line)
        data = base64.b64decode(told["rawData"], validate=True)
    except (TypeError, KeyError, ValueError, binascii.Error, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"  # which holds nothing of the line
        return {**row, **_measures(line), "code": MALFORMED, "message": _text(why)}
    row |= {
        "@timestamp": _time(told.get("arrivalTimestamp")) or place.time,
        "code": _text(told.get("errorCode", told.get("lastErrorCode"))),
        "message": _text(told.get("errorMessage", told.get("lastErrorMessage"))),
        "index": _text(told.get("esIndexName")),
        **_measures(data),
    }
    if place.reason in REDACTED_REASONS:
        row["raw"] = data[:RAW_BYTES].decode("utf-8", "replace")
    return row


def _of(place: Place, number: int) -> Row:
    return {
        "@timestamp": place.time,
        "route": place.route,
        "reason": place.reason,
        "object": place.uri,
        "line": number,
    }


def _loads(line: bytes) -> dict[str, Any]:
    if len(line) > LINE_BYTES:
        raise ValueError(f"the line is longer than {LINE_BYTES} bytes")
    told = json.loads(line)
    if not isinstance(told, dict):
        raise TypeError("the line is no object")
    return told


def _measures(data: bytes) -> Row:
    return {"bytes": len(data), "sha256": sha256(data).hexdigest()}


def _text(value: object) -> str | None:
    # Half a surrogate pair is JSON, but no UTF-8.
    return None if value is None else str(value)[:MESSAGE_LENGTH].encode("utf-8", "backslashreplace").decode()


def _time(milliseconds: object) -> str | None:
    """A time as Firehose has it; None for what is none that an index could have."""
    try:
        moment = datetime.fromtimestamp(float(milliseconds) / 1000, UTC)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    usual = 1971 < moment.year < 2262  # noqa: PLR2004 - what date_nanos holds
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if usual else None
