"""event_id: the same for every delivery of a record, different for different records.

Fluent Bit retries whole chunks, Lambda and Firehose retry whole batches, and clients re-send what was not
acknowledged, so a record can land twice. Its event_id is the 128-bit BLAKE2b of its canonical content: all of its
members as they came, with `_tag` and `_time`, keys sorted, since Fluent Bit does not keep their order. What is added
depends on the time the line was read:

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

from lambdas.transform.times import has_fraction

_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Arrival:
    """One Firehose record's arrival: its recordId, when it came, and which contents were met in it, how often."""

    record_id: str
    time: str
    met: dict[bytes, int] = field(default_factory=dict)


def derive_event_id(canonical: bytes, *, time: str | None, arrival: Arrival) -> str:
    """Derive the id of a record from its canonical content and the time it carries, as 32 hexadecimal digits."""
    content = blake2b(canonical, digest_size=_ID_BYTES)
    if time and has_fraction(time):
        return content.hexdigest()
    digest = content.digest()
    occurrence = arrival.met.get(digest, 0)
    arrival.met[digest] = occurrence + 1
    origin = "" if time else arrival.record_id
    if occurrence or origin:
        # No line holds a line feed, so what follows one here cannot be taken for content.
        content.update(f"\n{occurrence}\n{origin}".encode("utf-8", "surrogatepass"))
    return content.hexdigest()
