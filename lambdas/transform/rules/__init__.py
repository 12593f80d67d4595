"""A route's rules: what is dropped, what is sampled, what is redacted, in this order.

    rules = compile_rules(settings)
    if rules:
        rules.apply(documents, redacted)

A document that a rule drops gets the rule's name as `dropped_by` and is not redacted, for it is not written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lambdas.transform.document import Document
from lambdas.transform.rules.conditions import compile_conditions
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.rules.sample import Sampler
from lambdas.transform.settings import Settings
from lambdas.transform.spec import Redaction

if TYPE_CHECKING:
    from lambdas.transform.rules.redact import Redactor


class Rules:
    """The rules, compiled. False when there are none."""

    __slots__ = ("_drops", "_redactor", "_samplers")

    def __init__(self, settings: Settings, *, key: RedactionKey) -> None:
        self._drops = [(rule.name, compile_conditions(rule.where)) for rule in settings.drop]
        self._samplers = [Sampler(rule) for rule in settings.sample]
        self._redactor = _redactor(settings.redact, key) if settings.redact else None

    def __bool__(self) -> bool:
        return bool(self._drops or self._samplers or self._redactor)

    def apply(self, documents: Sequence[Document], redacted: dict[str, int]) -> None:
        """Apply the rules to documents, best to all of a Firehose record at once; count redactions by name.

        RecordError when a value has to be hashed and the key cannot be read; then nothing is counted.
        """
        for document in documents:
            if document.dropped_by is None and (self._drops or self._samplers):
                document.dropped_by = self._judge(document)
        if self._redactor:
            counts: dict[str, int] = {}
            self._redactor.apply([document for document in documents if document.dropped_by is None], counts)
            for name, count in counts.items():
                redacted[name] = redacted.get(name, 0) + count

    def _judge(self, document: Document) -> str | None:
        """The name of the rule that drops the document."""
        for name, test in self._drops:
            if test(document):
                return name
        for sampler in self._samplers:
            if sampler.takes(document):
                return None if sampler.keeps(document) else sampler.name
        return None


def _redactor(rules: Sequence[Redaction], key: RedactionKey) -> Redactor:
    from lambdas.transform.rules.redact import Redactor  # noqa: PLC0415 - 20 ms that only routes with redaction pay

    return Redactor(rules, key)


def compile_rules(settings: Settings, *, key: RedactionKey | None = None) -> Rules:
    """Compile a route's rules, once per process. ExpressionError when RE2 does not take an expression."""
    return Rules(settings, key=key or RedactionKey(settings.redaction_key))
