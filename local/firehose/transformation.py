"""Firehose's contract with a transformer, without the calling: an event out of records, verdicts out of
an answer.

Whatever a function answers, each record gets exactly one verdict. What the answer does to a record:

| answer | verdict |
|---|---|
| result Ok with base64 data | Ok |
| result Dropped | Dropped |
| result ProcessingFailed | Lambda.ProcessingFailedStatus |
| its recordId is missing, or there is no `records` list | Lambda.MissingRecordId |
| its recordId is there twice | Lambda.DuplicatedRecordId |
| Ok without data | Lambda.InvalidReturnFormat |
| any result has another value, or any data is not base64 | Lambda.FunctionError for the whole batch |
| not JSON | Lambda.JsonProcessingException for the whole batch |
| a recordId that was not sent | ignored |

An answer is final: only a call that gave none is repeated. Sources: the status model on
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html and the codes on
https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html. Where these are
silent (no list, an invalid value, attempts on a malformed answer) it follows error objects that users of
the real service have published, e.g. https://github.com/floci-io/floci/pull/3393.
"""

import binascii
import uuid
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence

import orjson

from local.firehose.record import Dropped, Failed, Ok, Record, Verdict

_MISSING = Failed(
    "Lambda.MissingRecordId",
    "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
)
_DUPLICATED = Failed(
    "Lambda.DuplicatedRecordId",
    "Multiple records were returned with the same record Id. "
    "Ensure that the Lambda function returns a unique record Id for each record.",
)
_PROCESSING_FAILED = Failed("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
_NO_DATA = Failed("Lambda.InvalidReturnFormat", "The data field cannot be null when the processing result is Ok.")
_NOT_JSON = Failed(
    "Lambda.JsonProcessingException",
    "There was an error parsing returned records from the Lambda function. "
    "Ensure that the returned records follow the status model required by Firehose.",
)
_WRONG_FORMAT = Failed(
    "Lambda.FunctionError",
    "Check your function and make sure the output is in required format. In addition to that, make sure "
    "the processed records contain valid result status of Dropped, Ok, or ProcessingFailed",
)


def encode_record(record: Record) -> bytes:
    """Return the record as it stands in an event's `records`."""
    return orjson.dumps(
        {
            "recordId": record.record_id,
            "approximateArrivalTimestamp": record.arrived_ms,
            "data": b64encode(record.data).decode("ascii"),
        }
    )


def encode_event(encoded_records: Sequence[bytes], *, stream_arn: str, region: str) -> bytes:
    """Return the invocation payload; each call has an invocationId of its own, a repeated one too."""
    return orjson.dumps(
        {
            "invocationId": str(uuid.uuid4()),
            "deliveryStreamArn": stream_arn,
            "region": region,
            "records": [orjson.Fragment(encoded) for encoded in encoded_records],
        }
    )


def read_response(response: bytes, records: Sequence[Record]) -> list[Verdict]:
    """Return the verdict on each of `records`, in their order."""
    try:
        answer = orjson.loads(response)
    except orjson.JSONDecodeError:
        return [_NOT_JSON] * len(records)
    returned = answer.get("records") if isinstance(answer, dict) else None
    entries = [
        entry
        for entry in (returned if isinstance(returned, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("recordId"), str)
    ]
    times_returned = Counter(entry["recordId"] for entry in entries)
    verdicts = {entry["recordId"]: _judge(entry) for entry in entries}
    if _WRONG_FORMAT in verdicts.values():
        return [_WRONG_FORMAT] * len(records)
    return [
        _DUPLICATED if times_returned[record.record_id] > 1 else verdicts.get(record.record_id, _MISSING)
        for record in records
    ]


def _judge(entry: dict[str, object]) -> Verdict:
    match entry.get("result"), entry.get("data"):
        case "Dropped", _:
            return Dropped()
        case "ProcessingFailed", _:
            return _PROCESSING_FAILED
        case "Ok", None:
            return _NO_DATA
        case "Ok", str(data):
            return _decode(data)
        case _:
            return _WRONG_FORMAT


def _decode(data: str) -> Verdict:
    try:
        return Ok(binascii.a2b_base64(data, strict_mode=True))
    except ValueError:
        return _WRONG_FORMAT
