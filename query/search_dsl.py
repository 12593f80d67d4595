"""A query as OpenSearch's DSL: filters that leave out only what certainly does not match, see `matching`.

| Term | Becomes | Cost |
|---|---|---|
| a word | a wildcard on the body's tokens for each run of ASCII letters and digits in it | the body's terms are gone through, once for each segment |
| a field | `term` on keywords and in `attributes` (a flat_object) | a look-up |
| a value with `*` | `wildcard` | the field's terms are gone through |
| a number | `range` on its copy under `numbers`; where there is none, that the attribute is there at all | a look-up, or many candidates |
| a severity | `range` and `term` | a look-up |

What a field cannot hold is in the document's `overflow`, so a document that has one is a candidate besides.

The standard analyzer never cuts a run of ASCII letters and digits of up to 255 characters, so a body that contains the
run has a token that does. A negated term is left out by OpenSearch only if what it finds is exactly what matches. What
an index does not know at all is not narrowed, and decided here.
"""  # noqa: E501 - a table

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from query.fields import LEVELS, SEVERITY, level_number, paths_of
from query.matching import fold, severity_text
from query.terms import AtLeast, Between, Clause, Compare, Field, Operator, Term, Value, Word
from query.times import TimeRange

Filter = dict[str, Any]
_RUN: Final = re.compile(r"[a-z0-9]+", re.ASCII)
_MOST_RUNS: Final = 6
_LONGEST_RUN: Final = 64
_RANGES: Final[dict[Operator, str]] = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}
_OVERFLOW: Final = "overflow.at"
_NUMERIC: Final = frozenset({"double", "float", "long", "integer"})


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Filters of which one holds for every match (if `is_complete`); those of `sound` hold for matches only."""

    sound: tuple[Filter, ...] = ()
    loose: tuple[Filter, ...] = ()
    is_complete: bool = True


class Indexed:
    """What the indices hold: each field's type, as `_field_caps` tells it."""

    def __init__(self, fields: Mapping[str, Mapping[str, Any]]) -> None:
        self._types = {name: frozenset(types) - {"unmapped"} for name, types in fields.items()}

    def is_text(self, path: str) -> bool:
        """Whether a field can be asked for a whole text: a keyword, or a member of a flat_object."""
        if self._types.get(path, frozenset()) == {"keyword"}:
            return True
        root, dot, _ = path.partition(".")
        return bool(dot) and self._types.get(root, frozenset()) == {"flat_object"}

    def is_number(self, path: str) -> bool:
        """Whether a field can be compared."""
        types = self._types.get(path, frozenset())
        return bool(types) and types <= _NUMERIC

    @property
    def elsewhere(self) -> tuple[Filter, ...]:
        """The filter of documents that keep something outside its own place, if the indices know of such."""
        return ({"exists": {"field": _OVERFLOW}},) if _OVERFLOW in self._types else ()

    @property
    def has_body(self) -> bool:
        """Whether the body's words are indexed, everywhere as text."""
        return self._types.get("body", frozenset()) == {"text"}


def in_range(field: str, time: TimeRange) -> Filter:
    """The filter of a time range."""
    return {"range": {field: {"gte": time.start, "lt": time.end}}}


def filters(clauses: Iterable[Clause], indexed: Indexed) -> Filter:
    """The clauses as members of a `bool` query: `filter` and `must_not`, each possibly empty."""
    wanted: list[Filter] = []
    unwanted: list[Filter] = []
    for clause in clauses:
        narrowed = _narrow(clause.term, indexed)
        if clause.negated:
            unwanted += narrowed.sound
        elif narrowed.is_complete and (narrowed.sound or narrowed.loose):
            wanted.append(_any_of((*narrowed.sound, *narrowed.loose)))
    return {"filter": wanted, "must_not": unwanted}


def _any_of(alternatives: tuple[Filter, ...]) -> Filter:
    if len(alternatives) == 1:
        return alternatives[0]
    return {"bool": {"should": list(alternatives), "minimum_should_match": 1}}


def _narrow(term: Term, indexed: Indexed) -> Narrowed:
    match term:
        case Word(text):
            return _word(text, indexed)
        case AtLeast(word):
            contained = _word(word, indexed)
            severe = {"range": {"severity.number": {"gte": LEVELS[word]}}}
            return Narrowed((severe, *contained.sound), contained.loose, contained.is_complete)
        case Field(name, values) if name in SEVERITY:
            return Narrowed(tuple(_severity(values)))
        case Field(name, values):
            paths = paths_of(name)
            usable = [path for path in paths if indexed.is_text(path)]
            sound = [found for path in usable for found in _values(path, values)]
            is_complete = len(usable) == len(paths) or (bool(indexed.elsewhere) and indexed.has_body)
            return Narrowed(tuple(sound), indexed.elsewhere, is_complete=is_complete)
        case Compare(name, operator, limit):
            return _compared(name, {_RANGES[operator]: limit}, indexed)
        case Between(name, low, high):
            return _compared(name, {"gte": low, "lte": high}, indexed)


def _word(text: str, indexed: Indexed) -> Narrowed:
    folded = fold(text)
    runs = sorted(set(_RUN.findall(folded)), key=len, reverse=True)[:_MOST_RUNS]
    if not indexed.has_body or not runs:
        return Narrowed(is_complete=False)
    found = [{"wildcard": {"body": {"value": f"*{run[:_LONGEST_RUN]}*"}}} for run in runs]
    if runs == [folded] and len(folded) <= _LONGEST_RUN:
        return Narrowed((found[0],))
    return Narrowed(loose=({"bool": {"filter": found}},))


def _values(path: str, values: tuple[Value, ...]) -> Iterator[Filter]:
    exact = [value.pieces[0] for value in values if value.is_exact]
    if exact:
        yield {"terms": {path: exact}} if len(exact) > 1 else {"term": {path: {"value": exact[0]}}}
    for value in values:
        if not value.is_exact:
            yield {"wildcard": {path: {"value": "*".join(map(_escaped, value.pieces))}}}


def _escaped(piece: str) -> str:
    return re.sub(r"([\\*?])", r"\\\1", piece)


def _severity(values: tuple[Value, ...]) -> Iterator[Filter]:
    for value in values:
        text = severity_text(value.pieces[0])
        if not value.is_exact:
            yield {"exists": {"field": "severity.number"}}
            yield {"exists": {"field": "severity.text"}}
        elif text is not None:
            yield {"term": {"severity.text": {"value": text}}}
        else:
            yield {"term": {"severity.number": {"value": level_number(value.pieces[0])}}}


def _compared(name: str, limits: dict[str, str], indexed: Indexed) -> Narrowed:
    if name in SEVERITY:
        numbers = {operator: level_number(limit) for operator, limit in limits.items()}
        return Narrowed(({"range": {"severity.number": numbers}},))
    bounds = {operator: float(limit) for operator, limit in limits.items()}
    sound: list[Filter] = []
    loose: list[Filter] = []
    for path in paths_of(name):
        copy = path.replace("attributes.", "numbers.", 1)
        if indexed.is_number(copy):
            sound.append({"range": {copy: bounds}})
        elif indexed.is_text(path):
            loose.append({"wildcard": {path: {"value": "*"}}})
        else:
            return Narrowed(tuple(sound), is_complete=False)
    return Narrowed(tuple(sound), (*loose, *(indexed.elsewhere if loose else ())))
