"""A file or standard input, and what it holds: a container's lines, records, or what Firehose hands over.

| Kind | The file holds | A record is |
|---|---|---|
| lines | what a container writes | a line |
| records | what Fluent Bit, Docker or another shipper makes of it: a JSON object in each line | a line |
| data | one Firehose record: a KPL aggregate, a payload of CloudWatch Logs, compressed records | the file |
| event | `{"records": [...]}`, a transformation event of Firehose | as it says |

Nobody has to say which: the first bytes tell. A gzip or zstd file is opened first, whatever its name; small compressed
records are one Firehose record, since that is how Fluent Bit sends them (`compression gzip`), and anything else is a
file that someone compressed.

Cost: lines and records are read as they are needed, so memory does not grow with the file. zstd is unpacked into a
temporary file first, and what is one record or event is read whole.
"""

from __future__ import annotations

import gzip
import io
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

import orjson

from explain.kinds import Kind, UsageError
from lambdas.transform.decode.cloudwatch import MARK
from lambdas.transform.decode.compression import GZIP, SNAPPY, ZSTD
from lambdas.transform.decode.kpl import MAGIC
from lambdas.transform.decode.wrappings import UTF8_MARK, UTF16_MARKS
from lambdas.transform.limits import MAX_EXPANDED_BYTES, MAX_PUT_RECORD_BYTES
from lambdas.transform.parse.shapes import take_line

STANDARD_INPUT: Final = "-"
FAILURES: Final = (OSError, EOFError, zlib.error)
"""What reading a stream to its end may raise."""
_HEAD: Final = 65_536
_EVENT_BYTES: Final = 64 * 1024 * 1024
_SENT: Final = frozenset({"_tag", "_time"})
"""What only Sluice's own aggregator puts into a record."""


@dataclass(frozen=True, slots=True)
class Input:
    """An open input: its kind, never AUTO, the compression it was in, and its bytes."""

    kind: Kind
    name: str
    compression: str | None
    stream: io.BufferedReader
    size: int | None
    position: Callable[[], int]
    """How many of `size` bytes were read so far, as the file has them."""

    def read_data(self) -> bytes:
        """Read all of it. UsageError when it is too much for one Firehose record."""
        data = self.stream.read(MAX_EXPANDED_BYTES + 1)
        if len(data) > MAX_EXPANDED_BYTES:
            raise UsageError(f"{self.name} is too large for one Firehose record: for a file of lines say --as lines")
        return data

    def read_event(self) -> dict[str, object]:
        """Read a transformation event. UsageError when it is none."""
        try:
            event = orjson.loads(self.stream.read(_EVENT_BYTES))
        except orjson.JSONDecodeError as error:
            raise UsageError(f"{self.name} is no event of Firehose: it is not JSON ({error})") from None
        if not isinstance(event, dict) or not isinstance(event.get("records"), list):
            raise UsageError(
                f'{self.name} is no event of Firehose, as in {{"records": [{{"recordId": …, "data": …}}]}}'
            )
        return event


@contextmanager
def open_input(file: str, kind: Kind = Kind.AUTO) -> Iterator[Input]:
    """Open a file, or standard input for `-`, and find out what it holds. UsageError when it cannot be read."""
    with ExitStack() as stack:
        raw, name, size = _open(file, stack)
        head = raw.peek(_HEAD)
        stream, compression = raw, None
        if kind is not Kind.DATA:
            stream, compression = _unpack(raw, head, name, stack)
        try:
            inner = stream.peek(_HEAD) if compression else head
        except FAILURES as error:
            raise UsageError(f"{name} cannot be unpacked: {error}") from None
        found = _detect(head, inner, size=size) if kind is Kind.AUTO else kind
        if found is Kind.DATA and compression and raw.seekable():
            raw.seek(0)
            stream, compression = raw, None
        if found is Kind.LINES and inner.startswith(UTF8_MARK):
            stream.read(len(UTF8_MARK))
        yield Input(found, name, compression, stream, size, raw.tell if size else lambda: 0)


def _open(file: str, stack: ExitStack) -> tuple[io.BufferedReader, str, int | None]:
    if file == STANDARD_INPUT:
        return io.BufferedReader(cast("io.RawIOBase", sys.stdin.buffer), _HEAD), "stdin", None
    try:
        raw = stack.enter_context(_buffered(Path(file)))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}: name a file that can be read, or - for standard input") from None
    return raw, Path(file).name, Path(file).stat().st_size


def _buffered(file: Path) -> io.BufferedReader:
    return io.BufferedReader(io.FileIO(file), _HEAD)


def _unpack(raw: io.BufferedReader, head: bytes, name: str, stack: ExitStack) -> tuple[io.BufferedReader, str | None]:
    if head.startswith(GZIP):
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=raw)), _HEAD), "gzip"
    if head.startswith(ZSTD):
        return _unpack_zstd(raw, name, stack), "zstd"
    return raw, None


def _unpack_zstd(raw: IO[bytes], name: str, stack: ExitStack) -> io.BufferedReader:
    import cramjam  # noqa: PLC0415 - heavy, and rarely needed

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-")))
    packed, plain = folder / "packed", folder / "plain"
    with packed.open("wb") as copy:
        while piece := raw.read(_HEAD):
            copy.write(piece)
    try:
        cramjam.zstd.decompress_into(
            cramjam.File(str(packed), read=True, write=True),
            cramjam.File(str(plain), read=True, write=True, truncate=True),
        )
    except cramjam.DecompressionError as error:
        raise UsageError(f"{name} cannot be unpacked: {error}") from None
    return stack.enter_context(_buffered(plain))


def _detect(head: bytes, inner: bytes, *, size: int | None) -> Kind:
    """What a file holds that begins with `head`, and with `inner` once it is unpacked."""
    if head.startswith((MAGIC, SNAPPY, *UTF16_MARKS)) or inner.startswith(MAGIC) or _is_payload(inner):
        return Kind.DATA
    start = inner.removeprefix(UTF8_MARK).lstrip()
    if start.startswith(b"{") and b'"records"' in start[:1024] and b'"recordId"' in start[:4096]:
        return Kind.EVENT
    if _is_record(start.partition(b"\n")[0]):
        is_one = inner is not head and size is not None and size <= MAX_PUT_RECORD_BYTES
        return Kind.DATA if is_one else Kind.RECORDS
    return Kind.LINES


def _is_payload(start: bytes) -> bool:
    return start.startswith(b'{"') and MARK in start[:1024] and b'"logGroup"' in start[:4096]


def _is_record(line: bytes) -> bool:
    """Whether a line is what a shipper makes of a line, and not what an application writes."""
    try:
        members = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(members, dict):
        return False
    known = not _SENT.isdisjoint(members) or "container_id" in members or "container_name" in members
    found = take_line(dict(members))
    return known or (found.stream is not None and isinstance(found.body, str)) or "__REALTIME_TIMESTAMP" in members
