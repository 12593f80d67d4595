"""The answer that CloudFormation waits for, without which a stack hangs for an hour.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html: JSON of 4096 bytes at most, put
to a presigned address. That address is a secret as long as it lasts, so no error and no log line names it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3

REASON_BYTES: Final = 1000
DATA_BYTES: Final = 1500
ATTEMPTS: Final = 5
SECONDS: Final = 5.0
FIRST_WAIT: Final = 0.5
_REDIRECT: Final = 300
_SERVER_ERROR: Final = 500


class AnswerError(Exception):
    """CloudFormation's address did not take the answer. Lambda invokes the function again, which may succeed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request. Without a reason it succeeded."""

    physical_id: str
    data: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def send(event: Mapping[str, Any], answer: Answer, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Give the answer. AnswerError when that is not possible; takes half a minute at the most."""
    data = {key: _cut(value, DATA_BYTES) for key, value in answer.data.items()}
    told = {
        "Status": "FAILED" if answer.reason else "SUCCESS",
        "Reason": _cut(answer.reason, REASON_BYTES),
        "PhysicalResourceId": answer.physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    _put(str(event["ResponseURL"]), json.dumps(told).encode(), sleep=sleep)


def _put(url: str, body: bytes, *, sleep: Callable[[float], None]) -> None:
    pool = urllib3.PoolManager(retries=False, timeout=SECONDS)
    told = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(FIRST_WAIT * 2.0 ** (attempt - 1))
        try:
            # The address is signed for an empty content-type.
            status = pool.request("PUT", url, body=body, headers={"content-type": ""}).status
        except urllib3.exceptions.HTTPError as error:
            told = type(error).__name__
            continue
        if status < _REDIRECT:
            return
        told = f"status {status}"
        if status < _SERVER_ERROR:
            break
    raise AnswerError(f"CloudFormation's address did not take the answer: {told}")


def _cut(text: str, most: int) -> str:
    data = text.encode("utf-8", "backslashreplace")
    return text if len(data) <= most else data[: most - 3].decode("utf-8", "ignore") + "…"
