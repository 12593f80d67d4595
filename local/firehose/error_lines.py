"""A line of the error output, in Firehose's format.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
"""

from base64 import b64encode

import orjson

from local.firehose.record import Failed


def error_line(
    failed: Failed, *, raw: bytes, arrived_ms: int, attempts: int, now: float, lambda_arn: str | None = None
) -> bytes:
    """Return one failed record as a line of JSON, newline included; `now` is when its last attempt ended.

    Objects published in 2026 spell the last key `lambdaARN`, the documentation and older ones `lambdaArn`: a
    reader should take both. It is there only for what the transformation failed.
    """
    line: dict[str, object] = {
        "attemptsMade": attempts,
        "arrivalTimestamp": arrived_ms,
        "errorCode": failed.code,
        "errorMessage": failed.message,
        "attemptEndingTimestamp": int(now * 1000),
        "rawData": b64encode(raw).decode("ascii"),
    }
    if lambda_arn is not None:
        line["lambdaArn"] = lambda_arn
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
