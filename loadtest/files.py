"""Any file's lines as log records: what `sluice send` does.

Mechanism: one record per line, whole, in PackedForward batches; the carriage return of a CRLF stays, as
Docker leaves it. A line that would make a record larger than Firehose takes is cut into parts of 16 KiB
marked as Docker marks them, since Fluent Bit acknowledges such a record and then drops it
(MAX_EVENT_SIZE in https://github.com/fluent/fluent-bit/blob/master/plugins/out_kinesis_firehose/firehose_api.h).
Cost: memory for one batch, whatever the file's size or the length of its lines.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from loadtest.clients import Batch, Container, Source
from loadtest.forward import ForwardClient
from loadtest.ledger import Ledger
from loadtest.lines import PART_BYTES, Line, Part, decode

# Firehose's record as Fluent Bit bounds it, less room for the keys beside the line.
RECORD_BYTES = 1_024_000
WHOLE_LINE_BYTES = RECORD_BYTES - PART_BYTES


@dataclass(frozen=True, slots=True)
class FileCount:
    """What was sent of a file: lines, records (more than lines when long lines were cut), acknowledgements."""

    lines: int
    records: int
    acknowledged: int


class FileSender:
    """Ships a file as the stdout of one container. `progress` is told the number of records so far."""

    def __init__(
        self,
        client: ForwardClient,
        *,
        container: Container,
        tag: str,
        ledger: Ledger | None = None,
        ack: bool = True,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._source = Source(container=container, tag=tag, client="file", ledger=ledger)
        self._batch = Batch(client, source=self._source, ack=ack, compress=False)
        self._progress = progress
        self._lines = 0

    @property
    def count(self) -> FileCount:
        """What was sent so far, also after an error."""
        return FileCount(lines=self._lines, records=self._source.stamped, acknowledged=self._source.acknowledged)

    def send(self, stream: IO[bytes]) -> FileCount:
        """Send every line and wait for what is in flight. Raises UnacknowledgedError."""
        for line in read_file_lines(stream):
            self._batch.add(line)
            self._lines += line.part is None or line.part.last
            self._progress(self._source.stamped)
        self._batch.send()
        self._client.flush()
        return self.count


def read_file_lines(stream: IO[bytes]) -> Iterator[Line]:
    """A file's lines, whole; one too long for a Firehose record in parts of 16 KiB."""
    while piece := stream.readline(WHOLE_LINE_BYTES):
        text = decode(piece.removesuffix(b"\n"))
        if _is_whole(piece) and _fits(text):
            yield Line("stdout", text)
        else:
            yield from _cut(piece, stream)


def _is_whole(piece: bytes) -> bool:
    """Whether readline stopped at a newline or at the end of the file, not at its bound."""
    return piece.endswith(b"\n") or len(piece) < WHOLE_LINE_BYTES


def _fits(text: str) -> bool:
    """Whether the line fits as JSON, where quotes, control characters and non-ASCII take more room."""
    return len(text) <= WHOLE_LINE_BYTES // 12 or len(json.dumps(text)) <= WHOLE_LINE_BYTES


def _cut(piece: bytes, stream: IO[bytes]) -> Iterator[Line]:
    identity, ordinal, rest = secrets.token_hex(32), 0, piece
    while True:
        if len(rest) <= PART_BYTES and not rest.endswith(b"\n"):
            rest += stream.readline(PART_BYTES)
        last = len(rest) <= PART_BYTES
        ordinal += 1
        text = decode((rest if last else rest[:PART_BYTES]).removesuffix(b"\n"))
        yield Line("stdout", text, Part(identity, ordinal, last))
        if last:
            return
        rest = rest[PART_BYTES:]
