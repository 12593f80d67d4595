"""The pipeline with somebody watching: what each step and rule did to each document.

Nothing is done twice or otherwise: the same functions run in the same order, and between them is noted what changed.
Only two questions are asked once more, of the transformer's own code: which wrappings a Firehose record was in, and
which format took a line. Steps and rules get one document at a time, so that it is known what they did to each.

Cost: two to four times that of the pipeline, and the memory of a batch's documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from explain.function import Function
from lambdas.transform.batch import transform_batch
from lambdas.transform.decode import Record, decode_line, unwrap
from lambdas.transform.decode.record import DAMAGED, UNDECODED, Room
from lambdas.transform.document import TIME_DOUBT, Document
from lambdas.transform.errors import RecordError
from lambdas.transform.event_id import Arrival
from lambdas.transform.formats import ALL, Trials, detect, plan_trials
from lambdas.transform.groups import Group, Groups
from lambdas.transform.multiline import LINES
from lambdas.transform.partitions import Partitions
from lambdas.transform.pipeline import Pipeline, make_encoder
from lambdas.transform.rules import Rules
from lambdas.transform.steps import MULTILINE, Step, make_steps
from lambdas.transform.tally import Counts, Tally

CLOUDWATCH: Final = "cloudwatch"
_LOG_GROUPS: Final = "aws.log.group.names"
_SHIPPER: Final = "shipper"
"""Who said what is known before the first step."""


@dataclass(slots=True)
class Story:
    """What became of a line, or of lines that were joined.

    `record` is the recordId of its Firehose record, `number` counts lines from 1 and is 0 where the record failed.
    `severity_from` and `time_from` name the step that found them; the time's is None when the line states none that is
    believed, so that it is the time when the line was read. `documents` are lines of JSON: none when it was dropped or
    failed, several when it was split. `partition` are its keys, where the route has any.
    """

    document: Document
    text: str
    record: str = ""
    number: int = 0
    decoders: tuple[str, ...] = ()
    parsers: list[str] = field(default_factory=list)
    severity_from: str | None = None
    time_from: str | None = None
    redacted: dict[str, int] = field(default_factory=dict)
    failed: str | None = None
    documents: list[str] = field(default_factory=list)
    partition: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        """How many lines it was."""
        joined = self.document.attributes.get(LINES, 1)
        return joined if isinstance(joined, int) else 1

    @property
    def found(self) -> dict[str, Any]:
        """The attributes that were found in the line: its source's are left out."""
        shared = self.document.source.attributes
        return {name: value for name, value in self.document.attributes.items() if shared.get(name) != value}

    @property
    def time_doubt(self) -> str | None:
        """Why a time was not believed."""
        doubted = self.document.attributes.get(TIME_DOUBT)
        return doubted if isinstance(doubted, str) else None


class Watch:
    """A function's pipeline, watched."""

    def __init__(self, function: Function) -> None:
        self._pipeline = _WatchedPipeline(function)

    def explain(self, event: dict[str, Any], *, now: str) -> tuple[list[Story], Tally]:
        """Transform an event and tell the story of each of its documents, in order.

        ValueError when it is no transformation event.
        """
        _, tally = transform_batch(event, pipeline=self._pipeline, now=now)
        return self._pipeline.take_stories(), tally


