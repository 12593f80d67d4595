"""Records that Firehose could not take, in parts.

First as the aggregator does it (fluentbit-image/carry.lua, by the same rule, so that the same parts come out): if the
longest string of a record's own would take more than 900,000 bytes as JSON, it is cut into parts of 150,000 bytes,
between UTF-8 characters, each in a record with all the other members and marked as Docker marks the parts of a line.

The aggregator goes no further, and Fluent Bit drops what is still too large. Here such a record keeps its small
members; all the others become one text of JSON, under `log.record.members`, which is then cut the same way. So every
record can be delivered, and none is sent for ever.
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson

# Firehose takes 1,024,000 bytes in a record, https://docs.aws.amazon.com/firehose/latest/APIReference/API_Record.html
LARGEST_LINE: Final = 1_000_000
LARGEST: Final = 900_000
PART: Final = 150_000
MEMBERS: Final = "log.record.members"
_SMALL: Final = 100_000
_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_OURS: Final = ("_tag", "_time")


def lines(line: bytes, record: dict[str, Any], *, origin: str) -> list[bytes]:
    """The line itself, if it can be taken, or those of its parts.

    Args:
        line: the record's JSON, longer than PART.
        record: what it says.
        origin: the record's time, which its parts' id begins with.
    """
    name, text = _longest(record)
    if len(text) > PART and _as_json(text) > LARGEST:
        others = orjson.dumps({other: value for other, value in record.items() if other != name})
        made = [] if len(others) > LARGEST_LINE else [orjson.dumps(part) for part in _parts(record, name, text, origin)]
    else:
        made = [line]
    if made and max(map(len, made)) <= LARGEST_LINE:
        return made
    small = _with_text(record)
    return [orjson.dumps(part) for part in _parts(small, MEMBERS, small[MEMBERS].encode(), origin)]


def _longest(record: dict[str, Any]) -> tuple[str, bytes]:
    found, longest = "", b""
    for name, value in record.items():
        if type(value) is str and name not in _OURS and len(value) * 4 > len(longest):
            text = value.encode()
            if len(text) > len(longest):
                found, longest = name, text
    return found, longest


def _as_json(text: bytes) -> int:
    """The bytes it takes as JSON at most: everything outside printable ASCII, and three more, spelled with six."""
    spelled = len(text.translate(None, _PRINTABLE))
    escaped = text.count(b"<") + text.count(b">") + text.count(b"&")
    return len(text) + text.count(b'"') + text.count(b"\\") + 5 * (spelled + escaped)


def _parts(record: dict[str, Any], name: str, text: bytes, origin: str) -> Iterator[dict[str, Any]]:
    start, ordinal = 0, 0
    while start < len(text):
        end = _part_end(text, start)
        ordinal += 1
        yield {
            **record,
            name: text[start:end].decode(),
            "partial_message": "true",
            "partial_id": f"{origin}-{len(text)}",
            "partial_ordinal": str(ordinal),
            "partial_last": "true" if end == len(text) else "false",
        }
        start = end


def _part_end(text: bytes, start: int) -> int:
    end = min(start + PART, len(text))
    while end < len(text) and 0x80 <= text[end] <= 0xBF:  # noqa: PLR2004 - inside a character
        end -= 1
    return end


def _with_text(record: dict[str, Any]) -> dict[str, Any]:
    """The small members, and all the others as one text."""
    sizes = {name: len(orjson.dumps({name: value})) for name, value in record.items()}
    kept, room = set(_OURS), _SMALL
    for name in sorted(sizes.keys() - kept, key=lambda name: (sizes[name], name)):
        room -= sizes[name]
        if room < 0:
            break
        kept.add(name)
    rest = {name: value for name, value in record.items() if name not in kept and name != MEMBERS}
    if MEMBERS in record:
        kept.discard(MEMBERS)
        rest[MEMBERS] = record[MEMBERS]
    return {name: record[name] for name in record if name in kept} | {MEMBERS: orjson.dumps(rest).decode()}
