"""Documents that cannot be in the answer to their record are sent to the route's own stream once more.

Firehose gives OpenSearch one document per record, and puts a record into one folder of the bucket; and a transformation
answers each record with one. So of a record that holds several groups of documents one is the answer (groups), and each
other one is put to the same stream as a record of its own, finished, in an envelope:

    {"_sluice_resent":"<mac>","documents":2,"keys":{"service":"web"}}
    {...}
    {...}

It comes back to this function, which takes the envelope off and hands the documents on as they are, with their keys.
The mac is a keyed BLAKE2b of everything behind it, so only what this function itself has sent is handed on unread. What
merely looks like it (a client's line, two envelopes in a record, half of one) is a record like any other, and treated
as such. An envelope with other keys than the route's, which a record that is replayed years later could have, fails:
its documents would be in no folder that is looked for.

It cannot loop. A record either has a valid mac, and then it is answered and nothing is sent; or it has none, and then
what is sent for it has one. Nothing is sent for what was sent: no line travels twice.

A group that is not accepted fails its whole record. Those that were accepted by then are delivered all the same, and
once more when the record is replayed: with the same event_ids, as any copy.

Cost: Firehose bills a record as 5 KB at least, so where every document is a group, what packing saved is paid after
all. A call for 500 records or some MiB (streams).
https://docs.aws.amazon.com/firehose/latest/dev/create-destination.html (OpenSearch: one JSON document per record)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from hmac import compare_digest

import orjson

from lambdas.transform.errors import RecordError
from lambdas.transform.groups import Group
from lambdas.transform.limits import MAX_PUT_RECORD_BYTES, MAX_PUT_RECORDS
from lambdas.transform.partitions import Keys
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.settings import Settings
from lambdas.transform.streams import Stream
from lambdas.transform.telemetry import logger

MARKER = b'{"_sluice_resent":"'
NOT_RESENT = "not_resent"
"""Why a record fails that holds several groups of documents of which some could not be sent."""
OTHER_KEYS = "other_partition_keys"
"""Why a record fails that was sent once more with keys that its route does not have."""
ATTEMPTS = 5
PAUSE_SECONDS = 0.1
"""Doubled after each attempt, so that all of them take longer than the second for which a stream's quotas are."""
BUDGET_SECONDS = 20.0
"""How long a batch may go on trying, so that a stream out of reach cannot use up the time of the function."""
_MAC_BYTES = 16
_START = len(MARKER) + 2 * _MAC_BYTES
_FOR_GOOD = frozenset(
    {"AccessDeniedException", "InvalidArgumentException", "ResourceNotFoundException", "ValidationException"}
    | {"KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException"}
)


