"""event_id: the same for every delivery of a record, different for different records.

Fluent Bit retries whole chunks, Lambda and Firehose retry whole batches, and clients re-send what was not
acknowledged, so a record can land twice. Its event_id is the 128-bit BLAKE2b of all it came with: what the lines of
its source share (`_tag` among it; hashed first, as the salt), its `_time`, and what it says. The order of keys plays no
part, since Fluent Bit does not keep it. What is added depends on the time the line was read:

- finer than a second: nothing. Every path a record can take gives one id. Two records of one container, one tag
  and one nanosecond that say the same thing are one.
- whole seconds (Docker's fluentd driver without `fluentd-sub-second-precision`): the number of this occurrence among
  equal records of its Firehose record, so that a line that is written twice within a second counts as two. A retry
  by Firehose or Lambda gives the same ids. One by Fluent Bit does too when it packs the same lines together, as it
  does for one chunk; packed differently, a line that was counted as the second may come back as the first. Equal
  lines of one second in two Firehose records share an id.
- none: Firehose's own recordId and the occurrence. A retry by Firehose or Lambda gives the same ids; one before that
  gives new ones, since nothing tells it from two equal lines.

Among 2^32 different contents the chance that any two share an id is 2^-65. Two spellings of one content (spaces,
escapes, 1.0 and 1.00) are the same content. Bytes inside a JSON line that are not UTF-8 are compared as the document
shows them, so lines that differ in nothing but whether one of several odd bytes was spelled out can share an id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from lambdas.transform.times import latest_believable

_ID_BYTES = 16
_WHOLE_SECOND = ".000000000Z"
_FRACTION = len("2026-11-21T02:36:00")


@dataclass(slots=True)
class Arrival:
    """One Firehose record's arrival: its recordId, when it came, and which contents were met in it, how often."""

    record_id: str
    time: str
    met: dict[bytes, int] = field(default_factory=dict)
    latest: str = field(init=False)

    def __post_init__(self) -> None:
        self.latest = latest_believable(self.time)


def start_hash(shared: bytes) -> blake2b:
    """Begin the hashes of all lines that share this, so that each costs a copy of the beginning."""
    return blake2b(digest_size=_ID_BYTES, salt=blake2b(shared, digest_size=_ID_BYTES).digest())


def derive_event_id(start: blake2b, time: str, said: str, arrival: Arrival) -> str:
    """Derive the id, 32 hexadecimal digits, from what its source's lines share, the time the record carries (in the one
    form, or empty) and what it says, after a character that tells text from JSON.

    As a time has one length, no two different pairs are the same text.
    """
    content = start.copy()
    content.update(f"{time}{said}".encode())
    if time and time[_FRACTION:] != _WHOLE_SECOND:
        return content.hexdigest()
    digest = content.digest()
    occurrence = arrival.met.get(digest, 0)
    arrival.met[digest] = occurrence + 1
    origin = "" if time else arrival.record_id
    if not occurrence and not origin:
        return content.hexdigest()
    again = f"{occurrence}\n{origin}".encode("utf-8", "surrogatepass")
    # `person` keeps these apart from every hash of content.
    return blake2b(digest + again, digest_size=_ID_BYTES, person=b"again").hexdigest()
