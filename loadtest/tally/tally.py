"""The tally: what arrived of a run, message by message, in bounded memory.

Mechanism: every document is read (`block`), its markers are looked up in arrays that have six bytes for each message
of the plan (`books`), and latencies go to histograms (`latency`). Which messages were sent, and which of them were
acknowledged, only the journals know, at the end: `close` puts the two together (`closing`). No code is shared with
what wrote the documents, and none with the senders but the marker, and the text where content is compared.

Cost: 4 to 5 us of CPU for each document of a kilobyte; memory 50 MB and what `latency` and the kernel's cache take.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import orjson

from loadtest.journal import Journal
from loadtest.plan import Plan
from loadtest.tally import books as flags
from loadtest.tally.arrived import Arrived
from loadtest.tally.block import Fingerprints, Integers, Markers, find_markers, pieces, read_lines
from loadtest.tally.books import Books, is_first
from loadtest.tally.closing import Told, close
from loadtest.tally.content import TextOf, is_as_sent, text_of_messages
from loadtest.tally.latency import Latencies, slot_seconds
from loadtest.tally.result import Mark, Observation, Result


class Tally:
    """Accounts for a run. Give it everything that can be read, each document as often as it is there; then `close` it.

    Args:
        plan: what was to be sent.
        folder: for the files, six bytes for each message; they are deleted at the end.
        route_of: which route a tag belongs to.
        check_every: of every so many messages of a source the content is compared; 0: of none.
        text_of: makes a message's text again; the load's own generator, unless a test knows better.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        folder: Path,
        route_of: Callable[[str], str],
        check_every: int = 101,
        text_of: TextOf = text_of_messages,
    ) -> None:
        self._plan, self._check_every, self._text_of = plan, check_every, text_of
        names = [load.name for load in plan.profile.loads]
        self._load: Integers = np.array([names.index(source.load.name) for source in plan], np.int64)
        self._routes = [route_of(load.tag) for load in plan.profile.loads]
        self._books = Books(plan, folder)
        self._step = slot_seconds(plan.profile.seconds)
        self._arrived = Arrived.nothing(plan, latencies=Latencies(loads=len(names), step=self._step))
        self._reasons: list[str] = []

    @property
    def delivered(self) -> int:
        """How many messages have arrived, copies aside."""
        return self._arrived.delivered

    def deliver(self, lines: bytes, *, route: str | None, readable_at: float) -> None:
        """Documents, one JSON object a line, from the place of a route if it is known, readable at a time (Unix s)."""
        for block in pieces(lines):
            read = read_lines(block)
            found = find_markers(block)
            line = np.searchsorted(read.begins, found.at, side="right") - 1
            held = ~read.unreadable[line]
            found, line = found.only(held), line[held]
            self._arrived.unreadable += read.bad
            ours, chosen = self._ours(found)
            line = line[chosen]
            if (line[1:] == line[:-1]).any():  # a text may stand in the body and, taken apart, in attributes
                once = is_first(line * int(self._books.offsets[-1]) + self._books.places(ours.source, ours.sequence))
                ours, line = ours.only(once), line[once]
            self._note(ours, line, read.fingerprints[line], route=route, readable_at=readable_at)
            bad = read.nameless[line]
            if bad.any():
                self._alter(ours.only(bad))
            self._check(read.lines, ours, line)

    def accept(self, data: bytes, *, route: str | None, readable_at: float) -> None:
        """Bytes that hold markers, and no event ids: what a stream has before it is transformed."""
        for block in pieces(data):
            ours, _ = self._ours(find_markers(block))
            count = len(ours.at)
            self._note(ours, np.arange(count), np.zeros(count, np.uint32), route=route, readable_at=readable_at)

    def fail(self, lines: bytes, *, reason: str, route: str | None) -> None:  # noqa: ARG002 - as `deliver` is called
        """Error records of the failure store, one JSON object a line, what failed in `rawData` as base64.

        https://docs.aws.amazon.com/firehose/latest/dev/retry.html
        """
        if reason not in self._reasons:
            self._reasons.append(reason)
        for line in filter(bytes.strip, lines.split(b"\n")):
            try:
                data = base64.b64decode(orjson.loads(line)["rawData"], validate=True)
            except (ValueError, KeyError, TypeError):
                self._arrived.unreadable += 1
                continue
            ours, _ = self._ours(find_markers(data))
            self._books.fail(self._books.places(ours.source, ours.sequence), self._reasons.index(reason))

    def close(
        self,
        journal: Journal,
        *,
        dropped: Mapping[str, int] | None = None,
        marks: Sequence[Mark] = (),
        observations: Sequence[Observation] = (),
        target: Mapping[str, str] | None = None,
    ) -> Result:
        """The account, with what was sent, and deletes the files.

        `dropped` says for each route how many records its rules dropped. Raises ValueError for another run's journal.
        """
        try:
            return close(
                self._plan,
                Told(
                    journal=journal,
                    dropped=dropped or {},
                    marks=marks,
                    observations=observations,
                    target=target or {},
                ),
                books=self._books,
                arrived=self._arrived,
                routes=self._routes,
                reasons=self._reasons,
            )
        finally:
            self._books.close()

    def _ours(self, found: Markers) -> tuple[Markers, Integers]:
        """The markers that are messages of the plan, and which of all they are; the others are counted."""
        arrived = self._arrived
        chosen = np.flatnonzero(found.run == self._plan.run)
        arrived.foreign += len(found.run) - len(chosen)
        source, sequence = found.source[chosen], found.sequence[chosen]
        known = source < len(self._load)
        arrived.unexpected_nowhere += int((~known).sum())
        known[known] = sequence[known] < self._books.counts[source[known]]
        beyond = ~known & (source < len(self._load))
        np.add.at(arrived.unexpected, source[beyond], 1)
        arrived.exemplify("unexpected", source[beyond], sequence[beyond])
        chosen = chosen[known]
        return found.only(chosen), chosen

    def _note(
        self, ours: Markers, line: Integers, fingerprints: Fingerprints, *, route: str | None, readable_at: float
    ) -> None:
        """Write down messages that arrived, in their order; `line` says which of them came in one document."""
        if not len(line):
            return
        arrived, places = self._arrived, self._books.places(ours.source, ours.sequence)
        first = np.searchsorted(line, line)
        copies = self._books.deliver(places, fingerprints, first)
        new = copies.new
        arrived.add(ours.source, copies)
        source, sequence = ours.source[new], ours.sequence[new]
        late = self._books.overtaken(source, sequence)
        np.add.at(arrived.reordered, source[late], 1)
        arrived.exemplify("reordered", source[late], sequence[late])
        arrived.exemplify("duplicated otherwise", ours.source[copies.other], ours.sequence[copies.other])
        arrived.latencies.add(self._load[source], ours.due[new], readable_at=readable_at)
        arrived.readable[int(readable_at // self._step)] += len(source)
        if route is not None:
            wrong = np.array([each != route for each in self._routes])[self._load[ours.source]]
            if wrong.any():
                self._books.mark(places[wrong], flags.MISROUTED)
                arrived.exemplify("misrouted", ours.source[wrong], ours.sequence[wrong])

    def _check(self, lines: Sequence[bytes], ours: Markers, line: Integers) -> None:
        if not self._check_every:
            return
        for number in np.unique(line[ours.sequence % self._check_every == 0]):
            held = ours.only(np.arange(*np.searchsorted(line, (number, number + 1))))
            messages = list(zip(held.source.tolist(), held.sequence.tolist(), held.due.tolist(), strict=True))
            if not is_as_sent(lines[number], messages, plan=self._plan, text_of=self._text_of):
                self._alter(held)

    def _alter(self, ours: Markers) -> None:
        self._books.mark(self._books.places(ours.source, ours.sequence), flags.ALTERED)
        self._arrived.exemplify("altered", ours.source, ours.sequence)
