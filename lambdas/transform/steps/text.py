"""Step `text`: what a line that is not JSON says of itself, in a format that we know, becomes attributes.

The line stays the body, character for character. A line that a format took states its severity there or nowhere.
"""

from __future__ import annotations

from collections.abc import Callable

from lambdas.transform.document import TIME_DOUBT, Document
from lambdas.transform.formats import Trials, read_text
from lambdas.transform.limits import EARLIEST_TIME
from lambdas.transform.times import doubt


def make_text_step(trials: Trials) -> Callable[[Document], None]:
    """Make the step that tries these formats."""

    def read_body(document: Document) -> None:
        body = document.body
        if type(body) is not str:
            return
        found = read_text(body, document.observed, trials)
        if found is None:
            return
        attributes, severity, time = found
        document.is_understood = True
        if severity is not None and document.severity is None:
            document.severity = severity
        if time is not None:
            if EARLIEST_TIME <= time <= document.observed:
                document.time = time
            elif doubted := doubt(time, observed=document.observed) if time else "unparsable":
                attributes = {**attributes, TIME_DOUBT: doubted}
            else:
                document.time = time
        if attributes:
            document.add(attributes)

    return read_body
