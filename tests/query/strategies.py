"""Queries as values, for properties."""

from typing import cast

from hypothesis import strategies as st

from query.fields import BARE_LEVELS
from query.terms import OPERATORS, AtLeast, Between, Clause, Compare, Field, Operator, Term, Value, Word

WORDS = (
    *("error", "timeout", "refused", "connection refused", "order", "10.0.0.7", "Hello\\World", "größe", "istanbul"),
    *("支払い", "needle", "_id=abc", "a", "needley", 'said "H', "\x1b[31m", "ας", "5", "warning", "zeile"),
)
NAMES = (
    *("service", "container", "tag", "trace", "id", "order_id", "status", "weight", "a", "a.b", "a.b.c"),
    *("attributes.http.response.status_code", "resource.odd.x", "resource.nothing", "nothing"),
)
NUMBERS = ("200", "500", "5", "2.5", "-3", "1e3", "0", "404", "599")
LEVELS = ("debug", "info", "warn", "error", "fatal", "9", "17")
PIECES = ("", "o-", "1", "web", "check", "o", "x", "y", "a b", "500", "5", "*")
EXACT = ("o-1", "checkout", "Web shop", "web.a", "500", "5.0", "2.5", "true", "x*y", 'quo"te', "Ω", "a,b", "y", "-3")


def values() -> st.SearchStrategy[Value]:
    exact = st.sampled_from(EXACT).map(lambda text: Value((text,)))
    parts = st.lists(st.sampled_from(PIECES).filter(lambda piece: piece not in {"*", "a b"}), min_size=2, max_size=3)
    return st.one_of(exact, parts.map(_pattern))


def _pattern(pieces: list[str]) -> Value:
    first, *middle, last = pieces
    return Value((first, *(piece for piece in middle if piece), last))


def terms() -> st.SearchStrategy[Term]:
    operators = st.sampled_from(OPERATORS)
    names = st.sampled_from(NAMES)
    attributes = st.sampled_from(("status", "weight", "order_id", "a", "a.b", "a.b.c", "nothing"))
    levels = st.sampled_from(LEVELS)
    numbers = st.sampled_from(NUMBERS)
    return st.one_of(
        st.sampled_from(WORDS).map(Word),
        st.sampled_from(sorted(BARE_LEVELS)).map(AtLeast),
        st.builds(Field, names, st.lists(values(), min_size=1, max_size=3).map(tuple)),
        st.builds(Field, st.just("level"), levels.map(lambda text: (Value((text,)),))),
        st.builds(Compare, attributes, cast("st.SearchStrategy[Operator]", operators), numbers),
        st.builds(Compare, st.just("level"), operators, levels),
        st.builds(Between, attributes, numbers, numbers),
        st.builds(Between, st.just("level"), levels, levels),
    )


def clauses() -> st.SearchStrategy[Clause]:
    return st.builds(Clause, terms(), st.booleans())
