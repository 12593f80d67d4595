"""What a route does to each Firehose record: decode → parse → join → steps → rules → encode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lambdas.transform.decode import Dropped, Record, unwrap
from lambdas.transform.delay import make_delay
from lambdas.transform.document import Document, Encode, encode
from lambdas.transform.errors import RecordError
from lambdas.transform.event_id import Arrival
from lambdas.transform.groups import Divide, Group, Groups, make_divide, together
from lambdas.transform.limits import MAX_DOCUMENT_BYTES
from lambdas.transform.multiline import join_stack_traces
from lambdas.transform.oversize import fit, is_oversize
from lambdas.transform.parse.block import read_block
from lambdas.transform.parse.record import parse
from lambdas.transform.partitions import Partitions
from lambdas.transform.rules import Rules, compile_rules
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.settings import Settings
from lambdas.transform.spec import Oversize
from lambdas.transform.steps import MULTILINE, Step, make_steps
from lambdas.transform.store import Store, open_store
from lambdas.transform.tally import Counts

_SURELY_FITS = MAX_DOCUMENT_BYTES // 4
"""Characters: one takes four bytes at most."""


_TOGETHER = 256
"""Documents that go through the steps together."""


class Pipeline:
    """The steps and rules of a route, made once and run on every record."""

    def __init__(
        self,
        *,
        steps: Sequence[Step],
        joins: bool,
        rules: Rules,
        oversize: Oversize,
        store: Store,
        encode: Encode = encode,
        divide: Divide = together,
    ) -> None:
        self._steps = steps
        self.joins = joins
        self._rules = rules
        self._encode = encode
        self._divide = divide
        self._oversize = oversize
        self._store = store

    def read(self, data: bytes, arrival: Arrival, counts: Counts) -> Iterator[list[Document]]:
        """Read a record's documents, block by block, as they were before any step. RecordError as unwrap."""
        apart: list[Document] = []  # records that came taken apart, such as CloudWatch's events
        for block in unwrap(data):
            if type(block) is Record:
                counts.lines += 1
                apart.append(parse(block.members, arrival, block.rewritten))
                if len(apart) < _TOGETHER:
                    continue
            if apart:
                yield self._join(apart, counts) if self.joins else apart
                apart = []
            if type(block) is bytes:
                for documents in read_block(block, arrival):
                    counts.lines += len(documents)
                    yield self._join(documents, counts) if self.joins else documents
            elif type(block) is Dropped:
                counts.lines += 1
                counts.drop(block.rule)
        if apart:
            yield self._join(apart, counts) if self.joins else apart

    def write(self, blocks: Iterable[list[Document]], room: int, counts: Counts) -> Sequence[Group]:
        """Run the steps and rules on what was read, and write what remains as lines of JSON, in the route's groups.

        RecordError as soon as they need more bytes than there is room for, so that a record of tiny lines, which grow
        most, costs no more than any other.
        """
        groups = self._divide(counts)
        for documents in blocks:
            while documents:
                # A few at a time, which then are let go: what is understood of a line takes more memory than the line.
                some = documents[:_TOGETHER]
                del documents[:_TOGETHER]
                for step in self._steps:
                    step(some)
                if self._rules:
                    self._rules.apply(some, counts.redacted)
                room -= self._write(some, counts, groups)
                if room < 0:
                    raise RecordError("response_too_large")
        return groups.take()

    def _write(self, documents: Sequence[Document], counts: Counts, groups: Groups) -> int:
        """Write documents into their groups. Return how many characters they are."""
        kept = [document for document in documents if document.dropped_by is None]
        if len(kept) < len(documents):
            for document in documents:
                if document.dropped_by is not None:
                    counts.drop(document.dropped_by)
        encode = self._encode
        lines = [encode(document) for document in kept]
        sizes = list(map(len, lines))
        if max(sizes, default=0) <= _SURELY_FITS:
            groups.add(kept, lines)
            return sum(sizes)
        size = 0
        for document, line in zip(kept, lines, strict=True):
            fitted = self._fit(document, line, counts) if is_oversize(line) else [line]
            groups.add([document], fitted)
            size += sum(map(len, fitted))
        return size

    def _join(self, documents: list[Document], counts: Counts) -> list[Document]:
        joined = join_stack_traces(documents)
        counts.joined += len(documents) - len(joined)
        return joined

    def _fit(self, document: Document, line: str, counts: Counts) -> list[str]:
        lines = fit(document, line, oversize=self._oversize, store=self._store, encode=self._encode)
        if len(lines) > 1:
            counts.parts += len(lines) - 1
        else:
            counts.truncated += 1
        return lines


def make_pipeline(settings: Settings, *, store: Store | None = None, key: RedactionKey | None = None) -> Pipeline:
    """Make what the settings say. It makes no call; KeyError for a step or format that there is not."""
    partitions = Partitions(settings.partition_by) if settings.partition_by else None
    steps = make_steps(settings.steps, formats=settings.formats)
    return Pipeline(
        steps=steps if settings.shape == "stored" else (*steps, make_delay()),
        joins=MULTILINE in settings.steps,
        rules=compile_rules(settings, key=key),
        oversize=settings.oversize,
        store=store or open_store(bucket=settings.bucket, route=settings.route),
        encode=make_encoder(settings),
        divide=make_divide(partitions=partitions, one_each=settings.resends),
    )


def make_encoder(settings: Settings) -> Encode:
    """Make what writes a document as a line, in the shape that the settings say."""
    if settings.shape == "stored":
        return encode
    from lambdas.transform.searchable import make_searchable  # noqa: PLC0415 - only routes to OpenSearch pay it

    return make_searchable(frozenset(settings.numbers))
