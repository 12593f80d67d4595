"""Blocks of lines as the records of one call, by the form that the route's records have.

Records are filled across messages: Firehose bills a record as 5 KB at least, and Docker's driver sends a message for
each line. What a record holds is told with it, for each message has its own client that waits.

| Form | A record is | For |
|---|---|---|
| packed | lines with line ends between them, up to 1,024,000 bytes | S3: the transformer takes it apart |
| single | one line | OpenSearch, which takes one document per record |
| kpl | a KPL aggregate of lines, up to as much | routes via kinesis: Firehose takes it apart, one record each |

Fluent Bit's outputs write the same (docs/decisions/0002, 0015).
"""

import secrets
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from gate import kpl
from gate.chunks import Block, Chunk
from gate.settings import Form

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html; PutRecords takes as many, and 5 MiB
# with the partition keys: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
RECORDS_PER_CALL: Final = 500
BYTES_PER_CALL: Final = 4 * 1024 * 1024
# Of Firehose. A record of Kinesis may have 1 MiB with its key, but Firehose is who reads it.
BYTES_PER_RECORD: Final = 1_024_000
LARGEST_BLOCK: Final = 1_000_000
LONGEST_KEY: Final = 256


@dataclass(frozen=True, slots=True)
class Put:
    """A record to be put, and whose it is: a message is named as often as it has pieces in it."""

    data: bytes
    key: str
    chunks: tuple[Chunk, ...]

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for any of it."""
        return any(chunk.wanted for chunk in self.chunks)


def pieces(form: Form, blocks: int, lines: int) -> int:
    """Of how many pieces a message consists that has so many blocks and lines."""
    return lines if form == "single" else blocks


class Queue:
    """What waits for a stream, in the order in which it came."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._blocks: deque[Block] = deque()
        self._size = self._lines = 0

    def __bool__(self) -> bool:
        return bool(self._blocks)

    @property
    def fills_a_call(self) -> bool:
        """Whether a call takes no more than what is there."""
        return self._size >= BYTES_PER_CALL or (self._form == "single" and self._lines >= RECORDS_PER_CALL)

    def append(self, block: Block) -> None:
        """Add a block at the end."""
        self._blocks.append(block)
        self._size += block.size
        self._lines += len(block.lines)

    def take(self) -> list[Put]:
        """The records of the next call. A block whose client is gone is left out."""
        puts: list[Put] = []
        size = 0
        while self._blocks and len(puts) < RECORDS_PER_CALL:
            block = self._blocks[0]
            if not block.chunk.wanted:
                self._drop()
            elif self._form == "single":
                too_many = len(puts) + len(block.lines) > RECORDS_PER_CALL or size + block.size > BYTES_PER_CALL
                if puts and too_many:
                    break
                size += block.size
                puts += [Put(line, _any_key(), (block.chunk,)) for line in self._pop().lines]
            else:
                if puts and size + BYTES_PER_RECORD + LONGEST_KEY > BYTES_PER_CALL:
                    break
                puts.append(self._filled())
                size += len(puts[-1].data) + len(puts[-1].key)
        return puts

    def _pop(self) -> Block:
        block = self._blocks.popleft()
        self._size -= block.size
        self._lines -= len(block.lines)
        return block

    def _drop(self) -> None:
        block = self._pop()
        block.chunk.settle(pieces(self._form, 1, len(block.lines)))

    def _filled(self) -> Put:
        """One record of as many blocks as fit."""
        first = self._pop()
        lines, chunks = list(first.lines), [first.chunk]
        room = BYTES_PER_RECORD - first.size
        while self._blocks and (not self._blocks[0].chunk.wanted or self._blocks[0].size <= room):
            if not self._blocks[0].chunk.wanted:
                self._drop()
                continue
            block = self._pop()
            lines += block.lines
            chunks.append(block.chunk)
            room -= block.size
        key = first.key or _any_key()
        data = kpl.aggregate(lines, key=key) if self._form == "kpl" else b"\n".join([*lines, b""])
        return Put(data, key, tuple(chunks))


def _any_key() -> str:
    return secrets.token_hex(8)


def blocks_of(lines: Iterable[bytes], form: Form, key_of: Callable[[bytes], str]) -> list[tuple[list[bytes], int, str]]:
    """A message's lines in blocks that fit into a record: each with its size there, and its key."""
    around = kpl.OVERHEAD_PER_LINE if form == "kpl" else 1
    most = RECORDS_PER_CALL if form == "single" else sys.maxsize
    made: list[tuple[list[bytes], int, str]] = []
    block: list[bytes] = []
    size = 0
    for line in lines:
        length = len(line) + around
        if block and (size + length > LARGEST_BLOCK or len(block) == most):
            made.append((block, size, key_of(block[0])))
            block, size = [], 0
        block.append(line)
        size += length
    if block:
        made.append((block, size, key_of(block[0])))
    return made
