"""Requests to OpenSearch that wait for a cluster which is not there yet, and errors that say what was asked.

A domain that has just been made answers 503 while its nodes form, and 403 until its access control knows who may do
what; a data access policy of a collection takes a minute too. So both are waited for: 403 for as long as the caller
says, the rest for as long as it has. Every request here can be made twice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from opensearchpy import OpenSearch
from opensearchpy.exceptions import SerializationError, TransportError

from lambdas.search.client import SECONDS

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 15.0
REASON_LENGTH: Final = 400
NO_ANSWER: Final = 0
"""The status of a request that got no answer."""
OK: Final = 200
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
CONFLICT: Final = 409
_WAITED_FOR: Final = frozenset({NO_ANSWER, 429, 502, 503, 504})
# AWS's answer to a wrong signature holds all that was signed, the session's token too.
_SIGNED: Final = re.compile(r"(?s)\s*The Canonical String for this request.*|x-amz-security-token:\S+")


class ClusterError(Exception):
    """What OpenSearch refused, or that it did not answer: request, status and its reason."""

    def __init__(self, method: str, path: str, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"{method} {path}: {status or 'no answer'}: {reason}")


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when there is time, by the clock that it is given."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @property
    def remaining(self) -> float:
        """Seconds that are left; 0 at least."""
        return max(0.0, self.at - self.clock())


class Cluster:
    """A cluster, or a collection, and the time that there is for it."""

    def __init__(
        self,
        client: OpenSearch,
        *,
        deadline: Deadline,
        forbidden_seconds: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._allowed_at = max(0.0, deadline.remaining - forbidden_seconds)
        self._sleep = sleep

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever JSON it answers
        """Return the answer's body; ClusterError when it is an error, waiting where that may help."""
        wait = FIRST_WAIT
        while True:
            try:
                return self._send(method, path, body=body, params=params, headers=headers)
            except ClusterError as error:
                if not self._may_pass(error.status) or self._deadline.remaining <= wait:
                    raise
            self._sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    def find(self, method: str, path: str, *, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - as call
        """Return what call does, or None where there is no such thing."""
        try:
            return self.call(method, path, headers=headers)
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def _may_pass(self, status: int) -> bool:
        if status == FORBIDDEN:
            return self._deadline.remaining > self._allowed_at
        return status in _WAITED_FOR

    def _send(self, method: str, path: str, **request: Any) -> Any:  # noqa: ANN401 - passed on as they are
        timeout = min(float(SECONDS), max(1.0, self._deadline.remaining))
        try:
            answer = self._client.transport.perform_request(method, path, timeout=timeout, **request)
        except TransportError as error:
            raise ClusterError(method, path, _status(error), _reason(error)) from None
        except SerializationError:  # the page of a proxy, or of a sign-in
            raise ClusterError(method, path, OK, "the answer is no JSON") from None
        if answer is False:  # to HEAD, which has no reason in it
            raise ClusterError(method, path, NOT_FOUND, "not found")
        return answer


def _status(error: TransportError) -> int:
    return error.status_code if isinstance(error.status_code, int) else NO_ANSWER


def _reason(error: TransportError) -> str:
    told = error.info
    if _status(error) == NO_ANSWER:
        told = type(told).__name__ if isinstance(told, Exception) else error.error
    while isinstance(told, dict):
        cause = _root(told.get("caused_by"))
        told = next((told[key] for key in ("error", "reason", "message", "Message") if told.get(key)), str(told))
        if cause:
            told = f"{cause} ({told})"
    return _SIGNED.sub("", str(told))[:REASON_LENGTH]


def _root(cause: object) -> str | None:
    """What caused what caused an error, down to the bottom, where it says what is wrong."""
    reason = None
    while isinstance(cause, dict):
        reason = cause.get("reason") or reason
        cause = cause.get("caused_by")
    return reason
