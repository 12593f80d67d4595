"""What a person is shown of a line: the line itself, and below it in two columns what was understood of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.json import JSON
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from explain.watch import Story
from lambdas.transform.document import TIME_DOUBT
from lambdas.transform.levels import Severity
from lambdas.transform.multiline import LINES

PLAIN: Final = "plain text"
"""What is said of a line that no format took."""
TRACE: Final = "stack trace"
"""What is said of lines that no format took, and that were joined."""
DOUBTS: Final = {
    "before_2000": "before 2000",
    "after_observed": "more than a day ahead",
    "unparsable": "not readable",
}
_INDENT: Final = 7
_LONGEST_VALUE: Final = 48
_MOST_ROWS: Final = 4
_COLOURS: Final = ((17, "bold red"), (13, "yellow"), (9, "green"), (0, "dim"))
_SHOWN_ELSEWHERE: Final = frozenset({LINES, TIME_DOUBT})


class Block:
    """A story for the terminal. `full` cuts nothing and adds the document as it is stored."""

    def __init__(self, story: Story, *, full: bool) -> None:
        self._story = story
        self._full = full

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render it; Rich calls this."""
        yield self._line(options.max_width)
        grid = Table.grid(padding=(0, 2), expand=False)
        grid.add_column(style="dim", no_wrap=True, min_width=len("attributes"))
        grid.add_column(overflow="fold")
        for name, value in self._rows(options.max_width - _INDENT - len("attributes") - 2):
            grid.add_row(name, value)
        yield Padding(grid, (0, 0, 0, _INDENT))
        if self._full:
            yield Padding(Group(*map(_whole, self._story.documents)), (0, 0, 0, _INDENT))
        yield ""

    def _line(self, width: int) -> RenderableType:
        story = self._story
        number = Text(f"{story.number or '-':>5}  ", style="dim")
        first = story.text.partition("\n")[0]
        text = Text(_harmless(story.text) if self._full else cut(first, width - _INDENT), style="bold")
        grid = Table.grid()
        grid.add_column(width=_INDENT, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(number, text)
        return grid

    def _rows(self, width: int) -> Iterator[tuple[str, RenderableType]]:
        story = self._story
        document = story.document
        if story.failed:
            yield "failed", Text(f"{story.failed}: Firehose keeps its record as it came", style="bold red")
        if document.dropped_by:
            yield "dropped", Text(f"by {document.dropped_by}, so it is not stored", style="magenta")
        if story.decoders not in (("packed lines",), ("plain line",), ()):
            yield "decoded", Text(" → ".join(story.decoders))
        yield "format", Text(name_format(story), style="cyan" if story.parsers else "dim")
        if story.lines > 1:
            yield "joined", Text(f"{story.lines} lines of one stack trace")
        yield "severity", _severity(document.severity, story)
        yield "time", _time(story)
        if document.trace_id:
            yield "trace", Text(document.trace_id + (f"  span {document.span_id}" if document.span_id else ""))
        if isinstance(document.body, str) and document.body and document.body != story.text:
            yield "body", Text(_harmless(document.body) if self._full else cut(document.body, width))
        if story.partition and story.documents:
            yield "partition", Text("  ").join(_pair(name, value) for name, value in story.partition.items())
        if story.redacted:
            yield "redacted", Text(_counted(story.redacted), style="magenta")
        found = {name: value for name, value in story.found.items() if name not in _SHOWN_ELSEWHERE}
        if found:
            yield "attributes", self._attributes(found, width)

    def _attributes(self, found: dict[str, Any], width: int) -> Text:
        pairs = [(name, _spelled(value)) for name, value in found.items()]
        if self._full:
            return Text("\n").join(_pair(name, _harmless(value)) for name, value in pairs)
        rows: list[Text] = [Text()]
        for at, (name, value) in enumerate(pairs):
            pair = _pair(name, cut(value, min(_LONGEST_VALUE, max(width - len(name) - 1, 1))))
            if rows[-1] and rows[-1].cell_len + 2 + pair.cell_len > width:
                if len(rows) == _MOST_ROWS:
                    rows.append(Text(f"and {len(pairs) - at} more", style="dim"))
                    break
                rows.append(Text())
            rows[-1] += Text("  ") + pair if rows[-1] else pair
        return Text("\n").join(rows)


def name_format(story: Story) -> str:
    """The formats that took a line, or what it is otherwise."""
    return " → ".join(story.parsers) or (TRACE if story.lines > 1 else PLAIN)


def _whole(document: str) -> Text:
    shown = JSON(document).text
    shown.no_wrap, shown.overflow = False, "fold"
    return shown


def cut(text: str, width: int) -> str:
    """The beginning of a text, on one row, with what cannot be shown spelled out."""
    shown = _harmless(text[: width + 1]).replace("\n", "⏎")
    if len(text) <= width and cell_len(shown) <= width:
        return shown
    return set_cell_size(shown, max(width - 1, 0)).rstrip() + "…"


def _harmless(text: str) -> str:
    """A text without what a terminal would obey, but for the ends of its lines."""
    return "".join(each if each.isprintable() or each == "\n" else " " if each == "\t" else "·" for each in text)


def _severity(severity: Severity | None, story: Story) -> Text:
    if severity is None:
        return Text("none stated", style="dim")
    colour = next(colour for least, colour in _COLOURS if severity.number >= least)
    text = Text(severity.text, style=colour)
    return text if story.severity_from in (None, *_formats_of(story)) else text.append(_by(story.severity_from))


def _time(story: Story) -> Text:
    time = Text(_short(story.document.time))
    if story.time_doubt:
        why = DOUBTS.get(story.time_doubt, story.time_doubt)
        return time.append(f"  as read; its own is {why}", style="yellow")
    if story.time_from is None:
        return time.append("  as read", style="dim")
    return time if story.time_from in _formats_of(story) else time.append(_by(story.time_from))


def _short(time: str) -> str:
    """A time without the zeros at its end."""
    return time.removesuffix("Z").rstrip("0").removesuffix(".") + "Z"


def _formats_of(story: Story) -> tuple[str, ...]:
    """The steps that the format's name stands for already."""
    return ("json", "text") if story.parsers else ()


def _by(step: str | None) -> Text:
    told = {"shipper": "as its shipper says", "severity": "from how the line begins"}
    return Text(f"  {told.get(step or '', f'by step {step}')}", style="dim")


def _pair(name: str, value: str) -> Text:
    return Text.assemble((_harmless(name), "blue"), "=", value)


def _spelled(value: Any) -> str:  # noqa: ANN401 - any JSON
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())
