"""The forward protocol: from a connection's bytes to messages, and from a message to its records.

All four modes, with EventTime and whole seconds, and what newer Fluent Bits add to an event's time. What is not the
protocol is a WireError, and ends its connection alone. What a hostile client can cost is bounded: a message has 16 MiB
at most and unpacks to 64, and only one record of it at a time is there as objects.

Mechanism: a stream is cut by msgpack's own parser in the mode that makes no objects, which goes on where it stopped. So
a large message costs no more for coming in pieces. Nothing that is UTF-8 costs extra; other bytes become lone
surrogates (`surrogateescape`), which keep what they were.

Format: https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # the library ships no types

MIB: Final = 1024 * 1024
LARGEST_MESSAGE: Final = 16 * MIB
LARGEST_UNPACKED: Final = 4 * LARGEST_MESSAGE
LONGEST_TAG: Final = 8192
_LONGEST_CHUNK_ID: Final = 1024
_LEAST_BUFFER: Final = 64 * 1024
# Seconds and nanoseconds, four bytes each.
_EVENT_TIME: Final = 8
_DEEPEST_PARSER_ERRORS: Final = (ValueError, TypeError, msgpack.UnpackException, RecursionError, OverflowError)

Entry = tuple[Any, dict[Any, Any]]
"""The time as it came, and the record. Bytes and ext values in it are `bytes`."""


class WireError(Exception):
    """What was sent is not the forward protocol, or larger than is taken; says which."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `entries` can be read once, and raises WireError where it is malformed.

    `chunk` is the answer that its client waits for, packed; None when it wants none.
    """

    tag: str
    entries: Iterator[Entry]
    answer: bytes | None


class Framer:
    """Cuts one connection's bytes into messages."""

    def __init__(self) -> None:
        self._parser = _parser(LARGEST_MESSAGE + MIB)
        self._received = 0
        self._held: list[bytes] = []
        self.held = 0
        """Bytes of the message that is not complete."""

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The messages that these bytes complete. Raises WireError."""
        before = self._received
        self._received += len(received)
        self._parser.feed(received)
        at = 0
        while (end := self._end()) is not None:
            message = received[at : end - before]
            at = end - before
            if self._held:
                message = b"".join([*self._held, message])
                self._held.clear()
                self.held = 0
            if len(message) > MIB:  # the parser's buffer never shrinks
                self._parser = _parser(LARGEST_MESSAGE + MIB)
                rest = received[at:]
                before, self._received = -at, len(rest)
                self._parser.feed(rest)
            if len(message) > LARGEST_MESSAGE:
                raise WireError(f"a message of {len(message)} bytes")
            yield message
        if at < len(received):
            self._held.append(received[at:] if at else received)
            self.held += len(received) - at
            if self.held > LARGEST_MESSAGE:
                raise WireError(f"a message of more than {LARGEST_MESSAGE} bytes")

    def _end(self) -> int | None:
        try:
            self._parser.skip()
        except msgpack.OutOfData:
            return None
        except _DEEPEST_PARSER_ERRORS as error:
            raise WireError(f"no MessagePack: {type(error).__name__}") from error
        return int(self._parser.tell())


def read(message: bytes) -> Message:
    """A message as its parts. Raises WireError."""
    try:
        return _forward(message) if _is_forward(message) else _other(message)
    except _DEEPEST_PARSER_ERRORS as error:
        raise WireError(f"no message: {type(error).__name__}") from error


def _other(message: bytes) -> Message:
    parts = msgpack.unpackb(message, **_OPTIONS)
    match parts:
        case (str() as tag, bytes() | str() as packed, *options) if len(options) <= 1:
            option = _option(options)
            body = packed.encode("utf-8", "surrogateescape") if isinstance(packed, str) else packed
            return Message(_checked(tag), _packed(_plain(body, option)), _answer(option))
        case (str() as tag, time, dict() as record, *options) if len(options) <= 1:
            return Message(_checked(tag), iter([(_time(time), record)]), _answer(_option(options)))
        case _:
            raise WireError("a message of another form")


def _forward(message: bytes) -> Message:
    """Its entries are not made at once, for there may be a million of them in a message."""
    parser = _parser(len(message))
    parser.feed(message)
    parts = parser.read_array_header()
    tag = parser.unpack()
    start = parser.tell()
    parser.skip()
    options = [parser.unpack() for _ in range(parts - 2)]
    if not isinstance(tag, str) or len(options) > 1:
        raise WireError("a message of another form")
    return Message(_checked(tag), _listed(message[start:]), _answer(_option(options)))


def _listed(entries: bytes) -> Iterator[Entry]:
    parser = _parser(len(entries))
    parser.feed(entries)
    try:
        for _ in range(parser.read_array_header()):
            yield _entry(parser.unpack())
    except _DEEPEST_PARSER_ERRORS as error:
        raise WireError(f"no entry: {type(error).__name__}") from error


def _packed(entries: bytes) -> Iterator[Entry]:
    parser = _parser(len(entries))
    parser.feed(entries)
    try:
        for entry in parser:
            yield _entry(entry)
    except _DEEPEST_PARSER_ERRORS as error:
        raise WireError(f"no entry: {type(error).__name__}") from error
    if parser.tell() != len(entries):
        raise WireError("the last entry is cut")


def _entry(entry: Any) -> Entry:  # noqa: ANN401 - what a client sent
    if type(entry) is tuple and len(entry) == 2:  # noqa: PLR2004 - a time and a record
        time, record = entry
        if type(record) is dict:
            return (time if type(time) is bytes and len(time) == _EVENT_TIME else _time(time)), record
    raise WireError("an entry of another form")


def _time(time: Any) -> Any:  # noqa: ANN401
    """An entry's time: EventTime's eight bytes, seconds, or msgpack's own timestamp."""
    if type(time) is tuple and time:  # with metadata beside it, as Fluent Bit keeps events since 2.1
        time = time[0]
    if isinstance(time, bytes):
        if len(time) != _EVENT_TIME:
            raise WireError("a time of another form")
        return time
    if isinstance(time, msgpack.Timestamp) or (isinstance(time, int | float) and not isinstance(time, bool)):
        return time
    raise WireError("a time of another form")


