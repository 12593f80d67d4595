"""Firehose's contract with a transformer, without the calling: an event out of records, verdicts out of
an answer.

Whatever a function answers, each record gets exactly one verdict. What the answer does to a record:

| answer | verdict |
|---|---|
| result Ok with base64 data | Ok, with the texts, numbers and booleans of its `metadata.partitionKeys` |
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
the real service have published, e.g. https://github.com/floci-io/floci/pull/3393. A record that was read from a data
stream has `kinesisRecordMetadata` as events of the real service show it: a plain record's subsequenceNumber is 0.
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
    entry: dict[str, object] = {
        "recordId": record.record_id,
        "approximateArrivalTimestamp": record.arrived_ms,
        "data": b64encode(record.data).decode("ascii"),
    }
    if record.origin is not None:
        entry["kinesisRecordMetadata"] = {
            "sequenceNumber": record.origin.sequence_number,
            "subsequenceNumber": record.origin.subsequence_number,
            "partitionKey": record.origin.partition_key,
            "shardId": record.origin.shard_id,
            "approximateArrivalTimestamp": record.arrived_ms,
        }
    return orjson.dumps(entry)


def encode_event(
    encoded_records: Sequence[bytes], *, stream_arn: str, region: str, source_arn: str | None = None
) -> bytes:
    """Return the invocation payload; each call has an invocationId of its own, a repeated one too.

    `source_arn` is the data stream that the delivery stream reads, if it reads one.
    """
    event: dict[str, object] = {"invocationId": str(uuid.uuid4())}
    if source_arn is not None:
        event["sourceKinesisStreamArn"] = source_arn
    event |= {
        "deliveryStreamArn": stream_arn,
        "region": region,
        "records": [orjson.Fragment(encoded) for encoded in encoded_records],
    }
    return orjson.dumps(event)


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
            return _decode(data, _partition_keys(entry.get("metadata")))
        case _:
            return _WRONG_FORMAT


def _partition_keys(metadata: object) -> dict[str, str]:
    keys = metadata.get("partitionKeys") if isinstance(metadata, dict) else None
    if not isinstance(keys, dict):
        return {}
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in keys.items()
        if isinstance(value, str | int | float)
    }


def _decode(data: str, partition_keys: dict[str, str]) -> Verdict:
    try:
        return Ok(binascii.a2b_base64(data, strict_mode=True), partition_keys)
    except ValueError:
        return _WRONG_FORMAT
