"""The response to Firehose, kept within what Lambda may return.

Firehose wants each recordId answered once: Ok with data, Dropped, or ProcessingFailed, upon which it stores the
record as it came under the error prefix. With Ok go the keys by which it chooses the folder, where there are any.
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-partitioning-keys.html

A response that is one byte too long fails its whole batch, three times over. So the room for answering every record
with ProcessingFailed is set aside first, and each Ok may use what is left when its turn comes. Sizes are of the JSON
the Python runtime writes (`json.dumps`, with its spaces), and never less.

For the records Firehose sends the answers without data are always shorter than the request was, so they fit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, TypedDict

import pybase64

from lambdas.transform.limits import MAX_RESPONSE_BYTES
from lambdas.transform.partitions import Keys

Result = Literal["Ok", "Dropped", "ProcessingFailed"]


class Metadata(TypedDict):
    """What Firehose puts into the object's name."""

    partitionKeys: dict[str, str]


class Answer(TypedDict, total=False):
    """One record's answer; data and metadata only with Ok."""

    recordId: str
    result: Result
    data: str
    metadata: Metadata


class Response(TypedDict):
    """What a transformation returns to Firehose."""

    records: list[Answer]


_FRAME = len(json.dumps({"records": []}))
_FAILED = len(json.dumps({"recordId": "", "result": "ProcessingFailed"}) + ", ")
_OK = len(json.dumps({"recordId": "", "result": "Ok", "data": ""}) + ", ")


class Answers:
    """The answers to one batch, which always fit."""

    def __init__(self, record_ids: Iterable[str]) -> None:
        reserved = sum(_FAILED + len(json.dumps(record_id)) - 2 for record_id in record_ids)
        self._free = MAX_RESPONSE_BYTES - _FRAME - reserved
        self._answers: list[Answer] = []

    @property
    def room(self) -> int:
        """How many bytes of data an Ok may carry now. Negative when it may not even be empty."""
        return (self._free + _FAILED - _OK) // 4 * 3

    def room_beside(self, keys: Keys) -> int:
        """How many bytes of data an Ok may carry now that has these partition keys too."""
        return (self._free + _FAILED - _OK - _size(keys)) // 4 * 3

    def add_ok(self, record_id: str, data: bytes, keys: Keys = ()) -> None:
        """Answer with the data of the transformed record, no more than there is room for."""
        encoded = pybase64.b64encode_as_string(data)
        self._free -= _OK - _FAILED + len(encoded)
        answer: Answer = {"recordId": record_id, "result": "Ok", "data": encoded}
        if keys:
            self._free -= _size(keys)
            answer["metadata"] = {"partitionKeys": dict(keys)}
        self._answers.append(answer)

    def add(self, record_id: str, result: Literal["Dropped", "ProcessingFailed"]) -> None:
        """Answer without data."""
        self._answers.append({"recordId": record_id, "result": result})

    def respond(self) -> Response:
        """Give the response."""
        return {"records": self._answers}


@lru_cache(maxsize=1024)
def _size(keys: Keys) -> int:
    return len(json.dumps({"metadata": {"partitionKeys": dict(keys)}}))