def _checked(tag: str) -> str:
    if len(tag) > LONGEST_TAG:
        raise WireError(f"a tag of more than {LONGEST_TAG} characters")
    return tag


def _option(options: list[Any]) -> dict[Any, Any]:
    option = options[0] if options else None
    if option is not None and not isinstance(option, dict):
        raise WireError("options of another form")
    if option and option.get("fluent_signal", 0) != 0:
        raise WireError("no logs but metrics or traces")
    return option or {}


def _answer(option: dict[Any, Any]) -> bytes | None:
    chunk = option.get("chunk")
    if chunk is None:
        return None
    if not isinstance(chunk, str | bytes) or len(chunk) > _LONGEST_CHUNK_ID:
        raise WireError("a chunk's id of another form")
    packed: bytes = msgpack.packb({"ack": chunk}, unicode_errors="surrogateescape")
    return packed


def _plain(body: bytes, option: dict[Any, Any]) -> bytes:
    compression = option.get("compressed", "text")
    if compression in {"text", None}:
        return body
    if compression != "gzip":
        raise WireError("another compression than gzip")
    return _unzipped(body)


def _unzipped(body: bytes) -> bytes:
    """What all of its members hold together, as far as it is not too much."""
    parts, room = [], LARGEST_UNPACKED
    try:
        while body:
            member = zlib.decompressobj(wbits=31)
            part = member.decompress(body, room + 1)
            room -= len(part)
            if room < 0:
                raise WireError(f"a message that unpacks to more than {LARGEST_UNPACKED} bytes")
            if not member.eof:
                raise WireError("a compressed message that is cut")
            parts.append(part)
            body = member.unused_data
    except zlib.error as error:
        raise WireError("no gzip") from error
    return b"".join(parts)


def _is_forward(message: bytes) -> bool:
    """Whether a list of entries comes second, after the tag."""
    kind = message[1] if len(message) > 1 else 0
    if 0xA0 <= kind <= 0xBF:  # noqa: PLR2004 - a short string
        at = 2 + (kind & 0x1F)
    elif kind == 0xD9:  # noqa: PLR2004 - one with a byte of length
        at = 3 + message[2]
    elif kind == 0xDA:  # noqa: PLR2004 - or two
        at = 4 + int.from_bytes(message[2:4])
    else:
        return False
    return at < len(message) and (0x90 <= message[at] <= 0x9F or message[at] in {0xDC, 0xDD})  # noqa: PLR2004


def _bytes_of_ext(_code: int, data: bytes) -> bytes:
    return data


_OPTIONS: Final = {
    "use_list": False,
    "strict_map_key": False,
    "unicode_errors": "surrogateescape",
    "ext_hook": _bytes_of_ext,
}


def _parser(size: int) -> Any:  # noqa: ANN401 - msgpack has no types
    return msgpack.Unpacker(**_OPTIONS, read_size=min(size, _LEAST_BUFFER) or 1, max_buffer_size=size + 1)
