"""The language of `sluice search`: text → `Query`, and back.

    error service:checkout last 15m
    "connection refused" -health level>=warn status:500..599 order_id:(o-1,o-2) container:orders* since 2h

| Written | Means |
|---|---|
| `word`, `"a phrase"` | the body contains it, whatever its case |
| `error`, also `warn`, `warning`, `critical`, `fatal` | at least so severe, or it is in the body; in quotes only that |
| `field:value` | the field is exactly that; `*` in an unquoted value stands for anything |
| `field:(a,b)` | one of them |
| `field>=5`, `>`, `<=`, `<`, `field:5..9` | a number, or a severity: `level>=warn` |
| `-` before any of these | not so, or not there |
| `last 15m`, `since 2h`, `from A to B`, `until B`, `today`, `yesterday` | the time, see `times` |

All of it has to hold. Nothing is evaluated: a query is at most 2,000 characters and becomes at most 50 clauses, and
what cannot be read is a `QueryError` with its place.
"""

import re
from collections.abc import Iterator
from typing import Final, NoReturn

from query import reading_time
from query.fields import BARE_LEVELS, BODY, SEVERITY, is_comparable, level_number
from query.scanner import MAX_LENGTH, Scanner, quoted
from query.terms import (
    OPERATORS,
    AtLeast,
    Between,
    Clause,
    Compare,
    Field,
    Query,
    QueryError,
    Term,
    Value,
    Word,
)

