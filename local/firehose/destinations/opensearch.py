"""Documents in OpenSearch: one bulk request per buffer, and a backup for what OpenSearch does not take.

Records are gathered until their bytes reach the size hint or the first has waited for the interval, then become one
`_bulk` of `index` actions without ids, each for the index of its record's arrival. A record must be one JSON object on
one line; any other is not sent at all and fails with ES.MalformedData.

A bulk that gets no answer, or any but 200, is sent again with a growing pause; so are the items of a bulk that failed,
and they alone. Each bulk keeps its own time: one that fails holds up none behind it. What has not arrived when
`retry_seconds` have passed since the bulk was first tried, and a last try failed, goes to the backup.

That holds for documents that OpenSearch refuses (400, a mapping conflict) too: AWS documents that whatever fails is
tried until the retry duration is over and knows no exception for OpenSearch, while it does name one for Snowflake.
With `retry_refused=False` such documents go to the backup at once, for runs that nobody wants to wait for.

The backup, `errors`, is an `S3Output` under the error prefix of the stream's S3 configuration, whose error type is
`OPENSEARCH_FAILED`. What fails is added to it as the same `Outgoing` with the line as data and the error code as
`failure`; it is settled when that line is written. This destination drives its backup: `work` also writes that, and
returns what has arrived in either place, each record exactly once. It does no harm if a stream drives it too.

At least once, as the real one without document ids: a bulk whose answer got lost is indexed again. `post` is called
in the stream's worker and may block; it is bounded by its own timeouts. What is not imitated: the real service sends
several bulks at a time. Its codes are not all documented: where nothing answered, this says ES.ServiceException.

Sources, below https://docs.aws.amazon.com/firehose/latest/dev/: retry.html (format, retries), troubleshooting.html
(retries), basic-deliver.html (single-line JSON objects), es-index-rotation.html (names).
"""

import logging
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, TypeAlias, assert_never

import orjson
import urllib3

from local.firehose.clock import Clock, backoff_seconds
from local.firehose.config import OpenSearchDestination, Rotation
from local.firehose.destinations import Destination
from local.firehose.record import Failed, Outgoing

logger = logging.getLogger(__name__)

OPENSEARCH_FAILED: Final = "AmazonOpenSearchService-failed"
"""The error type of the backup's prefix, as S3BackupMode of the API reference spells it."""

MALFORMED: Final = Failed(
    "ES.MalformedData",
    "One or more records are malformed. Please ensure that each record is single valid JSON-object and that it "
    "doesn't contain newlines.",
)
NO_ANSWER: Final = "ES.ServiceException"

PostBulk: TypeAlias = Callable[[bytes], tuple[int, bytes]]
"""A bulk request's body → status and body of the answer. Raises anything when there is none."""

_REFUSALS: Final = frozenset(range(400, 500)) - {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_BLANKS: Final = b" \t\r\n"
_MESSAGE_CHARACTERS: Final = 2000
_LOGGED_CHARACTERS: Final = 200
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=60)


def post_to(endpoint: str) -> PostBulk:
    """Return what posts bulks to the OpenSearch at `endpoint`, over one kept connection."""
    pool = urllib3.PoolManager(maxsize=1)
    headers = {"content-type": "application/x-ndjson"}

    def post(body: bytes) -> tuple[int, bytes]:
        answer = pool.request(
            "POST", f"{endpoint.rstrip('/')}/_bulk", body=body, headers=headers, timeout=_TIMEOUT, retries=False
        )
        return answer.status, answer.data

    return post


class _Refused(Failed):
    """OpenSearch does not want this document, today or later, whatever happens to the others."""


@dataclass(frozen=True, slots=True)
class _Item:
    """A record as one action of a bulk: where it goes, and the lines it takes there."""

    outgoing: Outgoing
    index: str
    lines: bytes


@dataclass
class _Bulk:
    """Items that are sent together, and how that has gone so far."""

    items: list[_Item]
    attempts: int = 0
    first_tried_at: float = 0.0
    retry_at: float = 0.0


