"""What a client waits for: a message, until every record that it is part of was taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


class Chunk:
    """One message on its way, in pieces.

    Attributes:
        size: bytes that it holds here.
        wanted: whether anybody still waits for it. If not, its client has it and sends it again.
    """

    __slots__ = ("_done", "_left", "size", "wanted")

    def __init__(self, *, pieces: int, size: int, done: Callable[["Chunk"], None]) -> None:
        self._left, self.size, self._done = pieces, size, done
        self.wanted = True

    def settle(self, pieces: int = 1) -> None:
        """So many pieces were taken, or are wanted by nobody. After the last, `done` is called."""
        self._left -= pieces
        if self._left == 0:
            self._done(self)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of one message that fit into one record; `size` is what they take there."""

    lines: Sequence[bytes]
    size: int
    chunk: Chunk
    key: str = ""
    """What chooses the shard of a KPL aggregate that begins with it; random when empty."""
