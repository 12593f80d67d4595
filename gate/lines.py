"""Records as the lines that the transformer reads: what the aggregator's filters and outputs do, and exactly.

A line is the record's JSON with `_tag` and `_time` (nanoseconds, UTC), whatever the client has put there. JSON cannot
hold everything: bytes that are not UTF-8 are spelled `\\xNN`, and NaN and the infinities become their names. Where the
aggregator's Lua stops (an integer of 2^53 or more, bytes inside a nested value), this goes on: integers are exact, and
every string is spelled.

Cost: 5 us for a record of 900 bytes, most of it msgpack and orjson. A record that is odd in any way is found by
orjson's refusal, by a `null` in the line, or by its length, and only then looked at.
"""

import functools
import json
import re
import struct
import time as clock
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import orjson

from gate import oversize
from gate.wire import Entry, WireError

TAG_KEY: Final = "_tag"
TIME_KEY: Final = "_time"
# orjson writes 254 levels and no more; the transformer keeps what lies deeper than 16 as text.
_DEEPEST: Final = 100
_NANOSECONDS: Final = 1_000_000_000
_RAW: Final = re.compile("[\udc80-\udcff]")
_OTHER_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_split_time: Final = struct.Struct(">II").unpack


def lines_of(tag: str, entries: Iterable[Entry]) -> Iterator[bytes]:
    """The lines of a message's entries, without line ends. Raises WireError where an entry is malformed."""
    dumps, no_longer = orjson.dumps, oversize.PART
    name = spelled(tag)
    second: int | None = None
    beginning = ""
    for time, record in entries:
        if type(time) is bytes:
            seconds, nanoseconds = _split_time(time)
        else:
            seconds, nanoseconds = _read(time)
        if nanoseconds >= _NANOSECONDS:
            seconds, nanoseconds = seconds + nanoseconds // _NANOSECONDS, nanoseconds % _NANOSECONDS
        if seconds != second:
            second, beginning = seconds, _written(seconds)
        record[TAG_KEY] = name
        record[TIME_KEY] = f"{beginning}{nanoseconds:09d}Z"
        try:
            line = dumps(record)
            is_odd = b"null" in line and _holds_odd(record.values())
        except TypeError:
            is_odd = True
        there = plain(record) if is_odd else record
        if is_odd:
            line = dumps(there)
        if len(line) > no_longer:
            yield from oversize.lines(line, there, origin=f"{seconds}.{nanoseconds:09d}")
        else:
            yield line


def spelled(text: str) -> str:
    r"""The text with every byte that was not UTF-8 as `\xNN`."""
    if text.isascii():
        return text
    text = _RAW.sub(lambda raw: f"\\x{ord(raw[0]) - 0xDC00:02x}", text)
    return _OTHER_SURROGATES.sub("\ufffd", text)


def plain(record: dict[Any, Any]) -> dict[str, Any]:
    """The record with nothing in it that JSON cannot hold.

    What is ours keeps its name, whatever a client calls its own. Raises WireError where it is nested more deeply than
    Python's stack goes.
    """
    ours = {name: record[name] for name in (TAG_KEY, TIME_KEY) if name in record}
    try:
        return _plain_map({**ours, **record}, _DEEPEST)
    except RecursionError as error:
        raise WireError("a record nested too deeply") from error


def _plain(value: Any, depth: int) -> Any:  # noqa: ANN401, PLR0911 - what a client sent
    match value:
        case str():
            return spelled(value)
        case bytes():
            return spelled(value.decode("utf-8", "surrogateescape"))
        case float():
            return value if value - value == 0 else _name(value)
        case dict() | tuple() if depth == 0:  # what lies this deep, as the text of its JSON
            return json.dumps(_plain(value, -1), ensure_ascii=False)
        case dict():
            return _plain_map(value, depth)
        case tuple():
            return [_plain(inner, depth - 1) for inner in value]
        case msgpack.Timestamp():
            return spelled(value.to_bytes().decode("utf-8", "surrogateescape"))
        case _:
            return value


def _plain_map(members: dict[Any, Any], depth: int) -> dict[str, Any]:
    there: dict[str, Any] = {}
    for key, value in members.items():
        name = _key(key)
        while name in there:  # two keys that are one in JSON
            name += "_"
        there[name] = _plain(value, depth - 1)
    return there


def _key(key: Any) -> str:  # noqa: ANN401
    if isinstance(key, str):
        return spelled(key)
    if isinstance(key, bytes):
        return spelled(key.decode("utf-8", "surrogateescape"))
    return spelled(json.dumps(key, ensure_ascii=False, default=repr))


def _name(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - NaN alone differs


def _holds_odd(values: Iterable[Any]) -> bool:
    """Whether there is a number that orjson writes as null."""
    for value in values:
        kind = type(value)
        if kind is float and value - value != 0:
            return True
        if kind is dict and _holds_odd(value.values()):
            return True
        if kind is tuple and _holds_odd(value):
            return True
    return False


def _read(time: Any) -> tuple[int, int]:  # noqa: ANN401 - seconds, or msgpack's timestamp
    if isinstance(time, msgpack.Timestamp):
        return time.seconds, time.nanoseconds
    if isinstance(time, float):
        if time - time != 0:
            return 0, 0
        return divmod(int(time * _NANOSECONDS), _NANOSECONDS)
    return time, 0


@functools.lru_cache(maxsize=256)
def _written(seconds: int) -> str:
    try:
        return clock.strftime("%Y-%m-%dT%H:%M:%S.", clock.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{seconds}."  # no year that anybody writes: the transformer keeps it, and takes its own time
