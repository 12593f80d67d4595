"""Documents for the terminal: time, severity in colour, service, body on one line; or as JSON.

A body may hold anything, so nothing that a terminal would obey reaches it: in text, control and format characters
(escape sequences, C1 codes, bidirectional overrides) become a `·`; in JSON they become `\\u` escapes, which say
the same.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import IO, Any, Final

from rich.console import Console
from rich.text import Text

from query.documents import TIME, Found, text_of, values_at
from query.fields import BODY, SEVERITY, paths_of
from query.matching import fold, severity_of
from query.terms import AtLeast, Query, Word
from query.times import parse_timestamp, zoned

DEFAULT_FIELDS: Final = ("time", "level", "service", "body")
_COLOURS: Final = ((18, "bold red"), (17, "red"), (13, "yellow"), (9, "green"), (1, "dim"))
_INDENT: Final = "    "
_LEVEL_WIDTH: Final = 5
_SERVICE_WIDTH: Final = 16
_MOST_BODY: Final = 65_536
"""Characters of a body that are shown on one line; more is the terminal's memory and no reader's."""
_FOUND: Final = "bold black on yellow"
_UNSAFE: Final = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


class QuietConsole(Console):
    """A console that lets its caller end when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Rich calls this where it would end the process with status 1."""
        raise BrokenPipeError


class Shown:
    """How documents are written: for a person in lines, for a machine in JSON."""

    def __init__(
        self,
        console: Console,
        *,
        query: Query,
        zone: tzinfo | None,
        fields: Sequence[str] = (),
        full: bool = False,
        wrap: bool = False,
        with_day: bool = False,
    ) -> None:
        self._console, self._zone = console, zone
        self._fields = tuple(fields) or DEFAULT_FIELDS
        self._full, self._wrap, self._with_day = full, wrap, with_day
        self._words = sorted(_words(query), key=len, reverse=True)

    def show(self, found: Found) -> None:
        """Write one document."""
        line = Text(" ").join(self._cell(name, found) for name in self._fields)
        cropped = self._console.is_terminal and not self._wrap
        if cropped:
            self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
        else:
            self._console.print(line, soft_wrap=True)
        if self._full:
            for name, value in _others(found.document):
                told = Text.assemble((harmless(name), "blue dim"), ("=", "dim"), (harmless(value), "dim"))
                self._console.print(Text(_INDENT) + told, soft_wrap=True)

    def _cell(self, name: str, found: Found) -> Text:
        document = found.document
        if name == "time":
            return Text(self._time(found.time), style="dim")
        if name in SEVERITY:
            return _level(document)
        if name == BODY:
            return self._body(document)
        values = [text_of(value) for path in paths_of(name) for value in values_at(document, path)]
        text = one_line(values[0]) if values else "-"
        if name == "service":
            return Text(f"{text:<{_SERVICE_WIDTH}}" if len(text) <= _SERVICE_WIDTH else text, style="cyan")
        return Text(text)

    def _time(self, time: str) -> str:
        time_ns = parse_timestamp(time)
        if time_ns is None:
            return harmless(time)
        there = zoned(time_ns, self._zone)
        if not self._console.is_terminal:
            return there.isoformat(timespec="milliseconds")
        clock = f"{there:%H:%M:%S}.{there.microsecond // 1000:03}"
        return f"{there:%Y-%m-%d} {clock}" if self._with_day else clock

    def _body(self, document: dict[str, Any]) -> Text:
        body = document.get(BODY)
        told = "" if body is None else text_of(body)
        start = told[:_MOST_BODY]
        text = Text(_indented(start) if self._wrap else one_line(start))
        folded = fold(text.plain)
        if len(folded) == len(text.plain):
            for word in self._words:
                at = folded.find(word)
                while at >= 0:
                    text.stylize(_FOUND, at, at + len(word))
                    at = folded.find(word, at + len(word))
        return text


def harmless(text: str, *, keep: str = "") -> str:
    """A text without what a terminal would obey: such a character becomes a dot, a tab a space."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else " " if each == "\t" else "·" for each in text)


def one_line(text: str) -> str:
    """A text on one line: each end of a line becomes a sign for it."""
    return harmless(text.rstrip("\r\n").replace("\r\n", "\n").replace("\n", "⏎"))


def _indented(text: str) -> str:
    """A text of several lines, which are told from the next document's by standing further in."""
    return harmless(text.rstrip("\r\n").replace("\r\n", "\n"), keep="\n").replace("\n", f"\n{_INDENT}")


def json_line(found: Found, fields: Sequence[str]) -> str:
    """A document as one line of JSON, or of some of its fields only."""
    told: Any = found.document
    if fields:
        told = {name: _field(found.document, name) for name in fields}
    line = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda unsafe: f"\\u{ord(unsafe[0]):04x}", _without_surrogates(line))


def write_line(stream: IO[str], line: str) -> None:
    """Write a line where whoever reads it has it at once."""
    stream.write(line + "\n")
    stream.flush()


def _without_surrogates(line: str) -> str:
    return "".join(f"\\u{ord(each):04x}" if "\ud800" <= each <= "\udfff" else each for each in line)


def _field(document: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON
    if name == "time":
        return document.get(TIME)
    if name in SEVERITY:
        severity = document.get("severity")
        return severity.get("text") if isinstance(severity, dict) else None
    if name == BODY:
        return document.get(BODY)
    values = [value for path in paths_of(name) for value in values_at(document, path)]
    return values[0] if len(values) == 1 else values or None


def _level(document: dict[str, Any]) -> Text:
    severity = document.get("severity")
    text = severity.get("text") if isinstance(severity, dict) else None
    told = harmless(text) if isinstance(text, str) else "-"
    number = severity_of(document) or 0
    colour = next((colour for least, colour in _COLOURS if number >= least), "dim")
    return Text(f"{told:<{_LEVEL_WIDTH}}", style=colour)


def _words(query: Query) -> Iterable[str]:
    for clause in query.clauses:
        if not clause.negated and isinstance(clause.term, Word):
            yield fold(clause.term.text)
        elif not clause.negated and isinstance(clause.term, AtLeast):
            yield clause.term.word


def _others(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Everything that the line does not show, by its full name."""
    for name in ("tag", "traceId", "spanId", "event_id"):
        if document.get(name) is not None:
            yield name, text_of(document[name])
    for root in ("resource", "attributes"):
        yield from _flat(document.get(root), root)


def _flat(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}")
    elif value is not None:
        yield path, text_of(value)
