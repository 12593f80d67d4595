"""Redaction: what must not be stored is masked, removed or hashed before the document is written.

Covered are the body, every attribute and every key in them, at any depth, and the fields that a rule names, there or in
`resource.*` and `tag`. Numbers are examined as their digits. Not covered: `resource` and `tag` where no rule names
them, since they say where a line comes from; a value that two documents or two attributes share the parts of; what was
encoded again (base64, percent, other digits than ASCII's); and a record that fails, which is kept as it came.

| Action | Leaves |
|---|---|
| mask | `[redacted:card]` |
| hash | `[redacted:card:<32 hex digits>]`, equal for equal values in whatever spelling, see key |
| remove | nothing: the text around it, or for a field no field |

Almost no document holds anything, so the documents of a Firehose record are searched together, as their JSON, by one
RE2 automaton of all hints (see patterns): about 1.6 ns a byte, and 0.3 µs a document for the JSON. Only a document
in which it stops is taken apart. Expressions of the configuration have no hint, since JSON is not the text they are
about: they run over every text, at about two microseconds each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import orjson

from lambdas.transform.document import Document
from lambdas.transform.rules.expressions import compile_expression, find_with
from lambdas.transform.rules.hints import Hints
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.rules.patterns import PATTERNS
from lambdas.transform.rules.redact_fields import field_rule
from lambdas.transform.rules.replace import Counts, Marker, TextRule
from lambdas.transform.rules.walk import Walk
from lambdas.transform.spec import Redaction

_TOGETHER: Final = 64
"""Documents that are searched in one pass. Much more at once would cost ten times as much for the JSON: glibc gives
memory back to the system and asks for it again as soon as more than 128 KB of small pieces come and go."""
_AWS_SECRET: Final = "aws-secret"  # noqa: S105 - a pattern's name


class Redactor:
    """The redact rules of a route."""

    def __init__(self, rules: Iterable[Redaction], key: RedactionKey) -> None:
        markers = [(rule, Marker(rule.name, rule.action, key)) for rule in rules]
        self._fields = [field_rule(rule.what, marker) for rule, marker in markers if rule.kind == "field"]
        chosen = {rule.what: marker for rule, marker in markers if rule.kind == "pattern"}
        self._built_in = {
            name: TextRule(pattern.find, chosen[name], pattern.form.search)
            for name, pattern in PATTERNS.items()
            if name in chosen
        }
        own = [(compile_expression(rule.what), marker) for rule, marker in markers if rule.kind == "regex"]
        self._own = [TextRule(partial(find_with, each), marker, each.search) for each, marker in own]
        self._hints = Hints({name: PATTERNS[name].hint for name in self._built_in}) if chosen else None
        self._walks: dict[tuple[str, ...], Walk] = {}

    def apply(self, documents: Sequence[Document], counts: Counts) -> None:
        """Redact documents in place, and count by the rules' names.

        RecordError when a value has to be hashed and the key cannot be read.
        """
        for document in documents:
            for rule in self._fields:
                rule(document, counts)
        if self._hints or self._own:
            for start in range(0, len(documents), _TOGETHER):
                self._rewrite(documents[start : start + _TOGETHER], counts)

    def _rewrite(self, documents: Sequence[Document], counts: Counts) -> None:
        found: Mapping[int, tuple[str, ...]] = {}
        if self._hints:
            found = self._hints.find([orjson.dumps((document.body, document.attributes)) for document in documents])
        for at in range(len(documents)) if self._own else found:
            self._walk(found.get(at, ())).rewrite(documents[at], counts)

    def _walk(self, names: tuple[str, ...]) -> Walk:
        """The walk with the patterns that were hinted at, and every expression."""
        if (known := self._walks.get(names)) is not None:
            return known
        rules = [rule for name, rule in self._built_in.items() if name in names] + self._own
        secret = self._built_in[_AWS_SECRET].marker if _AWS_SECRET in names else None
        return self._walks.setdefault(names, Walk(rules, secret=secret))