class OpenSearchOutput:
    """A buffer of records that becomes bulk requests, with the backup of those that fail."""

    def __init__(
        self,
        destination: OpenSearchDestination,
        *,
        post: PostBulk,
        errors: Destination,
        clock: Clock,
        retry_refused: bool = True,
    ) -> None:
        self._destination = destination
        self._post = post
        self._errors = errors
        self._clock = clock
        self._retry_refused = retry_refused
        self._filling: list[_Item] = []
        self._size = 0
        self._opened_at = 0.0
        self._sealed: list[_Bulk] = []

    def add(self, outgoing: Outgoing) -> None:
        """Take `outgoing` into the bulk that is being filled, or to the backup if it is no document."""
        index = index_name(self._destination.index, self._destination.rotation, arrived_ms=outgoing.arrived_ms)
        document = outgoing.data.strip(_BLANKS)
        if not _is_document(document):
            self._fail(_Item(outgoing, index, b""), MALFORMED, attempts=0)
            return
        if not self._filling:
            self._opened_at = self._clock.now()
        action = orjson.dumps({"index": {"_index": index}})
        self._filling.append(_Item(outgoing, index, b"%b\n%b\n" % (action, document)))
        self._size += len(document)
        if self._size >= self._destination.hints.size_bytes:
            self._seal()

    def work(self, *, flush: bool) -> list[Outgoing]:
        """Send the bulks that are due, and write the backup's objects that are; return what has arrived."""
        if self._filling and (flush or self._closes_at() <= self._clock.now()):
            self._seal()
        arrived: list[Outgoing] = []
        for bulk in [bulk for bulk in self._sealed if bulk.retry_at <= self._clock.now()]:
            arrived += self._attempt(bulk)
        self._sealed = [bulk for bulk in self._sealed if bulk.items]
        return arrived + self._errors.work(flush=flush)

    def due_at(self, *, flush: bool) -> float | None:
        """Return when the next bulk or object of the backup is due, None if there is none."""
        due = [bulk.retry_at for bulk in self._sealed]
        if self._filling:
            due.append(0.0 if flush else self._closes_at())
        backup = self._errors.due_at(flush=flush)
        return min(due if backup is None else [*due, backup], default=None)

    def _closes_at(self) -> float:
        return self._opened_at + self._destination.hints.interval_seconds

    def _seal(self) -> None:
        self._sealed.append(_Bulk(self._filling))
        self._filling, self._size = [], 0

    def _attempt(self, bulk: _Bulk) -> list[Outgoing]:
        """Send `bulk` once; return what has arrived, and leave in it what is to be tried again."""
        if not bulk.attempts:
            bulk.first_tried_at = self._clock.now()
        bulk.attempts += 1
        verdicts = self._send(bulk)
        now = self._clock.now()
        ends_at = bulk.first_tried_at + self._destination.retry_seconds
        arrived: list[Outgoing] = []
        remaining: list[_Item] = []
        for item, failed in zip(bulk.items, verdicts, strict=True):
            if failed is None:
                arrived.append(item.outgoing)
            elif now >= ends_at or (isinstance(failed, _Refused) and not self._retry_refused):
                self._fail(item, failed, attempts=bulk.attempts)
            else:
                remaining.append(item)
        for failed in [failed for failed in verdicts if failed is not None][:1]:
            counts = (len(arrived), len(bulk.items), len(remaining))
            why = f"{failed.code}: {failed.message[:_LOGGED_CHARACTERS]}"
            logger.warning("attempt %d: %d of %d arrived, %d to be tried again; %s", bulk.attempts, *counts, why)
        bulk.items = remaining
        # The last try is when the time is over, not up to a whole pause earlier.
        bulk.retry_at = min(now + backoff_seconds(bulk.attempts), ends_at)
        return arrived

    def _send(self, bulk: _Bulk) -> list[Failed | None]:
        """What became of each item, None for one that arrived."""
        try:
            status, body = self._post(b"".join(item.lines for item in bulk.items))
        except Exception as error:  # whatever keeps a bulk from being answered is retried
            return [Failed(NO_ANSWER, _shortened(f"{type(error).__name__}: {error}"))] * len(bulk.items)
        if status != HTTPStatus.OK:
            return [Failed(str(status), _shortened(body.decode(errors="replace")))] * len(bulk.items)
        return _read(body, expected=len(bulk.items))

    def _fail(self, item: _Item, failed: Failed, *, attempts: int) -> None:
        record = item.outgoing
        line = orjson.dumps(
            {
                "attemptsMade": attempts,
                "arrivalTimestamp": record.arrived_ms,
                "errorCode": failed.code,
                "errorMessage": failed.message,
                "attemptEndingTimestamp": int(self._clock.now() * 1000),
                "esDocumentId": None,
                "esIndexName": item.index,
                "esTypeName": "",
                "rawData": b64encode(record.data).decode("ascii"),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        self._errors.add(replace(record, data=line, failure=failed.code, error_type=OPENSEARCH_FAILED))


def index_name(index: str, rotation: Rotation, *, arrived_ms: int) -> str:
    """Return the index that a record goes to, by its arrival in UTC.

    Weeks begin on Sunday, and a year's first is the one with its first Saturday: so the page says, whose
    example (2016-02-25 is in w08) counts as ISO 8601 does and is off by one from that.
    """
    at = datetime.fromtimestamp(arrived_ms / 1000, UTC)
    match rotation:
        case "NoRotation":
            return index
        case "OneHour":
            return f"{index}-{at:%Y-%m-%d-%H}"
        case "OneDay":
            return f"{index}-{at:%Y-%m-%d}"
        case "OneWeek":
            saturday = at + timedelta(days=6 - at.isoweekday() % 7)
            return f"{index}-{saturday:%Y}-w{(saturday.timetuple().tm_yday + 6) // 7:02d}"
        case "OneMonth":
            return f"{index}-{at:%Y-%m}"
        case _:
            assert_never(rotation)


def _is_document(data: bytes) -> bool:
    if b"\n" in data:
        return False
    try:
        return isinstance(orjson.loads(data), dict)
    except orjson.JSONDecodeError:
        return False


def _read(body: bytes, *, expected: int) -> list[Failed | None]:
    """The verdicts in an answer to a bulk of `expected` items. One that is not understood fails them all."""
    try:
        items: list[Any] = [next(iter(item.values())) for item in orjson.loads(body)["items"]]
        verdicts = [_verdict(int(item["status"]), item) for item in items]
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError, AttributeError, StopIteration):
        verdicts = []
    if len(verdicts) != expected:
        message = _shortened(f"not an answer to a bulk of {expected}: {body.decode(errors='replace')}")
        return [Failed(NO_ANSWER, message)] * expected
    return verdicts


def _verdict(status: int, item: dict[str, Any]) -> Failed | None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    kind = _Refused if status in _REFUSALS else Failed
    return kind(str(status), _shortened(orjson.dumps(item.get("error")).decode()))


def _shortened(message: str) -> str:
    return message if len(message) <= _MESSAGE_CHARACTERS else message[:_MESSAGE_CHARACTERS] + "…"