class Resender:
    """For one batch: takes what was sent back apart, and sends what does not fit into an answer."""

    def __init__(
        self,
        *,
        stream: Stream | None,
        key: Callable[[], bytes],
        names: Sequence[str] = (),
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make it for a batch.

        Args:
            stream: where to send; None when that is not known, upon which nothing can be sent.
            key: gives the function's secret, of any length. Asked when it is first needed; what it raises fails the
                record that needs it.
            names: of the route's partition keys, in their order.
            pause: waits for so many seconds.
            clock: says what time it is, in seconds.
        """
        self._stream = stream
        self._secret = key
        self._key = b""
        self._names = tuple(names)
        self._pause = pause
        self._clock = clock
        self._until = clock() + BUDGET_SECONDS

    def read(self, data: bytes) -> Group | None:
        """Return the documents that were sent here by this function, as one text; None for any other record.

        RecordError(OTHER_KEYS) when they were sent with other keys than the route has.
        """
        if not data.startswith(MARKER):
            return None
        signed = data[_START:]
        if not compare_digest(MARKER + self._mac(signed), data[:_START]):
            return None
        head, _, lines = signed.partition(b"\n")
        told = orjson.loads(data[: _START + len(head)])
        keys: Keys = tuple(told["keys"].items())
        if tuple(name for name, _ in keys) != self._names:
            raise RecordError(OTHER_KEYS)
        returned = Group(keys)
        returned.lines, returned.documents = [lines.decode()], told["documents"]
        return returned

    def send(self, groups: Iterable[Group]) -> None:
        """Send groups. RecordError(NOT_RESENT) unless every one was accepted."""
        if self._stream is None:
            raise RecordError(NOT_RESENT)
        envelopes = (envelope for group in groups for envelope in self._wrap(group))
        for records in _calls(envelopes, most_bytes=self._stream.most_bytes, beside=self._stream.beside):
            self._put(records, self._stream)

    def _wrap(self, group: Group) -> Iterator[bytes]:
        """The envelopes of a group: one, unless it is larger than a record can be."""
        keys = orjson.dumps(dict(group.keys))
        # Of how many documents a piece is matters only to the account, so the first ones have as many as they can.
        documents = group.documents
        for lines in _pieces(group.lines, room=MAX_PUT_RECORD_BYTES - _START - len(_head(documents, keys))):
            here = min(len(lines), documents)
            documents -= here
            signed = _head(here, keys) + b"".join(lines)
            yield MARKER + self._mac(signed) + signed

    def _mac(self, signed: bytes) -> bytes:
        if not self._key:
            secret = self._secret()
            if not secret:
                raise ValueError("anybody could write documents that are handed on unread")
            # BLAKE2b takes 64 bytes of key.
            self._key = blake2b(secret, person=b"sluice resend").digest()
        return blake2b(signed, digest_size=_MAC_BYTES, key=self._key).hexdigest().encode()

    def _put(self, records: list[bytes], stream: Stream) -> None:
        for attempt in range(ATTEMPTS):
            if self._clock() >= self._until:
                break
            if attempt:
                self._pause(PAUSE_SECONDS * 2 ** (attempt - 1))
            records = self._refused(records, stream)
            if not records:
                return
        raise RecordError(NOT_RESENT)

    def _refused(self, records: list[bytes], stream: Stream) -> list[bytes]:
        """Put records and return those that were not accepted, in their order."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see streams

        try:
            return stream.put(records)
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            logger().error("not resent", extra={"stream": stream.name, "records": len(records), "error": code})
            if code in _FOR_GOOD:
                raise RecordError(NOT_RESENT) from None
            return records


def make_resender(settings: Settings, *, key: RedactionKey, stream: Stream | None) -> Resender | None:
    """Make what a route's settings need for a batch from this stream; None where a record's documents never part."""
    if not settings.resends:
        return None
    names = [each.name for each in settings.partition_by]
    return Resender(stream=stream, key=lambda: key.hash("resend").encode(), names=names)


def _head(documents: int, keys: bytes) -> bytes:
    return b'","documents":%d,"keys":%b}\n' % (documents, keys)


def _pieces(lines: Iterable[str], *, room: int) -> Iterator[list[bytes]]:
    """The lines in groups that one record takes, a line at least."""
    piece: list[bytes] = []
    left = room
    for line in map(str.encode, lines):
        if piece and len(line) > left:
            yield piece
            piece, left = [], room
        piece.append(line)
        left -= len(line)
    if piece:
        yield piece


def _calls(records: Iterable[bytes], *, most_bytes: int, beside: int) -> Iterator[list[bytes]]:
    """The records in groups that one call takes. RecordError(NOT_RESENT) for one that no call takes."""
    group: list[bytes] = []
    room = most_bytes
    for record in records:
        if len(record) > MAX_PUT_RECORD_BYTES:
            raise RecordError(NOT_RESENT)
        size = len(record) + beside
        if group and (len(group) == MAX_PUT_RECORDS or size > room):
            yield group
            group, room = [], most_bytes
        group.append(record)
        room -= size
    if group:
        yield group
