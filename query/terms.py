"""A search as a value: what `language` reads and the backends answer.

Everything that a query says has to hold; a field with several values wants one of them.
"""

from dataclasses import dataclass
from typing import Final, Literal

Operator = Literal[">=", "<=", ">", "<"]
OPERATORS: Final[tuple[Operator, ...]] = (">=", "<=", ">", "<")


@dataclass(frozen=True, slots=True)
class Word:
    """The body contains this text, whatever its case."""

    text: str


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A severity's word standing alone: the document is at least as severe, or its body contains the word."""

    word: str


@dataclass(frozen=True, slots=True)
class Value:
    """What a field is to be: pieces of text with anything between them, so one piece is that text and no other."""

    pieces: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        """Whether there is no `*` in it."""
        return len(self.pieces) == 1


@dataclass(frozen=True, slots=True)
class Field:
    """A field has one of these values; `Value(("", ""))` is a field that is there at all."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A field is a number, or a severity, on this side of a limit, as the limit was written."""

    name: str
    operator: Operator
    limit: str


@dataclass(frozen=True, slots=True)
class Between:
    """A field is a number, or a severity, from one limit to the other, both included."""

    name: str
    low: str
    high: str


Term = Word | AtLeast | Field | Compare | Between


@dataclass(frozen=True, slots=True)
class Clause:
    """A term that has to hold, or must not."""

    term: Term
    negated: bool = False


@dataclass(frozen=True, slots=True)
class When:
    """A time range as it was written: moments as `times` spells them. One of them is given."""

    start: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched."""

    clauses: tuple[Clause, ...] = ()
    when: When | None = None


class QueryError(Exception):
    """A query that cannot be read: what is wrong, what to write instead, and where."""

    def __init__(self, message: str, remedy: str, *, text: str = "", start: int = 0, end: int = 0) -> None:
        super().__init__(message)
        self.message, self.remedy, self.text = message, remedy, text
        self.start, self.end = start, max(end, start + 1)
