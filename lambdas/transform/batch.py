"""A batch from Firehose, record by record: one that cannot be transformed fails alone.

A member of the event without a recordId cannot be answered. It is reported and left out, as Firehose never sends one
and raising would fail all the others. Two members with one recordId cannot be told apart in an answer: that id is
answered once, with ProcessingFailed, so that Firehose keeps what it sent. What is no Firehose event at all raises.

All records are looked at before the first is answered, for a line that was cut may have its parts in several, and a
stack trace its lines. Their base64 is undone for that and once more when it is their turn, which costs less than
keeping them all would.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from lambdas.transform.answers import Answers, Response
from lambdas.transform.decode import decode_data
from lambdas.transform.document import Document
from lambdas.transform.errors import RecordError
from lambdas.transform.event_id import Arrival
from lambdas.transform.gathered import Gathered
from lambdas.transform.groups import Group, choose
from lambdas.transform.partial import Parts
from lambdas.transform.partitions import Keys
from lambdas.transform.pipeline import Pipeline
from lambdas.transform.resend import MARKER, NOT_RESENT, Resender
from lambdas.transform.tally import Counts, Failure, Tally
from lambdas.transform.times import read_time

EMPTY = "empty"
"""Why a record is dropped that holds nothing but blank lines."""
BY_RULE = "by_rule"
"""Why a record is dropped whose lines are, one at least."""
JOINED = "joined"
"""Why a record is dropped whose lines are all parts of a line that another record holds."""
_Answer = tuple[bytes, Keys]
"""What a record is answered with: documents, none when it is dropped, and their partition keys."""


def transform_batch(
    event: Mapping[str, Any], *, pipeline: Pipeline, now: str, resender: Resender | None = None
) -> tuple[Response, Tally]:
    """Transform every record of an event; one that does not say when it arrived came at `now`.

    A pipeline that divides a record's documents needs a resender, which sends what is not in the record's answer.
    ValueError when it is no transformation event at all.
    """
    members = event.get("records")
    if not isinstance(members, list):
        raise ValueError(
            f"not a Firehose transformation event: its members are {sorted(event)}, none is a list `records`"
        )
    ids = Counter(filter(None, map(_read_id, members)))
    answers = Answers(ids)
    tally = Tally(records=len(members))
    records: dict[int, _Record] = {}

    def record_of(number: int) -> _Record:
        if number not in records:
            records[number] = _open(members[number], ids=ids, now=now)
        return records[number]

    def read(number: int) -> Iterable[list[Document]]:
        record = record_of(number)
        return pipeline.read(_read_data(record.member), record.arrival, record.counts)

    parts = Parts(map(_peek, members) if pipeline.joins else (), read)
    seen = ((_peek(member), _origin(member)) for member in members)
    lines = Gathered(seen if pipeline.joins else (), parts.read)
    for number in range(len(members)):
        record = record_of(number)
        answer = None
        if not record.failure:
            blocks = partial(lines.read, number)
            answer = _transform(record, blocks, pipeline=pipeline, answers=answers, resender=resender)
            record.counts.joined += parts.joined[number] + lines.joined[number]
        if answer is not None:
            parts.delivered(number)
            lines.delivered(number)
        _answer(record, answer, answers=answers, tally=tally)
        del records[number]
    for record_id, count in ids.items():
        if count > 1:
            answers.add(record_id, "ProcessingFailed")
    return answers.respond(), tally


@dataclass(slots=True)
class _Record:
    """A member of the event, and what becomes of it; one that is not unique has no id to answer to."""

    member: object
    record_id: str
    arrival: Arrival
    failure: Failure | None = None
    counts: Counts = field(default_factory=Counts)


def _open(member: object, *, ids: Counter[str], now: str) -> _Record:
    record_id = _read_id(member)
    record = _Record(member, record_id or "", Arrival(record_id or "", _read_arrival(member) or now))
    if record_id is None:
        record.failure = _fail("", "no_record_id", member)
    elif ids[record_id] > 1:
        record.failure = _fail(record_id, "duplicate_record_id", member)
        record.record_id = ""
    return record


def _read_arrival(member: object) -> str | None:
    arrived = member.get("approximateArrivalTimestamp") if isinstance(member, Mapping) else None
    return _arrived(arrived) if type(arrived) is int else read_time(arrived)


@lru_cache(maxsize=1024)
def _arrived(milliseconds: int) -> str | None:
    """The records of a batch came in few milliseconds."""
    return read_time(milliseconds)


def _peek(member: object) -> bytes | None:
    """The data in which to look for parts; None where there are none, or where its own turn will tell."""
    try:
        data = _read_data(member)
    except RecordError:
        return None
    return None if data.startswith(MARKER) else data


def _origin(member: object) -> Hashable:
    """What a record came with: the record of a data stream that it is of, if any.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
    """
    metadata = member.get("kinesisRecordMetadata") if isinstance(member, Mapping) else None
    if not isinstance(metadata, Mapping):
        return None
    return str(metadata.get("shardId")), str(metadata.get("sequenceNumber"))


def _transform(
    record: _Record,
    read: Callable[[], Iterable[list[Document]]],
    *,
    pipeline: Pipeline,
    answers: Answers,
    resender: Resender | None,
) -> _Answer | None:
    """What a record is answered with, no more than there is room for; None when it failed."""
    counts, room = record.counts, answers.room
    try:
        if resender and (returned := resender.read(_read_data(record.member))) is not None:
            counts.returned = returned.documents
            group, others = choose((returned,))
        else:
            group, others = choose(pipeline.write(read(), room, counts))
        text = "".join(group.lines)
        group.lines.clear()
        data, keys = text.encode(), group.keys
        if len(data) > (answers.room_beside(keys) if keys else room):
            raise RecordError("response_too_large")
        counts.documents = group.documents
        if others:
            counts.resent = _send(others, resender)
    # Whatever a decoder or step trips over is this record's failure and never the batch's.
    except Exception as error:
        record.failure = _explain(error, record_id=record.record_id, member=record.member)
        return None
    return data, keys


def _send(groups: Sequence[Group], resender: Resender | None) -> int:
    """Send groups once more. Return how many documents they are."""
    if resender is None:
        raise RecordError(NOT_RESENT)
    resender.send(groups)
    return sum(group.documents for group in groups)


def _answer(record: _Record, answer: _Answer | None, *, answers: Answers, tally: Tally) -> None:
    if record.failure or answer is None:
        if record.failure:
            tally.failures.append(record.failure)
        if record.record_id:
            answers.add(record.record_id, "ProcessingFailed")
        return
    data, keys = answer
    tally.bytes_in += _size(record.member)
    tally.bytes_out += len(data)
    tally.counts.merge(record.counts)
    if data:
        answers.add_ok(record.record_id, data, keys)
        tally.delivered += 1
    else:
        answers.add(record.record_id, "Dropped")
        tally.dropped[BY_RULE if record.counts.dropped else JOINED if record.counts.joined else EMPTY] += 1


def _read_id(member: object) -> str | None:
    record_id = member.get("recordId") if isinstance(member, Mapping) else None
    return record_id if isinstance(record_id, str) and record_id else None


def _read_data(member: object) -> bytes:
    data = member.get("data") if isinstance(member, Mapping) else None
    if not isinstance(data, str):
        raise RecordError("no_data")
    try:
        return decode_data(data)
    except ValueError:
        raise RecordError("not_base64") from None


def _size(member: object) -> int:
    """The bytes that base64 stands for."""
    data = member["data"] if isinstance(member, Mapping) else ""
    return len(data) // 4 * 3 - data.count("=", -2)


def _explain(error: Exception, *, record_id: str, member: object) -> Failure:
    if isinstance(error, RecordError):
        return _fail(record_id, error.reason, member)
    # The message of an exception often quotes what it was given, so only its type and place are told.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{PurePath(frame.filename).name}:{frame.lineno}"
    return _fail(record_id, "unexpected_error", member, error=type(error).__name__, place=place)


def _fail(record_id: str, reason: str, member: object, *, error: str = "", place: str = "") -> Failure:
    data = member.get("data") if isinstance(member, Mapping) else None
    text = data if isinstance(data, str) else ""
    try:
        raw = decode_data(text)
    except ValueError:
        raw = text.encode("utf-8", "surrogatepass")
    return Failure(record_id, reason, sha256(raw).hexdigest(), len(raw), error, place)
