"""Lines as a container runtime reads them from a process.

Mechanism: Docker's copier reads each pipe through a buffer of 16 KiB; a line that does not fit is cut into
parts that share an id and are numbered, and what is left without a newline at the end of the stream is a
part that never gets its last. See
https://github.com/moby/moby/blob/master/daemon/logger/copier.go.

Cost: one reading thread per pipe and a bounded queue. When the consumer is slow the pipes fill up and the
process blocks in its write, which is what Docker's blocking mode does to it.
"""

import queue
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal

# defaultBufSize of Docker's copier.
PART_BYTES = 16_384
QUEUED_LINES = 1_024

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class Part:
    """Where a piece stands in a line that was too long: `ordinal` counts from 1."""

    id: str
    ordinal: int
    last: bool

    def fields(self) -> dict[str, str]:
        """The record's fields as Docker's fluentd driver writes them."""
        return {
            "partial_message": "true",
            "partial_id": self.id,
            "partial_ordinal": str(self.ordinal),
            "partial_last": "true" if self.last else "false",
        }


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or a part of one, without its newline. Undecodable bytes are lone surrogates."""

    stream: Stream
    text: str
    part: Part | None = None


def read_lines(source: IO[bytes], *, stream: Stream) -> Iterator[Line]:
    """The lines of one pipe until its end, cut as Docker cuts them."""
    identity, ordinal = "", 0
    while piece := source.readline(PART_BYTES):
        last = piece.endswith(b"\n")
        text = decode(piece.removesuffix(b"\n"))
        if last and not ordinal:
            yield Line(stream, text)
            continue
        identity = identity if ordinal else secrets.token_hex(32)
        ordinal += 1
        yield Line(stream, text, Part(identity, ordinal, last))
        ordinal = 0 if last else ordinal


def follow_pipes(out: IO[bytes], err: IO[bytes], *, tick: float) -> Iterator[Line | None]:
    """The lines of a process's stdout and stderr until both end, as they come.

    Yields None whenever `tick` seconds pass without a line. An error of reading a pipe is raised here.
    """
    lines: queue.Queue[Line | Exception | None] = queue.Queue(QUEUED_LINES)
    _read_in_background(out, stream="stdout", into=lines)
    _read_in_background(err, stream="stderr", into=lines)
    running = 2
    while running:
        try:
            line = lines.get(timeout=tick)
        except queue.Empty:
            yield None
            continue
        if isinstance(line, Exception):
            raise line
        if line is None:
            running -= 1
        else:
            yield line


def decode(data: bytes) -> str:
    """Text that can be turned back into the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def _read_in_background(source: IO[bytes], *, stream: Stream, into: "queue.Queue[Line | Exception | None]") -> None:
    def read() -> None:
        try:
            for line in read_lines(source, stream=stream):
                into.put(line)
        except (OSError, ValueError) as error:
            into.put(error)
        else:
            into.put(None)

    threading.Thread(target=read, name=f"read-{stream}", daemon=True).start()
