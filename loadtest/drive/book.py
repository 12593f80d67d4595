"""What one sending process knows of itself, and how it says so: to its journal and to who started it."""

import contextlib
import time
from collections.abc import Callable
from typing import Final

from loadtest.drive.spec import Told
from loadtest.journal import Entry, JournalWriter, Range

MOST_ERRORS: Final = 20


class ParentGoneError(Exception):
    """Who started this process is not there any more, or wants it to end at once."""


class Book:
    """Counts what is handed over and acknowledged. `tell` takes a line for who started the process.

    A message counts as sent from before its first byte is handed to the socket; each counts once, however often its
    chunk is resent.
    """

    def __init__(self, journal: JournalWriter, *, tell: Callable[[str], None]) -> None:
        self._journal, self._tell = journal, tell
        self._sent: dict[int, int] = {}
        self._acknowledged: dict[int, list[Range]] = {}
        self._messages = self._confirmed = self._bytes = 0
        self._errors: list[str] = []
        self._more_errors = 0

    def fail(self, text: str) -> None:
        """An error. The first twenty are told word by word, the others are counted."""
        if len(self._errors) < MOST_ERRORS:
            self._errors.append(text)
        else:
            self._more_errors += 1

    @property
    def errors(self) -> tuple[str, ...]:
        """What went wrong so far."""
        return (*self._errors, *([f"and {self._more_errors} more errors like these"] if self._more_errors else []))

    def sent(self, source: int, *, first: int, end: int, text_bytes: int) -> None:
        """Messages whose bytes go to the socket now, the source's next ones."""
        self._sent[source] = end
        self._messages += end - first
        self._bytes += text_bytes

    def acknowledged(self, source: int, *, first: int, end: int) -> None:
        """Messages whose acknowledgement was read."""
        ranges = self._acknowledged.setdefault(source, [])
        if ranges and ranges[-1][1] == first:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((first, end))
        self._confirmed += end - first

    def write(self, *, behind: float) -> None:
        """Say what happened since the last time. The journal has the sources for which something did."""
        self._note(behind)
        self._say(behind)

    def _say(self, behind: float) -> None:
        self._tell(
            Told(
                sent=self._messages,
                acknowledged=self._confirmed,
                bytes=self._bytes,
                behind=behind,
                errors=self.errors,
            ).model_dump_json()
        )

    def end(self) -> None:
        """The journal's last lines. They are there whether or not anybody listens."""
        self._note(0.0)
        self._journal.end(at=time.time(), error="; ".join(self.errors) or None)
        with contextlib.suppress(ParentGoneError):
            self._say(0.0)

    def _note(self, behind: float) -> None:
        acknowledged = {source: tuple(ranges) for source, ranges in self._acknowledged.items()}
        self._journal.write(
            Entry(at=time.time(), sent=self._sent, acknowledged=acknowledged, bytes=self._bytes, behind=behind)
        )
        self._sent, self._acknowledged = {}, {}
