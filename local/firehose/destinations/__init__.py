"""Where transformed records go, and where failed ones do. One module per kind.

A destination buffers what it is given, writes it when it is due and says what has arrived. It keeps what
it could not write and tries again: nothing that it was given may get lost in it. It is used by one
thread, its stream's, and may block that.
"""

from typing import Protocol

from local.firehose.record import Outgoing


class Destination(Protocol):
    """What a stream needs of a destination."""

    def add(self, outgoing: Outgoing) -> None:
        """Take `outgoing` into the buffer."""
        ...

    def work(self, *, flush: bool) -> list[Outgoing]:
        """Write what is due, or with `flush` everything; return what has arrived. Never raises for a write."""
        ...

    def due_at(self, *, flush: bool) -> float | None:
        """Return when there is something to write, with `flush` now, None if there is nothing."""
        ...
