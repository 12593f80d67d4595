"""What decoding hands on: a record taken apart, a rule that dropped one, and the room that all of it shares."""

from __future__ import annotations

from typing import Any, NamedTuple

import pybase64

from lambdas.transform.errors import RecordError
from lambdas.transform.limits import MAX_ENCODINGS, MAX_EXPANDED_BYTES, MAX_MEMBERS

ENCODING = "log.record.encoding"
"""The attribute that says how bytes that are no text were made the text of a record: `base64`."""
UNDECODED = "log.record.undecoded"
"""The attribute that says which wrapping could not be undone."""
DAMAGED = "log.record.damaged"
"""The attribute of what came out of a damaged wrapping whole, but without proof that it is what went in."""


class Record(NamedTuple):
    """One line: its members, which are the caller's to change, and what had to be rewritten in them (see jsontext)."""

    members: dict[str, Any]
    rewritten: tuple[str, ...]


class Dropped(NamedTuple):
    """In place of a record that is no log: the name of the rule that drops it."""

    rule: str


Block = bytes | Record | Dropped
"""Newline-separated lines that are still to be read, or what needs no more reading."""


class Room:
    """How much may yet come out of one Firehose record. RecordError, which names the limit, when it is too much."""

    __slots__ = ("expanded_bytes", "members", "undone")

    def __init__(self) -> None:
        self.expanded_bytes = MAX_EXPANDED_BYTES
        self.members = MAX_MEMBERS
        self.undone: dict[str, None] = {}
        """The wrappings that were undone, by name, in the order they were met."""

    def expand(self, size: int) -> None:
        """Account for this many bytes that came out of a compression or another character set."""
        self.expanded_bytes -= size
        if self.expanded_bytes < 0:
            raise RecordError("expanded_bytes_limit")

    def unpack(self, count: int) -> None:
        """Account for this many members of an aggregate, streams of a compression, or events of a payload."""
        self.members -= count
        if self.members < 0:
            raise RecordError("members_limit")

    def deeper(self, depth: int, wrapping: str) -> int:
        """Go one wrapping further in, which has this name."""
        if depth >= MAX_ENCODINGS:
            raise RecordError("encodings_limit")
        self.undone[wrapping] = None
        return depth + 1


def keep_undecoded(data: bytes, reason: str) -> Record:
    """Keep bytes that could not be undone, whole and findable: base64 in the place of the line."""
    return Record({"log": pybase64.b64encode_as_string(data), ENCODING: "base64", UNDECODED: reason}, ())
