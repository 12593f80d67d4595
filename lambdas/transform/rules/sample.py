"""Sampling: of the documents that a rule takes, a share is kept, and which ones is decided by a hash of an id.

The same id is always decided the same way, whoever asks and however often: a retry gives the same documents, all lines
of one trace stay or go together, in every route, and what a rule of 1 % keeps a rule of 10 % keeps too. The first rule
whose conditions hold decides. ERROR and worse are kept unless the rule says `errors: true`.

Cost: the conditions, and for a document that fulfils them one BLAKE2b of 32 characters, about a microsecond.
"""

from __future__ import annotations

from hashlib import blake2b

from lambdas.transform.document import Document
from lambdas.transform.rules.conditions import compile_conditions
from lambdas.transform.spec import Sample

ERROR_NUMBER = 17
"""OpenTelemetry's number of ERROR; higher is worse.
https://opentelemetry.io/docs/specs/otel/logs/data-model/#severity-fields"""
_BYTES = 8
_RANGE = 2 ** (8 * _BYTES)


class Sampler:
    """One sample rule, ready to be asked."""

    __slots__ = ("_bound", "_by_trace", "_errors", "_test", "name")

    def __init__(self, rule: Sample) -> None:
        self.name = rule.name
        self._test = compile_conditions(rule.where)
        self._bound = int(rule.keep_percent / 100 * _RANGE)
        self._by_trace = rule.by == "trace_id"
        self._errors = rule.errors

    def takes(self, document: Document) -> bool:
        """Say whether the rule is about this document."""
        severity = document.severity
        if severity is not None and not self._errors and severity.number >= ERROR_NUMBER:
            return False
        return self._test(document)

    def keeps(self, document: Document) -> bool:
        """Decide by the document's id; without a trace id by its event id."""
        chosen = (document.trace_id if self._by_trace else None) or document.event_id
        digest = blake2b(chosen.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()
        return int.from_bytes(digest, "big") < self._bound
