"""How records come into a stream. One module per kind.

A source hands bytes to `Stream.accept`, which takes each of them or says that there is no room. What a
source may take at all, and what it answers to whom, is its own business: Direct PUT has quotas, limits
per call and clients that retry. A source that is read, a `Feed`, is asked by the stream itself: it says
when it is due, and has a checkpoint to move once records are settled.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from local.firehose.record import Arrival

Take: TypeAlias = Callable[[Sequence[Arrival]], int]
"""Takes as many of the records, from the first on, as there is room for; returns how many."""


class Feed(Protocol):
    """What a stream needs of a source that is read. Used by one thread at a time, but for `look_again`."""

    @property
    def is_caught_up(self) -> bool:
        """Whether all that was there at the last `look_again` has been handed on."""
        ...

    def look_again(self) -> None:
        """Take nothing for granted that was read before now."""
        ...

    def due_at(self) -> float:
        """Return when `work` has something to do."""
        ...

    def work(self, take: Take) -> None:
        """Read what is due and hand it on. Never raises for what the source answers."""
        ...

    def save(self) -> None:
        """Keep how far records are settled."""
        ...
