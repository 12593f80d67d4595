"""The lines of a record, in the groups that a record can be answered with.

| Route | A group holds |
|---|---|
| to S3 | all lines of the record |
| to S3, with `partition_by` | the lines of all documents with the same keys |
| to OpenSearch | one line |

A record is answered with one group, the first with the most documents; all others are sent once more (resend). A
document that is split has several lines, its parts.

Cost: nothing on the first kind of route; 2 us a document for one key and 1 us for each further one on the second (of
some 12); an envelope for each document on the third, 5 us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from lambdas.transform.document import Document
from lambdas.transform.partitions import Keys, Partitions
from lambdas.transform.tally import Counts


class Groups(Protocol):
    """The groups of one record while it is written."""

    def add(self, documents: Sequence[Document], lines: Sequence[str]) -> None:
        """Add what was written of documents: a line of each, or the parts of a single one."""

    def take(self) -> Sequence[Group]:
        """Take the groups, in the order in which they began."""


class Group:
    """Lines that go one way, and of how many documents they are. By itself it is the only group of a record."""

    __slots__ = ("documents", "keys", "lines")

    def __init__(self, keys: Keys = ()) -> None:
        self.keys = keys
        self.lines: list[str] = []
        self.documents = 0

    def add(self, documents: Sequence[Document], lines: Sequence[str]) -> None:
        """Add documents."""
        self.lines += lines
        self.documents += len(documents)

    def take(self) -> Sequence[Group]:
        """Take it, even when it is empty."""
        return (self,)


class Apart:
    """Every line is a group. Of the parts of a document the first counts as the document."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: list[Group] = []

    def add(self, documents: Sequence[Document], lines: Sequence[str]) -> None:
        """Make a group of each."""
        for at, line in enumerate(lines):
            group = Group()
            group.add(documents[at : at + 1], (line,))
            self._groups.append(group)

    def take(self) -> Sequence[Group]:
        """Take a group for each line."""
        return self._groups


class ByKeys:
    """The lines of documents with the same partition keys are a group."""

    __slots__ = ("_counts", "_groups", "_partitions")

    def __init__(self, partitions: Partitions, counts: Counts) -> None:
        self._partitions = partitions
        self._counts = counts
        self._groups: dict[Keys, Group] = {}

    def add(self, documents: Sequence[Document], lines: Sequence[str]) -> None:
        """Add each to the group of its keys; parts have their document's, whatever was cut."""
        if len(documents) == 1:
            self._of(documents[0]).add(documents, lines)
            return
        for document, line in zip(documents, lines, strict=True):
            group = self._of(document)
            group.lines.append(line)
            group.documents += 1

    def _of(self, document: Document) -> Group:
        keys = self._partitions.choose(document, self._counts)
        group = self._groups.get(keys)
        if group is None:
            group = self._groups[keys] = Group(keys)
        return group

    def take(self) -> Sequence[Group]:
        """Take a group for each combination of keys that was met."""
        return list(self._groups.values())


Divide = Callable[[Counts], Groups]
"""Begins the groups of a record, whose counts are told."""


def together(_: Counts) -> Groups:
    """Begin the one group of a record whose documents all go one way."""
    return Group()


def make_divide(*, partitions: Partitions | None, one_each: bool) -> Divide:
    """Make what a route does with the lines of a record."""
    if partitions:
        return lambda counts: ByKeys(partitions, counts)
    return (lambda _: Apart()) if one_each else together


def choose(groups: Sequence[Group]) -> tuple[Group, Sequence[Group]]:
    """Choose with which group a record is answered; return it, and the others."""
    if len(groups) == 1:
        return groups[0], ()
    answer = max(groups, key=lambda group: group.documents, default=Group())
    return answer, [group for group in groups if group is not answer]
