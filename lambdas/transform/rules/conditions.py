"""Conditions of drop and sample rules: what a document has to be for a rule to take it.

A condition is a function from a document to yes or no; all of a rule's have to say yes. Values are compared as text, so
`equals: 200` fits the number and the text, and `equals: true` fits `true`. Lists and objects are equal to nothing.
Expressions are RE2's, whose time is linear whatever the expression (https://github.com/google/re2/wiki/Syntax).
"""

from __future__ import annotations

from collections.abc import Callable

from lambdas.transform.document import Document
from lambdas.transform.levels import read_level
from lambdas.transform.rules.expressions import compile_expression
from lambdas.transform.rules.fields import MISSING, reader, scalar_text
from lambdas.transform.spec import Condition

Test = Callable[[Document], bool]


def compile_conditions(conditions: tuple[Condition, ...]) -> Test:
    """Make the function that says whether a document fulfils all conditions; none are fulfilled by every document."""
    tests = [_compile(condition) for condition in conditions]
    if len(tests) == 1:
        return tests[0]
    return lambda document: all(test(document) for test in tests)


def _compile(condition: Condition) -> Test:
    match condition.test:
        case "severity_below":
            return _below(condition.value)
        case "tag":
            glob = Glob(condition.value)
            return lambda document: document.tag is not None and glob.matches(document.tag)
        case "exists":
            read, wanted = reader(condition.field), condition.value == "true"
            return lambda document: (read(document) is not MISSING) is wanted
        case _:
            return _of_text(condition)


def _of_text(condition: Condition) -> Test:
    read, fits = reader(condition.field), _text_test(condition.test, condition.value)

    def test(document: Document) -> bool:
        value = read(document)
        told = value if isinstance(value, str) else scalar_text(value)
        return told is not None and fits(told)

    return test


def _text_test(test: str, value: str) -> Callable[[str], bool]:
    match test:
        case "equals":
            return lambda text: text == value
        case "prefix":
            return lambda text: text.startswith(value)
        case "contains":
            return lambda text: value in text
        case _:
            search = compile_expression(value).search
            return lambda text: search(text) is not None


def _below(level: str) -> Test:
    found = read_level(level)
    bound = found.number if found else 0
    return lambda document: document.severity is not None and document.severity.number < bound


class Glob:
    """A match as routes have them: `*` stands for any run of characters, the empty one too."""

    def __init__(self, glob: str) -> None:
        self._head, *parts = glob.split("*")
        self._tail = parts.pop() if parts else None
        self._middle = parts

    def matches(self, tag: str) -> bool:
        """Say whether a tag matches as a whole, in linear time."""
        if self._tail is None:
            return tag == self._head
        at, end = len(self._head), len(tag) - len(self._tail)
        if at > end or not (tag.startswith(self._head) and tag.endswith(self._tail)):
            return False
        for part in self._middle:
            found = tag.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True
