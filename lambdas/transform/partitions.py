"""Partition keys: which folder of the bucket a document goes to, by its fields.

Firehose puts what a function answers as `metadata.partitionKeys` into an object's name, and what it has written lies
there for good. So a value is made safe for a name: letters, digits and `._-` of ASCII stay, everything else becomes
`_`, and what is longer than 64 characters is cut. A field that is missing, empty, an object or a list is `none`. Where
the route names its values, any other value is `other`: Firehose keeps 500 partitions open at a time, and fails what
comes for one more. https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html

Keys are read from the document after its rules: what is redacted is in no object's name.

Cost: about a microsecond for each key of a document. What becomes of a value is remembered, since most of them recur.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from lambdas.transform.document import Document
from lambdas.transform.limits import MAX_PARTITION_VALUE
from lambdas.transform.rules.fields import reader, scalar_text
from lambdas.transform.spec import PartitionKey
from lambdas.transform.tally import Counts

Keys = tuple[tuple[str, str], ...]
"""Each key's name and value, in the order of the route; none where objects are not divided."""
NONE: Final = "none"
OTHER: Final = "other"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class _Choice(NamedTuple):
    keys: Keys
    is_none: bool
    is_other: bool


class Partitions:
    """The keys of a route, compiled."""

    def __init__(self, keys: Sequence[PartitionKey]) -> None:
        self.names = tuple(key.name for key in keys)
        self._keys = tuple(keys)
        self._readers = [reader(key.field) for key in keys]
        self._chosen = lru_cache(maxsize=4096)(self._choose)

    def choose(self, document: Document, counts: Counts) -> Keys:
        """Choose a document's keys, and count it where one of them is `none` or `other`."""
        texts = []
        for read in self._readers:
            value = read(document)
            text = value if isinstance(value, str) else scalar_text(value)
            # Cut before it is remembered, since a value can be as large as a document.
            texts.append(text[:MAX_PARTITION_VALUE] if text else None)
        chosen = self._chosen(tuple(texts))
        counts.partition_none += chosen.is_none
        counts.partition_other += chosen.is_other
        return chosen.keys

    def _choose(self, texts: tuple[str | None, ...]) -> _Choice:
        keys: list[tuple[str, str]] = []
        is_none = is_other = False
        for key, text in zip(self._keys, texts, strict=True):
            value = NONE if text is None else _UNSAFE.sub("_", text)
            if text is None:
                is_none = True
            elif key.values is not None and value not in key.values:
                value, is_other = OTHER, True
            keys.append((key.name, value))
        return _Choice(tuple(keys), is_none, is_other)
