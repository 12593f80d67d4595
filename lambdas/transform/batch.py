"""A batch from Firehose, record by record: one that cannot be transformed fails alone.

A member of the event without a recordId cannot be answered. It is reported and left out, as Firehose never sends one
and raising would fail all the others. Two members with one recordId cannot be told apart in an answer: that id is
answered once, with ProcessingFailed, so that Firehose keeps what it sent. What is no Firehose event at all raises.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Literal

from lambdas.transform.answers import Answers, Response
from lambdas.transform.decode import decode_data
from lambdas.transform.event_id import Arrival
from lambdas.transform.times import read_time

Reason = Literal[
    "no_record_id", "duplicate_record_id", "no_data", "not_base64", "response_too_large", "unexpected_error"
]
EMPTY = "empty"
"""Why a record is dropped that holds nothing but blank lines."""

Transform = Callable[[bytes, Arrival, int], Sequence[bytes]]
"""From a Firehose record's data, its arrival and the room for its documents to those documents, encoded."""


class RecordError(Exception):
    """A record that cannot be transformed, with the reason's code as its only argument."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed record, told without its content: the digest finds it among what Firehose stores under failed/."""

    record_id: str
    reason: Reason
    sha256: str
    data_bytes: int
    error: str = ""
    place: str = ""


@dataclass(slots=True)
class Tally:
    """What became of a batch: every record is delivered, failed or dropped. Bytes out are documents, before base64."""

    records: int = 0
    delivered: int = 0
    documents: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


def transform_batch(event: Mapping[str, Any], *, transform: Transform, now: str) -> tuple[Response, Tally]:
    """Transform every record of an event; one that does not say when it arrived came at `now`.

    ValueError when it is no transformation event at all.
    """
    members = event.get("records")
    if not isinstance(members, list):
        raise ValueError(
            f"not a Firehose transformation event: its members are {sorted(event)}, none is a list `records`"
        )
    counts = Counter(filter(None, map(_read_id, members)))
    answers = Answers(counts)
    tally = Tally(records=len(members))
    for member in members:
        record_id = _read_id(member)
        if record_id is None:
            tally.failures.append(_fail("", "no_record_id", member))
        elif counts[record_id] > 1:
            tally.failures.append(_fail(record_id, "duplicate_record_id", member))
        else:
            _transform_member(member, record_id=record_id, transform=transform, now=now, answers=answers, tally=tally)
    for record_id, count in counts.items():
        if count > 1:
            answers.add(record_id, "ProcessingFailed")
    return answers.respond(), tally


def _transform_member(
    member: Mapping[str, Any], *, record_id: str, transform: Transform, now: str, answers: Answers, tally: Tally
) -> None:
    arrival = Arrival(record_id=record_id, time=read_time(member.get("approximateArrivalTimestamp")) or now)
    try:
        data = _read_data(member)
        documents = transform(data, arrival, answers.room)
    # Whatever a decoder or step trips over is this record's failure and never the batch's.
    except Exception as error:
        answers.add(record_id, "ProcessingFailed")
        tally.failures.append(_explain(error, record_id=record_id, member=member))
        return
    tally.bytes_in += len(data)
    if not documents:
        answers.add(record_id, "Dropped")
        tally.dropped[EMPTY] += 1
        return
    encoded = b"".join(documents)
    answers.add_ok(record_id, encoded)
    tally.delivered += 1
    tally.documents += len(documents)
    tally.bytes_out += len(encoded)


def _read_id(member: object) -> str | None:
    record_id = member.get("recordId") if isinstance(member, Mapping) else None
    return record_id if isinstance(record_id, str) and record_id else None


def _read_data(member: Mapping[str, Any]) -> bytes:
    data = member.get("data")
    if not isinstance(data, str):
        raise RecordError("no_data")
    try:
        return decode_data(data)
    except ValueError:
        raise RecordError("not_base64") from None


def _explain(error: Exception, *, record_id: str, member: object) -> Failure:
    if isinstance(error, RecordError):
        return _fail(record_id, error.reason, member)
    # The message of an exception often quotes what it was given, so only its type and place are told.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{PurePath(frame.filename).name}:{frame.lineno}"
    return _fail(record_id, "unexpected_error", member, error=type(error).__name__, place=place)


def _fail(record_id: str, reason: Reason, member: object, *, error: str = "", place: str = "") -> Failure:
    data = member.get("data") if isinstance(member, Mapping) else None
    text = data if isinstance(data, str) else ""
    try:
        raw = decode_data(text)
    except ValueError:
        raw = text.encode("utf-8", "surrogatepass")
    return Failure(record_id, reason, sha256(raw).hexdigest(), len(raw), error, place)
