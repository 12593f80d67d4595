"""The lines of a stack trace as one document, where they arrive together.

A container runtime sends every line as a record of its own, so a trace arrives as dozens, between the lines of other
containers. Lines of one source (container and whatever else is known of where it runs, tag, stream) in one Firehose
record, or in records of a batch that hold a line each (gathered.py), that traces.py takes for one trace become the
first one's document: its body is all of them with line feeds
between, and `log.record.lines` says how many. What each line had beside its text is the first's: times and event_id.

event_id is the first line's, so a trace that is delivered again has the id it had. If it was packed differently on
the way, the copies differ in how many lines they hold, and one id makes them recognisable as copies: the one with the
largest `log.record.lines` holds all that the others do. See docs/decisions/0012-joined-lines.md.

Not joined: JSON lines; a line with attributes of its own; a copy of a line that is part of the trace already (it stays
a document of its own); and what is beyond MAX_JOINED_LINES or MAX_JOINED_BYTES, which becomes further documents that
name the first in `log.record.continues`.

Cost: 0.09 us for each line when none is indented, a microsecond for each line of a source where one is, two for each
line of a trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from lambdas.transform.document import Document
from lambdas.transform.limits import MAX_JOINED_BYTES, MAX_JOINED_LINES
from lambdas.transform.traces import find_traces

LINES = "log.record.lines"
"""Attribute: how many lines were joined."""
CONTINUES = "log.record.continues"
"""Attribute: the event_id of the document that holds the beginning of a trace that was too long for one."""
_STREAM = "log.iostream"
_BEFORE_JSON = " \t{"
_ALONE = "{}"
"""Stands for a line that never joins."""


def might_hold_trace(documents: Sequence[Document]) -> bool:
    """Whether any line is indented, as some line of every trace is, or is a panic of Rust, which may do without.

    Searching the packed block for each language's words would take five times as long.
    """
    try:
        bodies = list(filter(None, [document.body for document in documents]))
        return bool(bodies) and (min(bodies) < "!" or " panicked at " in "\n".join(bodies))
    except TypeError:  # a body that is no text
        return True


def join_stack_traces(documents: list[Document]) -> list[Document]:
    """Join the lines of each stack trace among the documents of one Firehose record, which keep their order."""
    gone: set[int] = set()
    for trace, continues in traces_in(documents):
        join([documents[line] for line in trace], continues=continues)
        gone.update(trace[1:])
    return [document for line, document in enumerate(documents) if line not in gone] if gone else documents


def traces_in(documents: Sequence[Document]) -> Iterator[tuple[list[int], str | None]]:
    """The positions of each trace's lines that can be one document, and the event_id of the one that it continues."""
    if not might_hold_trace(documents):
        return
    for lines in _by_source(documents):
        for start, end in find_traces([_text(documents[line]) for line in lines]):
            yield from _pieces(documents, lines[start:end])


def _by_source(documents: Sequence[Document]) -> Iterator[list[int]]:
    """The positions of the lines, without copies, of each source that may have a trace."""
    sources: dict[tuple[str, str | None, object], list[int]] = {}
    met: set[str] = set()
    for line, document in enumerate(documents):
        if document.event_id not in met:
            met.add(document.event_id)
            source = document.resource.json, document.tag, document.attributes.get(_STREAM)
            sources.setdefault(source, []).append(line)
    for lines in sources.values():
        if len(lines) > 1 and might_hold_trace([documents[line] for line in lines]):
            yield lines


def _text(document: Document) -> str:
    """The line, or what stands for one that is JSON."""
    body = document.body
    if type(body) is not str or (body[:1] in _BEFORE_JSON and body.lstrip()[:1] == "{" and body.rstrip()[-1:] == "}"):
        return _ALONE
    return body


def _pieces(documents: Sequence[Document], lines: Sequence[int]) -> Iterator[tuple[list[int], str | None]]:
    """The lines of a trace that can be one document each time, and which document they continue."""
    run, size, continues = [lines[0]], _json_bytes(documents[lines[0]]), None
    for line in lines[1:]:
        first, document = documents[run[0]], documents[line]
        more = _json_bytes(document)
        # What a line has of its own, a joined document could not say.
        alike = document.attributes == first.attributes and document.severity == first.severity
        if alike and len(run) < MAX_JOINED_LINES and size + more <= MAX_JOINED_BYTES:
            run.append(line)
            size += more
            continue
        yield run, continues
        continues = (continues or first.event_id) if alike else None
        run, size = [line], more
    yield run, continues


def join(trace: Sequence[Document], *, continues: str | None) -> None:
    """Make the first of these documents the one of all of them."""
    first = trace[0]
    if len(trace) > 1:
        first.body = "\n".join([document.body for document in trace])
        first.rewritten = tuple({reason for document in trace for reason in document.rewritten})
        first.keep(LINES, len(trace))
    if continues is not None:
        first.keep(CONTINUES, continues)


def _json_bytes(document: Document) -> int:
    """The bytes of a line inside a JSON string, and of the line feed before it."""
    return len(orjson.dumps(document.body))
