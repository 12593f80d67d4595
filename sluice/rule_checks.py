"""What the keys of a route's rules say about each other, and whether its expressions are RE2's.

A rule that is half understood would let pass what it was written to stop, so each has one meaning or none.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from sluice import limits
from sluice.function import RULES_VARIABLE
from sluice.problems import Breach, Path
from sluice.routes import Route, rules_json
from sluice.rules import Condition, Drop, Redaction, Sample

# The other variables: names of at most 64 characters, a bucket, an ARN.
OTHER_VARIABLES_BYTES: Final = 1024
# What the transformer itself drops records by; its other names have underscores, which no rule's has.
RESERVED_NAMES: Final = frozenset({"empty"})
_FIELD_TESTS: Final = ("equals", "prefix", "contains", "regex", "exists")
_TESTS: Final = (*_FIELD_TESTS, "severity_below", "tag")
_KINDS: Final = ("pattern", "regex", "field")


def rules(route: Route, place: Path) -> Iterator[Breach]:
    """Every breach in the rules of the route at this place of the file."""
    yield from _redactions(route.redact, (*place, "redact"))
    yield from _names(route, place)
    for path, rule in _named(route, place):
        for at, condition in enumerate(rule.where):
            yield from _condition(condition, (*path, "where", at))
    if route.formats and "text" not in route.steps:
        yield Breach((*place, "formats"), "the step that reads them is not run", "add text to steps, or take this out")
    yield from _size(route, place)


def _redactions(redactions: Sequence[Redaction], place: Path) -> Iterator[Breach]:
    met: set[str] = set()
    for at, rule in enumerate(redactions):
        here = (*place, at)
        kinds = [kind for kind in _KINDS if getattr(rule, kind) is not None]
        if len(kinds) != 1:
            told = f"says {' and '.join(kinds)}" if kinds else "does not say what to redact"
            yield Breach(here, told, f"give one of {', '.join(_KINDS)}; more rules for more of them")
            continue
        if rule.pattern and rule.name:
            yield Breach((*here, "name"), f"a built-in pattern is called {rule.pattern!r}", "take the name out")
        if rule.field == "severity.text":
            yield Breach((*here, "field"), "a severity has nothing to hide", "name another field")
        if rule.regex is not None:
            if rule.name is None:
                yield Breach((*here, "regex"), "this rule has no name to be counted by", "add a name")
            yield from _expression(rule.regex, (*here, "regex"))
        name = rule.name or rule.pattern or rule.field or ""
        if name in met:
            yield Breach(here, f"two rules are called {name!r}", "give each rule a name of its own, each pattern once")
        met.add(name)


def _names(route: Route, place: Path) -> Iterator[Breach]:
    """A record is dropped by a rule of one name, whichever kind that rule is of."""
    met: set[str] = set()
    for path, rule in _named(route, place):
        if rule.name in met:
            yield Breach((*path, "name"), "two rules have this name", "give each drop and sample rule its own")
        if rule.name in RESERVED_NAMES:
            yield Breach((*path, "name"), "is what records without a line are counted by", "give it another name")
        met.add(rule.name)


def _named(route: Route, place: Path) -> Iterator[tuple[Path, Drop | Sample]]:
    for at, drop in enumerate(route.drop):
        yield (*place, "drop", at), drop
    for at, sample in enumerate(route.sample):
        yield (*place, "sample", at), sample


def _condition(condition: Condition, place: Path) -> Iterator[Breach]:
    tests = [test for test in _TESTS if getattr(condition, test) is not None]
    if len(tests) != 1:
        told = f"makes {len(tests)} tests: {', '.join(tests)}" if tests else "makes no test"
        yield Breach(place, told, f"give one of {', '.join(_TESTS)}; a list of conditions has to hold as a whole")
        return
    of_field = tests[0] in _FIELD_TESTS
    if of_field and condition.field is None:
        yield Breach((*place, tests[0]), "which field is meant, is not said", "add field, as attributes.url.path")
    if not of_field and condition.field is not None:
        yield Breach((*place, "field"), f"{tests[0]} is about no field", "take field out, or make another test")
    if condition.regex is not None:
        yield from _expression(condition.regex, (*place, "regex"))


def _expression(expression: str, place: Path) -> Iterator[Breach]:
    # Here, because only those who write expressions have to wait for it.
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "no reason told"
        told = reason.decode() if isinstance(reason, bytes) else str(reason)
        yield Breach(
            place,
            f"RE2 does not take it: {told}",
            "write it without lookaround and back-references, https://github.com/google/re2/wiki/Syntax",
        )
        return
    if compiled.search("") is not None:
        yield Breach(place, "matches the empty text, which is everywhere", "let it match one character or more")


def _size(route: Route, place: Path) -> Iterator[Breach]:
    size = len(json.dumps({RULES_VARIABLE: rules_json(route)}, ensure_ascii=False).encode())
    room = limits.LAMBDA_ENVIRONMENT_BYTES - OTHER_VARIABLES_BYTES
    if size > room:
        yield Breach(
            place,
            f"its rules take {size} bytes of the function's environment, and {room} are left for them",
            f"shorten expressions and names by {size - room} bytes, or move part of the tags to a route of their own",
        )