MAX_CLAUSES: Final = 50
MAX_VALUES: Final = 50
# A field's name, and what may follow it. `=` is no operator: `user=5` is what a line may well contain.
_NAME: Final = re.compile(r"([A-Za-z_][^\s\"'():<>=,*]*)(:|>=|<=|>|<)")
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_NEEDS_QUOTES: Final = re.compile(r"[\s\"(),*\\]|\.\.")
_RESERVED: Final = frozenset({"AND", "OR", "NOT"})


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        QueryError: it cannot be read; says where, and what to write instead.
    """
    if len(text) > MAX_LENGTH:
        raise QueryError(
            f"the query has {len(text):,} characters, more than {MAX_LENGTH:,}", "search for less at once", text=""
        )
    scanner = Scanner(text)
    clauses: list[Clause] = []
    when = None
    while scanner.skip_space():
        start = scanner.at
        found = reading_time.read(scanner)
        if found is not None:
            if when is not None:
                scanner.fail("a second time range", "give one: from 10:00 to 11:00", start)
            when = found
            continue
        clauses.append(_clause(scanner))
        if len(clauses) > MAX_CLAUSES:
            scanner.fail(f"more than {MAX_CLAUSES} conditions", "search for less at once", start)
    return Query(tuple(clauses), when)


def spell(query: Query) -> str:
    """Write a query so that `parse` reads the same again."""
    parts = [("-" if clause.negated else "") + _spell(clause.term) for clause in query.clauses]
    if query.when is not None:
        parts.append(reading_time.spell(query.when))
    return " ".join(parts)


def _clause(scanner: Scanner) -> Clause:
    start = scanner.at
    negated = scanner.take("-")
    if negated and (scanner.ended or scanner.peek() in "- \t\n"):
        scanner.fail("nothing to negate", 'write -word, or quote it: "-"', start)
    return Clause(_term(scanner), negated)


def _term(scanner: Scanner) -> Term:
    start = scanner.at
    if scanner.peek() == '"':
        return Word(scanner.quoted())
    found = scanner.match(_NAME)
    if found and not (found[2] == ":" and scanner.text.startswith("//", found.end())):
        scanner.at = found.end()
        return _of_field(scanner, found[1], found[2], start)
    word = scanner.bare()
    if word[0] in "()":
        scanner.fail("a parenthesis", 'one of several values is field:(a,b); quote it to search for it: "("', start)
    if word in _RESERVED:
        scanner.fail(
            f"{word} is not needed",
            "every condition has to hold; one of several values is field:(a,b); not is a - before it",
            start,
        )
    if "*" in word:
        scanner.fail(
            "a word is found wherever it stands", f'write it without *; to search for the asterisk: "{word}"', start
        )
    lower = word.lower()
    return AtLeast(lower) if lower in BARE_LEVELS else Word(word)


def _of_field(scanner: Scanner, name: str, operator: str, start: int) -> Term:
    if operator == ":":
        nested = next((op for op in OPERATORS if scanner.take(op)), None)
        if nested is None:
            return _equals(scanner, name, start)
        operator = nested
    place = scanner.at
    limit = scanner.quoted() if scanner.peek() == '"' else scanner.bare()
    _check_limit(scanner, name, limit, start, place)
    return Compare(name, next(op for op in OPERATORS if op == operator), limit)


def _equals(scanner: Scanner, name: str, start: int) -> Term:
    place = scanner.at
    if scanner.ended or scanner.peek().isspace():
        word = scanner.text[start : scanner.at]
        scanner.fail(f"{word} wants a value", f'write {word}value, or quote it to search for it: "{word}"', start)
    if scanner.peek() == "(":
        values = tuple(_listed(scanner))
    elif scanner.peek() == '"':
        values = (Value((scanner.quoted(),)),)
    else:
        text = scanner.bare()
        low, dots, high = text.partition("..")
        if dots and low and high and name != BODY and (_is_limit(name, low) or _is_limit(name, high)):
            for limit in (low, high):
                _check_limit(scanner, name, limit, start, place)
            return Between(name, low, high)
        values = (Value(tuple(re.split(r"\*+", text))),)
    return _field(scanner, name, values, place)


def _field(scanner: Scanner, name: str, values: tuple[Value, ...], place: int) -> Term:
    if name == BODY:
        if len(values) > 1 or not values[0].is_exact:
            scanner.fail("body is searched for one text", 'write body:"what it contains"', place)
        return Word(values[0].pieces[0])
    if name in SEVERITY:
        for value in values:
            if value.is_exact and level_number(value.pieces[0]) is None:
                scanner.fail(
                    f"{value.pieces[0]!r} is no severity",
                    "write trace, debug, info, notice, warn, error, critical, alert, fatal, or 1 to 24",
                    place,
                )
            if not value.is_exact and value != Value(("", "")):
                scanner.fail("a severity is not searched by its parts", "write level>=warn, or level:*", place)
    return Field(name, values)


def _listed(scanner: Scanner) -> Iterator[Value]:
    opened = scanner.at
    scanner.take("(")
    for _ in range(MAX_VALUES):
        scanner.skip_space()
        if scanner.ended:
            break
        yield Value((scanner.quoted(inside=True),)) if scanner.peek() == '"' else _listed_value(scanner)
        scanner.skip_space()
        if scanner.take(")"):
            scanner.expect_end_of_word()
            return
        if not scanner.take(","):
            break
    scanner.fail("the list has no end, or is too long", f"write field:(a,b), up to {MAX_VALUES} values", opened)


def _listed_value(scanner: Scanner) -> Value:
    text = scanner.bare(until=",()")
    if not text:
        scanner.fail("a value is missing in the list", "write field:(a,b)", scanner.at)
    return Value(tuple(re.split(r"\*+", text)))


def _check_limit(scanner: Scanner, name: str, limit: str, start: int, place: int) -> None:
    def fail(message: str, remedy: str) -> NoReturn:
        scanner.fail(message, f"{remedy}; to search for the text, quote it", place)

    if not is_comparable(name):
        scanner.fail(f"{name} is not compared", f"write {name}:value, or {name}:(a,b)", start)
    if not limit:
        fail(f"{name} is compared with nothing", "write field>=5")
    if not _is_limit(name, limit):
        if name in SEVERITY:
            fail(f"{limit!r} is no severity", "write level>=warn, or a number from 1 to 24")
        fail(f"{limit!r} is no number", f"write {name}>=5")


def _is_limit(name: str, text: str) -> bool:
    if name in SEVERITY:
        return level_number(text) is not None
    return _NUMBER.fullmatch(text) is not None


def _spell(term: Term) -> str:
    match term:
        case Word(text):
            return text if _is_plain_word(text) else quoted(text)
        case AtLeast(word):
            return word
        case Field(name, (value,)) if value.is_exact or not _reads_otherwise("*".join(value.pieces)):
            return f"{name}:{_spell_value(value)}"
        case Field(name, values):
            return f"{name}:({','.join(map(_spell_value, values))})"
        case Compare(name, operator, limit):
            return f"{name}{operator}{limit}"
        case Between(name, low, high):
            return f"{name}:{low}..{high}"


def _spell_value(value: Value) -> str:
    if not value.is_exact:
        return "*".join(value.pieces)
    text = value.pieces[0]
    return quoted(text) if not text or _NEEDS_QUOTES.search(text) or _is_operator(text) else text


def _is_plain_word(text: str) -> bool:
    """Whether a text is read as a word and nothing else."""
    lower = text.lower()
    return not (
        not text
        or _NEEDS_QUOTES.search(text)
        or _NAME.match(text)
        or text.startswith("-")
        or text in _RESERVED
        or lower in BARE_LEVELS
        or lower in reading_time.WORDS
    )


def _is_operator(text: str) -> bool:
    return text.startswith(OPERATORS)


def _reads_otherwise(pattern: str) -> bool:
    """Whether a pattern that stands alone would be read as something else than in a list."""
    return _is_operator(pattern) or ".." in pattern
