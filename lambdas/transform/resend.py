"""For a destination that takes one document per record: the other documents of a packed record are sent once more.

Firehose gives OpenSearch one document per record, and a transformation answers each record with one. So of a record
that holds several documents the first is the answer, and each other one is put to the same stream as a record of its
own, finished, in an envelope:

    {"_sluice_resent":"<mac>","document":{...}}

It comes back to this function, which takes the envelope off and hands the document on as it is. The mac is a keyed
BLAKE2b of the document, so only what this function itself has sent is handed on unread. What merely looks like it (a
client's line, two envelopes in a record, half of one) is a record like any other, and treated as such.

It cannot loop. A record either has a valid mac, and then it is answered and nothing is sent; or it has none, and then
what is sent for it has one. Nothing is sent for what was sent: no line travels twice.

A document that is not accepted fails its whole record. Those that were accepted by then are delivered all the same,
and once more when the record is replayed: with the same event_id, as any copy.

Cost: Firehose bills each document as 5 KB at least, so what packing saved is paid after all, and a call per 500
documents or 4 MiB. A stream that is fed by Kinesis Data Streams takes no PutRecordBatch and cannot be used.
https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
https://docs.aws.amazon.com/firehose/latest/dev/create-destination.html (OpenSearch: one JSON document per record)
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING

from lambdas.transform.errors import RecordError
from lambdas.transform.limits import MAX_PUT_BYTES, MAX_PUT_RECORD_BYTES, MAX_PUT_RECORDS
from lambdas.transform.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

MARKER = b'{"_sluice_resent":"'
NOT_RESENT = "not_resent"
"""Why a record fails that holds several documents of which some could not be sent."""
ATTEMPTS = 3
PAUSE_SECONDS = 0.1
BUDGET_SECONDS = 20.0
"""How long a batch may go on trying, so that a stream out of reach cannot use up the time of the function."""
_MAC_BYTES = 16
_DOCUMENT = b'","document":'
_END = b"}"
_START = len(MARKER) + 2 * _MAC_BYTES + len(_DOCUMENT)
_ARN = re.compile(r"arn:[a-z-]{3,20}:firehose:([a-z0-9-]{1,32}):\d{12}:deliverystream/([a-zA-Z0-9_.-]{1,64})")
_FOR_GOOD = frozenset(
    {"AccessDeniedException", "InvalidArgumentException", "ResourceNotFoundException", "ValidationException"}
)


@cache
def firehose_client(region: str) -> FirehoseClient:
    """Return the process's client; what fails is tried again here and not in it."""
    import boto3  # noqa: PLC0415 - most processes never need it, and it would double a cold start
    from botocore.config import Config  # noqa: PLC0415

    retries = {"mode": "standard", "total_max_attempts": 1}
    config = Config(connect_timeout=1, read_timeout=5, retries=retries)  # type: ignore[arg-type]
    return boto3.client("firehose", region_name=region, config=config)


class Resender:
    """For one batch: takes what was sent back apart, and sends what does not fit into an answer."""

    def __init__(
        self,
        *,
        stream_arn: str,
        key: bytes,
        client: Callable[[str], FirehoseClient] = firehose_client,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send to the stream of a batch's `deliveryStreamArn`. The key is the function's secret, of any length.

        ValueError without a key: anybody could then write documents that are handed on unread.
        """
        if not key:
            raise ValueError("a Resender needs a key")
        self._stream_arn = stream_arn
        # BLAKE2b takes 64 bytes of key.
        self._key = blake2b(key, person=b"sluice resend").digest()
        self._client = client
        self._pause = pause
        self._clock = clock
        self._until = clock() + BUDGET_SECONDS

    def read(self, data: bytes) -> str | None:
        """Return the line of a document that was sent here by this function; None for any other record."""
        if not data.startswith(MARKER):
            return None
        document = data[_START : -len(_END)]
        return document.decode() + "\n" if compare_digest(self._wrap(document), data) else None

    def spread(self, documents: Sequence[str]) -> str:
        """Send all but the first line; return that. RecordError(NOT_RESENT) unless every one was accepted."""
        first, *others = documents
        if not others:
            return first
        found = _ARN.fullmatch(self._stream_arn)
        if found is None:
            raise RecordError(NOT_RESENT)
        region, stream = found.groups()
        for records in _calls(self._wrap(document.removesuffix("\n").encode()) for document in others):
            self._put(records, region=region, stream=stream)
        return first

    def _wrap(self, document: bytes) -> bytes:
        mac = blake2b(document, digest_size=_MAC_BYTES, key=self._key).hexdigest().encode()
        return MARKER + mac + _DOCUMENT + document + _END

    def _put(self, records: list[bytes], *, region: str, stream: str) -> None:
        for attempt in range(ATTEMPTS):
            if self._clock() >= self._until:
                break
            if attempt:
                self._pause(PAUSE_SECONDS * 2 ** (attempt - 1))
            records = self._refused(records, region=region, stream=stream)
            if not records:
                return
        raise RecordError(NOT_RESENT)

    def _refused(self, records: list[bytes], *, region: str, stream: str) -> list[bytes]:
        """Put records and return those that were not accepted, in their order."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see firehose_client

        try:
            response = self._client(region).put_record_batch(
                DeliveryStreamName=stream, Records=[{"Data": record} for record in records]
            )
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            logger().error("not resent", extra={"stream": stream, "records": len(records), "error": code})
            if code in _FOR_GOOD:
                raise RecordError(NOT_RESENT) from None
            return records
        if not response["FailedPutCount"]:
            return []
        answers = response["RequestResponses"]
        return [record for record, answer in zip(records, answers, strict=True) if "ErrorCode" in answer]


def _calls(records: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The records in groups that one call takes. RecordError(NOT_RESENT) for one that no call takes."""
    group: list[bytes] = []
    room = MAX_PUT_BYTES
    for record in records:
        if len(record) > MAX_PUT_RECORD_BYTES:
            raise RecordError(NOT_RESENT)
        if group and (len(group) == MAX_PUT_RECORDS or len(record) > room):
            yield group
            group, room = [], MAX_PUT_BYTES
        group.append(record)
        room -= len(record)
    if group:
        yield group
