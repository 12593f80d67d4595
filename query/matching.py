"""Whether a document is what a query asks for: the one place that decides it.

A backend narrows: it leaves out only documents that certainly do not match, with what its store can do quickly, and may
return more. Every candidate is then held against this, so that all backends give the same answer to the same
question. The cost is a few microseconds for each candidate.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from query.documents import text_of, value_at, values_at
from query.fields import LEVEL_TEXTS, LEVELS, SEVERITY, level_number, paths_of
from query.terms import AtLeast, Between, Clause, Compare, Field, Operator, Query, Term, Value, Word

Document = Mapping[str, Any]
Decides = Callable[[Document], bool]
# What the transformer takes for a number that is written as text, see lambdas/transform/numbers.py.
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
# What Lucene folds one to one and Python into two characters or by its place in the word.
_FOLDED: Final = str.maketrans({"İ": "i", "Σ": "σ"})  # noqa: RUF001


def decider(query: Query) -> Decides:
    """A function that tells for a document whether all clauses of a query hold. The time is not looked at."""
    decisions = [_clause(clause) for clause in query.clauses]
    return lambda document: all(decides(document) for decides in decisions)


def fold(text: str) -> str:
    """A text for comparison without case."""
    return text.translate(_FOLDED).lower() if not text.isascii() else text.lower()


def number_of(value: object) -> float | None:
    """A finite number, or the text of one, as a number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    if not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def severity_of(document: Document) -> int | None:
    """A document's severity as OpenTelemetry's number."""
    severity = document.get("severity")
    number = severity.get("number") if isinstance(severity, Mapping) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def severity_text(text: str) -> str | None:
    """How documents call a severity that is written as a word, None for a number."""
    number = LEVELS.get(text.lower())
    return LEVEL_TEXTS[number] if number is not None else None


def _clause(clause: Clause) -> Decides:
    decides = _term(clause.term)
    return (lambda document: not decides(document)) if clause.negated else decides


def _term(term: Term) -> Decides:
    match term:
        case Word(text):
            return _contains(text)
        case AtLeast(word):
            least, contains = LEVELS[word], _contains(word)
            return lambda document: (severity_of(document) or 0) >= least or contains(document)
        case Field(name, values):
            return _severity(values) if name in SEVERITY else _field(name, values)
        case Compare(name, operator, limit):
            return _compared(name, operator, limit)
        case Between(name, low, high):
            above, below = _compared(name, ">=", low), _compared(name, "<=", high)
            if name in SEVERITY:
                return lambda document: above(document) and below(document)
            bounds = float(low), float(high)
            return _number(name, lambda number: bounds[0] <= number <= bounds[1])


def _contains(text: str) -> Decides:
    wanted = fold(text)

    def decides(document: Document) -> bool:
        body = document.get("body")
        return body is not None and wanted in fold(text_of(body))

    return decides


def _field(name: str, values: tuple[Value, ...]) -> Decides:
    exact = frozenset(value.pieces[0] for value in values if value.is_exact)
    patterns = [value.pieces for value in values if not value.is_exact]
    paths = paths_of(name)

    def fits(text: str) -> bool:
        return text in exact or any(_fits(pieces, text) for pieces in patterns)

    return lambda document: any(fits(text_of(value)) for path in paths for value in values_at(document, path))


def _fits(pieces: tuple[str, ...], text: str) -> bool:
    """Whether a text is these pieces with anything between them; in linear time, the leftmost place is the best."""
    first, *middle, last = pieces
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _severity(values: tuple[Value, ...]) -> Decides:
    anything = any(not value.is_exact for value in values)
    texts = {severity_text(value.pieces[0]) for value in values if value.is_exact} - {None}
    numbers = {
        level_number(value.pieces[0]) for value in values if value.is_exact and severity_text(value.pieces[0]) is None
    }

    def decides(document: Document) -> bool:
        severity = document.get("severity")
        if not isinstance(severity, Mapping):
            return False
        return anything or severity.get("text") in texts or severity_of(document) in numbers

    return decides


def _compared(name: str, operator: Operator, limit: str) -> Decides:
    if name in SEVERITY:
        level = level_number(limit) or 0

        def decides(document: Document) -> bool:
            number = severity_of(document)
            return number is not None and _holds(number, operator, level)

        return decides
    bound = float(limit)
    return _number(name, lambda number: _holds(number, operator, bound))


def _number(name: str, holds: Callable[[float], bool]) -> Decides:
    paths = paths_of(name)

    def decides(document: Document) -> bool:
        numbers = (number_of(value_at(document, path)) for path in paths)
        return any(number is not None and holds(number) for number in numbers)

    return decides


def _holds(number: float, operator: Operator, limit: float) -> bool:
    match operator:
        case ">=":
            return number >= limit
        case "<=":
            return number <= limit
        case ">":
            return number > limit
        case "<":
            return number < limit
