"""Expressions that a configuration brings, compiled by RE2, which is loaded only where there are any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lambdas.transform.rules.numbers import Span


class ExpressionError(ValueError):
    """An expression that RE2 does not take; says which and why."""


class Match(Protocol):
    """What a search found."""

    def span(self) -> tuple[int, int]:
        """Give start and end in the text."""

    def group(self) -> str:
        """Give what was found."""


class Expression(Protocol):
    """A compiled expression."""

    def search(self, text: str) -> Match | None:
        """Find the first match."""

    def finditer(self, text: str) -> Iterator[Match]:
        """Find all matches."""


def compile_expression(expression: str) -> Expression:
    """Compile an expression. ExpressionError when RE2 does not take it."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - 10 ms that only routes with expressions pay

    options = re2.Options()
    options.log_errors = False  # the exception says it
    try:
        compiled: Expression = re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        told = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise ExpressionError(f"RE2 does not take {expression!r}: {told}") from None
    return compiled


def find_with(expression: Expression, text: str) -> Iterator[Span]:
    """Find what an expression matches in a text, empty matches left out."""
    for found in expression.finditer(text):
        start, end = found.span()
        if end > start:
            yield start, end, found.group()
