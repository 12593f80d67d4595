"""`sluice explain`: a file through the watched pipeline, told line by line and summed up."""

from __future__ import annotations

import sys
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from explain.blocks import Block
from explain.feeding import make_events, read_clock
from explain.function import Function, Nowhere, function_of
from explain.kinds import Kind, UnfinishedError
from explain.reading import open_input
from explain.running import Totals
from explain.tables import Summary
from explain.watch import Story, Watch
from lambdas.transform.tally import Tally
from lambdas.transform.times import format_time
from sluice.model import Config


def explain_file(
    file: str,
    *,
    config: Config | None,
    route: str | None,
    kind: Kind,
    at: str | None,
    teller: Teller,
) -> bool:
    """Explain a file; say whether all of it was read and no record failed. UsageError when that makes no sense.

    Args:
        file: its path, or `-` for standard input.
        config: where the route is; without one, all steps and formats are run and no rules.
        route: whose steps, formats and rules to use.
        kind: what the file holds.
        at: when its lines are read; now when it is None.
        teller: is told of everything.
    """
    function = Function()
    if config is not None and route is not None:
        function = function_of(config, route=route, environment=None, bucket=Nowhere())
    watch = Watch(function)
    time_ns = read_clock(at)
    with open_input(file, kind) as source:
        try:
            for event in make_events(source, function, time_ns=time_ns, packed=True):
                teller.tell(*watch.explain(event, now=format_time(time_ns)))
        except UnfinishedError as error:
            teller.error = f"{error}; what came before is explained"
    teller.finish()
    return teller.totals.complete and teller.error is None


class Teller:
    """Writes stories to standard output, for a person or a machine, and sums them up."""

    def __init__(self, *, most: int | None, full: bool, as_json: bool) -> None:
        self.totals = Totals()
        self.error: str | None = None
        self._most = most
        self._full = full
        self._as_json = as_json
        self._shown = self._not_shown = 0
        self._summary = Summary()
        self._console = Console(highlight=False)
        self._status = self._console.status("")

    def tell(self, stories: list[Story], tally: Tally) -> None:
        """Tell what became of a batch."""
        self.totals.add(tally)
        for story in stories:
            self._summary.add(story)
            if self._most is not None and self._shown >= self._most:
                self._not_shown += 1
                continue
            self._shown += 1
            if self._as_json:
                sys.stdout.buffer.write(orjson.dumps(to_json(story), option=orjson.OPT_APPEND_NEWLINE))
            else:
                self._console.print(Block(story, full=self._full))
        if self._not_shown and self._console.is_terminal:
            self._status.update(f"{self.totals.counts.lines:,} lines read")
            self._status.start()
        self._tell_silent({story.record for story in stories}, tally)

    def _tell_silent(self, told: set[str], tally: Tally) -> None:
        """Tell of records that failed before any line of theirs was seen."""
        for failure in tally.failures:
            if failure.record_id in told:
                continue
            if self._as_json:
                failed = {"record": failure.record_id, "failed": failure.reason, "bytes": failure.data_bytes}
                sys.stdout.buffer.write(orjson.dumps(failed, option=orjson.OPT_APPEND_NEWLINE))
            else:
                told_text = f"a record of {failure.data_bytes:,} bytes failed: {failure.reason}\n"
                self._console.print(Text(told_text, style="bold red"))

    def finish(self) -> None:
        """Sum up."""
        self._status.stop()
        if self._as_json:
            sys.stdout.buffer.flush()
            return
        if self._not_shown:
            self._console.print(f"[dim]… and {self._not_shown:,} more; --limit 0 shows all of them[/dim]\n")
        if not self._shown and not self.totals.failed:
            self._console.print("[dim]there is no line in it[/dim]")
        for each in self._summary.render(self.totals, width=self._console.width):
            self._console.print(each)


def to_json(story: Story) -> dict[str, Any]:
    """A story for a machine. `documents` are as they are delivered: none when the line was dropped or failed."""
    document = story.document
    severity = document.severity
    return {
        "record": story.record,
        "line": story.number,
        "lines": story.lines,
        "text": story.text,
        "decoders": story.decoders,
        "format": " → ".join(story.parsers) or None,
        "severity": severity and {"text": severity.text, "number": severity.number, "from": story.severity_from},
        "time": {"value": document.time, "from": story.time_from, "doubt": story.time_doubt},
        "trace_id": document.trace_id,
        "span_id": document.span_id,
        "attributes": story.found,
        "dropped_by": document.dropped_by,
        "redacted": story.redacted,
        "failed": story.failed,
        **({"partition": story.partition} if story.partition and story.documents else {}),
        "documents": [orjson.loads(each) for each in story.documents],
    }
