"""Step `text`: what a line that is not JSON says of itself, in a format that we know, becomes attributes.

The line stays the body, character for character. A line that a format took states its severity there or nowhere.

Lines that begin alike are read together: a parser that is run on line after line costs two thirds of what it costs
when parsers take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lambdas.transform.document import TIME_DOUBT, Document
from lambdas.transform.formats import Found, Parser, Trials, find_parsers
from lambdas.transform.times import doubt


def make_text_step(trials: Trials) -> Callable[[Sequence[Document]], None]:
    """Make the step that tries these formats."""

    def read_bodies(documents: Sequence[Document]) -> None:
        alike: dict[int, tuple[tuple[Parser, ...], list[Document]]] = {}
        for document in documents:
            body = document.body
            if type(body) is str:
                parsers = find_parsers(body, trials)
                if id(parsers) in alike:
                    alike[id(parsers)][1].append(document)
                elif parsers:
                    alike[id(parsers)] = (parsers, [document])
        for parsers, group in alike.values():
            for document in group:
                body, observed = document.body, document.observed
                for read in parsers:
                    if found := read(body, observed):
                        _understand(document, found)
                        break

    return read_bodies


def _understand(document: Document, found: Found) -> None:
    attributes, severity, time = found
    document.is_understood = True
    if severity is not None and document.severity is None:
        document.severity = severity
    # What a JSON line said of its time beside its message is better known.
    if time is not None and document.time == document.observed:
        doubted = doubt(time, observed=document.observed)
        if doubted:
            attributes = {**attributes, TIME_DOUBT: doubted}
        else:
            document.time = time
    if attributes:
        document.add(attributes)
