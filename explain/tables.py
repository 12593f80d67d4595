"""The tables at the end of both commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from explain.blocks import PLAIN, cut, name_format
from explain.running import Totals
from explain.watch import Story

_EXAMPLE: Final = 200
_LEAST_EXAMPLE: Final = 12
_LEAST_SECONDS: Final = 0.02
"""Less says nothing of a rate."""
_BESIDES: Final = 32
"""Columns that a summary's row takes besides its example and the format's name."""


@dataclass(slots=True)
class Summary:
    """Which formats a file's lines have, each with an example."""

    lines: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    doubted: Counter[str] = field(default_factory=Counter)
    no_severity: int = 0

    def add(self, story: Story) -> None:
        """Count a line."""
        name = name_format(story)
        self.lines[name] += story.lines
        self.examples.setdefault(name, story.text[:_EXAMPLE])
        if story.time_doubt:
            self.doubted[story.time_doubt] += story.lines
        if story.document.severity is None:
            self.no_severity += story.lines

    def render(self, totals: Totals, *, width: int) -> Iterator[RenderableType]:
        """Render the table, and what there is to say of the lines that no format took."""
        total = sum(self.lines.values())
        if total:
            yield self._table(total, width)
        if plain := self.lines[PLAIN]:
            example = cut(self.examples[PLAIN], max(width - 2, _LEAST_EXAMPLE))
            told = (
                f"{plain:,} {'line' if plain == 1 else 'lines'} matched no format, which is stored whole all the same; "
            )
            yield Text(told.replace("which is", "and is" if plain == 1 else "and are") + "e.g.", style="yellow")
            yield Text(f"  {example}", style="dim")
        yield from (Text.assemble((f"{name} ", "dim"), told) for name, told in self._notes(totals))

    def _table(self, total: int, width: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        table.add_column("Format", style="cyan", no_wrap=True)
        table.add_column("Lines", justify="right")
        table.add_column("Share", justify="right")
        table.add_column("Example", style="dim", no_wrap=True)
        room = max(width - max(map(len, self.lines)) - _BESIDES, _LEAST_EXAMPLE)
        for name, count in self.lines.most_common():
            label = Text(name, style="yellow") if name == PLAIN else Text(name)
            table.add_row(label, f"{count:,}", _share(count, total), Text(cut(self.examples[name], room)))
        return table

    def _notes(self, totals: Totals) -> Iterator[tuple[str, str]]:
        counts = totals.counts
        if counts.joined:
            yield "joined:", f"{counts.joined:,} lines into the document of an earlier one"
        if counts.dropped:
            yield "dropped:", counted(counts.dropped)
        if counts.redacted:
            yield "redacted:", counted(counts.redacted)
        if self.doubted:
            yield "times not believed:", counted(self.doubted)
        if self.no_severity:
            yield "without a severity:", f"{self.no_severity:,}"
        if totals.failed:
            yield "records that failed:", counted(totals.failed)


def totals_table(totals: Totals, *, kept: str) -> Table:
    """What became of a file. `kept` says where originals are."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for name, count, told in _rows(totals, kept):
        bad = name in {"failed", "unaccounted"} and count != "0"
        table.add_row(name, Text(count, style="bold red" if bad else ""), Text(told, style="red" if bad else ""))
    return table


def _rows(totals: Totals, kept: str) -> Iterator[tuple[str, str, str]]:
    lines = totals.counts
    yield "records in", f"{totals.records:,}", f"in {totals.batches:,} {'batch' if totals.batches == 1 else 'batches'}"
    yield "lines in", f"{lines.lines:,}", "of records that did not fail" if totals.failed else ""
    yield "documents out", f"{lines.documents:,}", ""
    yield "failed", f"{sum(totals.failed.values()):,}", counted(totals.failed)
    for name, counts in (
        ("dropped", lines.dropped),
        ("empty records", totals.dropped_records),
        ("redacted", lines.redacted),
    ):
        of_rules = {rule: count for rule, count in counts.items() if rule != "by_rule"}
        if of_rules:
            yield name, f"{sum(of_rules.values()):,}", counted(of_rules)
    for name, count, told in (
        ("joined", lines.joined, "lines into the document of an earlier one"),
        ("truncated", lines.truncated, kept),
        ("parts", lines.parts, "written beyond one per document"),
        ("sent once more", lines.resent, "documents that their record's answer had no place for"),
        ("partition none", lines.partition_none, "documents without a value for a key"),
        ("partition other", lines.partition_other, "documents with a value that the route does not name"),
    ):
        if count:
            yield name, f"{count:,}", told
    if lines.unaccounted:
        yield "unaccounted", f"{lines.unaccounted:,}", "lines: please report this"
    yield "bytes in", f"{totals.bytes_in:,}", ""
    grown = f"{totals.bytes_out / totals.bytes_in:.1f} times what came, before compression" if totals.bytes_in else ""
    yield "bytes out", f"{totals.bytes_out:,}", grown
    if totals.seconds >= _LEAST_SECONDS:
        yield "lines/s", f"{lines.lines / totals.seconds:,.0f}", f"{totals.seconds:.2f} s in the function"


def _share(part: int, total: int) -> str:
    share = part / total
    return "<1%" if share < 0.005 else f"{share:.0%}"  # noqa: PLR2004 - what would be rounded to none


def counted(counts: Mapping[str, int]) -> str:
    """Names with their counts, the largest first."""
    return ", ".join(f"{name} {count:,}" for name, count in Counter(counts).most_common())
