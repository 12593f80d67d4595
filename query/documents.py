"""What both backends find: a document as it is stored in S3, whatever shape it had where it was found."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from query.terms import Query
from query.times import TimeRange

TIME = "@timestamp"
OBSERVED = "observedTimestamp"


class UnreachableError(Exception):
    """A place that cannot be searched: says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document that matches. `time` sorts as its moment does."""

    time: str
    event_id: str
    document: dict[str, Any]

    @property
    def order(self) -> tuple[str, str]:
        """Where it stands among others; the same for a document and its duplicates."""
        return self.time, self.event_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query with its time range, and how the answer is wanted: `limit` None is all there is."""

    query: Query
    range: TimeRange
    oldest_first: bool = False
    limit: int | None = 100


@dataclass(frozen=True, slots=True)
class Census:
    """How many documents a backend has in a time range, whatever they say; `newest` is the time of its last one."""

    documents: int
    newest: str | None = None


@dataclass(slots=True)
class Notes:
    """What a person should know of an answer besides the documents: why it is not whole."""

    told: list[str] = field(default_factory=list)

    def add(self, note: str) -> None:
        """Add a note, once."""
        if note not in self.told:
            self.told.append(note)


class Backend(Protocol):
    """A place that answers questions."""

    name: str
    notes: Notes

    def find(self, question: Question) -> Iterator[Found]:
        """The documents that match, in order; duplicates may be among them, next to each other."""

    def census(self, question: Question) -> Census:
        """What there is in the question's time range, whether it matches or not."""


def merge(backends: Iterable[Backend], question: Question) -> Iterator[Found]:
    """The answers of all backends as one, in order, each document once, and no more than the limit.

    A document and its duplicates have the same time and event_id, so they come one after the other and only the last
    one has to be remembered.
    """
    answers = [backend.find(question) for backend in backends]
    previous = None
    shown = 0
    for found in heapq.merge(*answers, key=lambda each: each.order, reverse=not question.oldest_first):
        if found.order == previous and found.event_id:
            continue
        if question.limit is not None and shown >= question.limit:
            return
        previous = found.order
        shown += 1
        yield found


def found_in(document: dict[str, Any]) -> Found:
    """A document with what it is sorted by."""
    time, event_id = document.get(TIME), document.get("event_id")
    return Found(time if isinstance(time, str) else "", event_id if isinstance(event_id, str) else "", document)


def values_at(document: Mapping[str, Any], path: str) -> Iterator[Any]:
    """What is at a path, without nulls: each item of lists, and whether dots in keys are written or nested."""
    parts = path.split(".")
    yield from _leaves(document, parts)


def _leaves(value: Any, parts: list[str]) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item, parts)
    elif not parts:
        if value is not None and not isinstance(value, Mapping):
            yield value
    elif isinstance(value, Mapping):
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            if name in value:
                yield from _leaves(value[name], parts[end:])


def value_at(document: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - any JSON
    """The one value at a path, None when there is none: the first that its key names with the most dots.

    So the transformer takes an attribute that is to be a number.
    """
    if path in document:
        return document[path]
    dot = path.find(".")
    while dot > 0:
        inner = document.get(path[:dot])
        if isinstance(inner, Mapping) and (found := value_at(inner, path[dot + 1 :])) is not None:
            return found
        dot = path.find(".", dot + 1)
    return None


def text_of(value: object) -> str:
    """A value as text: itself, or as JSON writes it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
