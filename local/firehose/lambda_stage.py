"""The transformation of one stream: records into batches, batches through the function, until there is
a verdict on each record.

A batch is as many records as the processor's size hint holds, and fewer where the encoded event would
not fit in an invocation: base64 and the JSON around it make many small records much larger. One batch is
under way at a time. A call that gives no answer (an error of the function, a throttle, a timeout, an
answer over 6 MB) is repeated `retries` times with a growing pause, then the whole batch fails. The cost
of the simplicity: a slow function delays its stream (real Firehose runs up to five calls at once), never
its clients' acknowledgements.

Source: https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from local.firehose import limits
from local.firehose.clock import Clock, backoff_seconds
from local.firehose.config import BufferHints, LambdaProcessor
from local.firehose.error_lines import error_line
from local.firehose.errors import InvocationError
from local.firehose.record import Failed, Record, Verdict
from local.firehose.transformation import encode_event, encode_record, read_response

logger = logging.getLogger(__name__)

Invoke: TypeAlias = Callable[[str, bytes], bytes]
"""(function ARN, event as JSON) → the answer as bytes. Raises InvocationError, or anything, when there is none."""


class Intake:
    """The records a source has put in and no batch has taken yet. Its owner holds the lock."""

    def __init__(self) -> None:
        self._records: deque[Record] = deque()
        self._bytes = 0

    def append(self, record: Record) -> None:
        """Put `record` behind the others."""
        self._records.append(record)
        self._bytes += len(record.data)

    def __bool__(self) -> bool:
        return bool(self._records)

    def due_at(self, hints: BufferHints, *, flush: bool) -> float | None:
        """Return when a batch is due, None while there are no records."""
        if not self._records:
            return None
        if flush or self._bytes >= hints.size_bytes:
            return 0.0
        return self._records[0].arrived_ms / 1000 + hints.interval_seconds

    def take_all(self) -> list[Record]:
        """Remove and return every record."""
        records = list(self._records)
        self._records.clear()
        self._bytes = 0
        return records

    def take_batch(self, *, size_bytes: int, encoded_bytes: int) -> tuple[list[Record], list[bytes]]:
        """Remove and return the first records that fit, at least one, and how each is encoded."""
        records: list[Record] = []
        encoded: list[bytes] = []
        raw_room, encoded_room = size_bytes, encoded_bytes
        while self._records:
            record = self._records[0]
            fragment = encode_record(record)
            raw_room -= len(record.data)
            encoded_room -= len(fragment) + len(b",")
            if records and (raw_room < 0 or encoded_room < 0):
                break
            records.append(record)
            encoded.append(fragment)
            self._bytes -= len(self._records.popleft().data)
        return records, encoded


@dataclass
class Batch:
    """Records that go to the function together, and how often they have."""

    records: list[Record]
    encoded: list[bytes]
    attempts: int = 0
    retry_at: float = 0.0


class LambdaStage:
    """One stream's calls of its function. Used by one thread at a time."""

    def __init__(
        self,
        processor: LambdaProcessor,
        *,
        stream_arn: str,
        region: str,
        invoke: Invoke,
        clock: Clock,
        source_arn: str | None = None,
    ) -> None:
        self._processor = processor
        self._encode_event = partial(encode_event, stream_arn=stream_arn, region=region, source_arn=source_arn)
        self._invoke = invoke
        self._clock = clock
        self._retrying: Batch | None = None
        self._room = limits.LAMBDA_PAYLOAD_BYTES - len(self._encode_event([]))

    def due_at(self, intake: Intake, *, flush: bool) -> float | None:
        """Return when there is something to do, None if there is nothing."""
        if self._retrying:
            return self._retrying.retry_at
        return intake.due_at(self._processor.hints, flush=flush)

    def next_batch(self, intake: Intake, *, flush: bool) -> Batch | None:
        """Return the batch that is to be tried now, taking it from `intake` unless it is a retry."""
        due_at = self.due_at(intake, flush=flush)
        if due_at is None or due_at > self._clock.now():
            return None
        if self._retrying:
            return self._retrying
        records, encoded = intake.take_batch(size_bytes=self._processor.hints.size_bytes, encoded_bytes=self._room)
        return Batch(records, encoded)

    def attempt(self, batch: Batch) -> list[Verdict] | None:
        """Call the function; return the verdicts, or None when the batch is to be tried again later."""
        batch.attempts += 1
        try:
            response = self._call(batch)
        except Exception as error:  # whatever keeps a function from answering is retried
            return self._postpone_or_fail(batch, error)
        self._retrying = None
        return read_response(response, batch.records)

    def error_line(self, record: Record, failed: Failed, *, attempts: int) -> bytes:
        """Return `record` as a line of the error output, as it came in."""
        return error_line(
            failed,
            raw=record.data,
            arrived_ms=record.arrived_ms,
            attempts=attempts,
            now=self._clock.now(),
            lambda_arn=self._processor.arn,
        )

    def _call(self, batch: Batch) -> bytes:
        response = self._invoke(self._processor.arn, self._encode_event(batch.encoded))
        if len(response) > limits.LAMBDA_PAYLOAD_BYTES:
            # What an oversized answer is to Lambda, and so what Firehose sees of it.
            raise InvocationError(
                "Lambda.FunctionError",
                "The Lambda function was successfully invoked but it returned an error result.",
            )
        return response

    def _postpone_or_fail(self, batch: Batch, error: Exception) -> list[Verdict] | None:
        logger.warning("%s: attempt %d failed: %s", self._processor.arn, batch.attempts, error)
        if batch.attempts <= self._processor.retries:
            batch.retry_at = self._clock.now() + backoff_seconds(batch.attempts)
            self._retrying = batch
            return None
        self._retrying = None
        failed = (
            Failed(error.code, error.message)
            if isinstance(error, InvocationError)
            else Failed("InternalError", f"{type(error).__name__}: {error}")
        )
        return [failed] * len(batch.records)