class _WatchedPipeline(Pipeline):
    def __init__(self, function: Function) -> None:
        settings = function.settings
        self._trials = ALL if settings.formats is None else plan_trials(settings.formats)
        self._stories: dict[int, Story] = {}
        self._reading: dict[int, tuple[bytes, Arrival]] = {}
        """What a record was read from, by its counts, which are the same when it is written."""
        self._told = 0
        names = [name for name in settings.steps if name != MULTILINE]
        steps = make_steps(settings.steps, formats=settings.formats)
        super().__init__(
            steps=(self._begin, *(self._watched(*each) for each in zip(names, steps, strict=True))),
            joins=MULTILINE in settings.steps,
            rules=_WatchedRules(function, self._stories),
            oversize=settings.oversize,
            store=function.store,
            encode=make_encoder(settings),
            divide=self._begin_group,
        )
        self._partitions = Partitions(settings.partition_by) if settings.partition_by else None

    def take_stories(self) -> list[Story]:
        stories = list(self._stories.values())
        self._stories.clear()
        self._reading.clear()
        return stories

    def read(self, data: bytes, arrival: Arrival, counts: Counts) -> Iterator[list[Document]]:
        self._reading[id(counts)] = data, arrival
        return super().read(data, arrival, counts)

    def write(self, blocks: Iterable[list[Document]], room: int, counts: Counts) -> Sequence[Group]:
        before = len(self._stories)
        failed = None
        try:
            return super().write(blocks, room, counts)
        except Exception as error:
            failed = error.reason if isinstance(error, RecordError) else "unexpected_error"
            raise
        finally:
            self._finish(list(self._stories.values())[before:], failed, *self._reading[id(counts)])

    def _finish(self, stories: list[Story], failed: str | None, data: bytes, arrival: Arrival) -> None:
        decoders = describe(data) if stories else ()
        for story in stories:
            story.record, story.decoders, story.failed = arrival.record_id, decoders, failed
            if failed:
                story.documents = []
                continue
            story.number = self._told + 1
            self._told += story.lines

    def _begin_group(self, counts: Counts) -> Groups:
        """All documents of a record in their order, wherever the route would send them."""
        return _WatchedGroup(self._stories, self._partitions, counts)

    def _begin(self, documents: Sequence[Document]) -> None:
        for document in documents:
            body = document.body
            said = document.attributes if body is None else body
            story = Story(document, said if isinstance(said, str) else orjson.dumps(said).decode())
            if document.severity is not None:
                story.severity_from = _SHIPPER
            if document.time != document.observed:
                story.time_from = _SHIPPER
            self._stories[id(document)] = story

    def _watched(self, name: str, step: Step) -> Step:
        def run(documents: Sequence[Document]) -> None:
            for document in documents:
                self._watch(document, name, step)

        return run

    def _watch(self, document: Document, name: str, step: Step) -> None:
        story = self._stories[id(document)]
        body, attributes = document.body, document.attributes
        severity, time = document.severity, document.time
        step([document])
        if document.severity != severity:
            story.severity_from = name
        if document.time != time:
            story.time_from = name
        if name == "json" and (document.body is not body or document.attributes is not attributes):
            story.parsers.append(name)
        elif name == "text" and (taken := _format(body, document.observed, self._trials)):
            story.parsers.append(taken)


class _WatchedGroup(Group):
    def __init__(self, stories: dict[int, Story], partitions: Partitions | None, counts: Counts) -> None:
        super().__init__()
        self._stories = stories
        self._partitions = partitions
        self._counts = counts

    def add(self, documents: Sequence[Document], lines: Sequence[str]) -> None:
        super().add(documents, lines)
        each = [lines] if len(documents) == 1 else [(line,) for line in lines]
        for document, written in zip(documents, each, strict=True):
            story = self._stories[id(document)]
            story.documents = list(written)
            if self._partitions:
                story.partition = dict(self._partitions.choose(document, self._counts))


class _WatchedRules(Rules):
    def __init__(self, function: Function, stories: dict[int, Story]) -> None:
        super().__init__(function.settings, key=function.key)
        self._stories = stories

    def apply(self, documents: Sequence[Document], redacted: dict[str, int]) -> None:
        for document in documents:
            counts: dict[str, int] = {}
            super().apply([document], counts)
            self._stories[id(document)].redacted = counts
            for name, count in counts.items():
                redacted[name] = redacted.get(name, 0) + count


def describe(data: bytes) -> tuple[str, ...]:
    """Name what a Firehose record's data was wrapped in, from the outside in, and what was inside."""
    room = Room()
    forms: dict[str, None] = {}
    for block in unwrap(data, room):
        if isinstance(block, bytes):
            lines = [line for line in block.split(b"\n") if line.strip()]
            has_array = any(line.lstrip()[:1] == b"[" and len(list(decode_line(line))) > 1 for line in lines)
            if len(lines) > 1:
                forms["packed lines"] = None
            forms.update(dict.fromkeys(("json array",) if has_array else ()))
            if len(lines) == 1 and not has_array:
                forms["plain line"] = None
        else:
            forms[_form(block)] = None
    return (*room.undone, *forms)


def _form(block: object) -> str:
    if not isinstance(block, Record) or _LOG_GROUPS in block.members:
        return CLOUDWATCH
    if UNDECODED in block.members:
        return f"undecodable {block.members[UNDECODED]}"
    return "damaged" if DAMAGED in block.members else "json document"


def _format(body: object, observed: str, trials: Trials) -> str | None:
    taken = detect(body, observed, trials) if isinstance(body, str) else None
    return taken[0] if taken else None
