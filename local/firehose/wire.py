"""The Firehose API as its clients speak it: AWS JSON 1.1, one POST per call, named by X-Amz-Target.

Pure but for the Firehose behind it: a request's target and body in, status and body out. Signatures are
not looked at, and neither is the account: whoever can connect may put.

Source: https://docs.aws.amazon.com/firehose/latest/APIReference/API_Operations.html
"""

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from local.firehose import limits
from local.firehose.describing import describe
from local.firehose.engine import Firehose
from local.firehose.errors import ApiError, not_found, service_unavailable
from local.firehose.sources.direct_put import Accepted, PutResult, Refused

TARGET_PREFIX: Final = "Firehose_20150804."
CONTENT_TYPE: Final = "application/x-amz-json-1.1"

# A parsed request body: JSON of any shape until it is checked.
Request = dict[str, Any]


@dataclass(frozen=True)
class Response:
    """An HTTP status and a body, JSON or nothing."""

    status: int
    body: bytes


def answer(firehose: Firehose, *, target: str, body: bytes) -> Response:
    """Return the answer to one call; `target` is the value of X-Amz-Target."""
    try:
        operation = _OPERATIONS.get(target.removeprefix(TARGET_PREFIX))
        if operation is None or not target.startswith(TARGET_PREFIX):
            raise ApiError("UnknownOperationException", f"The operation {target!r} is not known.")
        if operation in _PUTS:
            faulty = _misbehave(firehose, lambda: operation(firehose, _parse(body)))
            if faulty is not None:
                return faulty
        return Response(200, orjson.dumps(operation(firehose, _parse(body))))
    except ApiError as error:
        return Response(error.status, orjson.dumps({"__type": error.code, "message": error.message}))


def _misbehave(firehose: Firehose, take: Callable[[], object]) -> Response | None:
    faults = firehose.faults
    if faults.hang_seconds or faults.throttle or faults.status is not None or faults.empty:
        firehose.strike()
    if faults.hang_seconds:
        firehose.hang(faults.hang_seconds)
    if faults.throttle:
        raise service_unavailable()
    if faults.status is not None:
        if faults.taken:
            take()
        raise ApiError("InternalFailure", "An internal failure was asked for.", status=faults.status)
    return Response(200, b"") if faults.empty else None


def _put_record(firehose: Firehose, request: Request) -> object:
    (result,) = firehose.put(_stream_name(request), [_data(request.get("Record"))])
    if isinstance(result, Refused):
        raise service_unavailable(result.message)
    return {"RecordId": result.record_id, "Encrypted": False}


def _put_record_batch(firehose: Firehose, request: Request) -> object:
    records = request.get("Records")
    if not isinstance(records, list):
        raise ApiError("SerializationException", "Records must be a list.")
    results = firehose.put(_stream_name(request), [_data(record) for record in records])
    return {
        "FailedPutCount": sum(isinstance(result, Refused) for result in results),
        "Encrypted": False,
        "RequestResponses": [_describe_result(result) for result in results],
    }


def _describe_result(result: PutResult) -> dict[str, str]:
    if isinstance(result, Accepted):
        return {"RecordId": result.record_id}
    return {"ErrorCode": result.code, "ErrorMessage": result.message}


def _describe_delivery_stream(firehose: Firehose, request: Request) -> object:
    name = _stream_name(request)
    if name not in firehose.streams:
        raise not_found(name)
    return {"DeliveryStreamDescription": describe(firehose.streams[name])}


def _list_delivery_streams(firehose: Firehose, request: Request) -> object:
    least, most = limits.STREAMS_PER_LIST_RANGE
    limit = request.get("Limit", limits.STREAMS_PER_LIST)
    if not isinstance(limit, int) or not least <= limit <= most:
        raise ApiError("ValidationException", f"Limit must be between {least} and {most}, not {limit!r}.")
    after = request.get("ExclusiveStartDeliveryStreamName", "")
    names = sorted(name for name in firehose.streams if name > str(after))
    return {"DeliveryStreamNames": names[:limit], "HasMoreDeliveryStreams": len(names) > limit}


def _parse(body: bytes) -> Request:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise ApiError("SerializationException", "The body is not a JSON object.")
    return request


def _stream_name(request: Request) -> str:
    name = request.get("DeliveryStreamName")
    if not isinstance(name, str) or not name:
        raise ApiError("ValidationException", "DeliveryStreamName is missing.")
    return name


def _data(record: object) -> bytes:
    data = record.get("Data") if isinstance(record, dict) else None
    if not isinstance(data, str):
        raise ApiError("SerializationException", "A record is an object with Data in base64.")
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except ValueError as error:
        raise ApiError("SerializationException", f"Data is not base64: {error}") from error


_PUTS: Final = frozenset([_put_record, _put_record_batch])
_OPERATIONS: Final[dict[str, Callable[[Firehose, Request], object]]] = {
    "PutRecord": _put_record,
    "PutRecordBatch": _put_record_batch,
    "DescribeDeliveryStream": _describe_delivery_stream,
    "ListDeliveryStreams": _list_delivery_streams,
}
