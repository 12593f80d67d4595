"""A document's body and attributes, rewritten where something is found and otherwise the very same objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from lambdas.transform.document import Document
from lambdas.transform.jsontext import free_name
from lambdas.transform.limits import MAX_NESTING
from lambdas.transform.rules.replace import Counts, Marker, TextRule
from lambdas.transform.rules.secrets import is_aws_secret

_LEAST_CARD = 10**12
_LEVELS = MAX_NESTING + 4
_MOST_KEYS = 4096
_LONGEST_KEY = 128


class Walk:
    """Some rules, to be applied to one document after another. Keys that hold nothing are remembered, for they recur.

    Args:
        rules: what to apply to every text.
        secret: what to put in the place of AWS secret keys that are known by the name of their member.
    """

    __slots__ = ("_clean", "_counts", "_rules", "_secret")

    def __init__(self, rules: Sequence[TextRule], *, secret: Marker | None) -> None:
        self._rules = rules
        self._secret = secret
        self._clean: set[str] = set()
        self._counts: Counts = {}

    def rewrite(self, document: Document, counts: Counts) -> None:
        """Rewrite a document's body and attributes. RecordError when a value has to be hashed and there is no key."""
        self._counts = counts
        document.body = self._value(document.body, _LEVELS)
        document.attributes = self._members(document.attributes, _LEVELS)

    def _value(self, value: Any, levels: int) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict | list):
            if not levels:
                return self._text(orjson.dumps(value).decode())
            return self._members(value, levels) if isinstance(value, dict) else self._items(value, levels)
        if isinstance(value, int) and value >= _LEAST_CARD:
            digits = str(value)
            told = self._text(digits)
            return value if told == digits else told
        return value

    def _items(self, items: list[Any], levels: int) -> list[Any]:
        changed = [self._value(item, levels - 1) for item in items]
        return changed if any(new is not old for new, old in zip(changed, items, strict=True)) else items

    def _members(self, members: dict[str, Any], levels: int) -> dict[str, Any]:
        changed: dict[str, Any] = {}
        same = True
        for key, value in members.items():
            name = key if key in self._clean else self._key(key)
            told = self._secret_of(key, value) if self._secret else None
            new = self._value(value, levels - 1) if told is None else told
            same = same and name == key and new is value
            changed[free_name(changed, name) if name in changed else name] = new
        return members if same else changed

    def _key(self, key: str) -> str:
        name = self._text(key)
        if name == key and len(key) <= _LONGEST_KEY and len(self._clean) < _MOST_KEYS:
            self._clean.add(key)
        return name

    def _text(self, text: str) -> str:
        for rule in self._rules:
            if rule.probe(text) is not None:
                text = rule.apply(text, self._counts)
        return text

    def _secret_of(self, key: str, value: object) -> str | None:
        if self._secret is None or not isinstance(value, str) or not is_aws_secret(key, value):
            return None
        self._secret.count(self._counts)
        return self._secret.put(value)
