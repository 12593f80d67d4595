"""The server's side of a connection that asks by HTTP."""

import json
from typing import Final

_HEAD_END: Final = b"\r\n\r\n"
_CHUNKS_END: Final = b"0\r\n\r\n"
_MOST_BYTES: Final = 1 << 20
_NO_BODY: Final = frozenset({204, 304})
_OK: Final = range(200, 300)


class HttpAnswers:
    """HTTP/1.1 answers, however the bytes are cut. Each that is 2xx acknowledges the one request in flight.

    An answer that says that it rejected records (OTLP's partialSuccess) does not, nor does any other status.
    """

    def __init__(self) -> None:
        self._received = bytearray()

    def read(self, received: bytes) -> list[str]:
        """An empty id for each answer that these bytes complete. ConnectionError for one that is no acknowledgement."""
        self._received += received
        found: list[str] = []
        while (answer := self._next()) is not None:
            status, body = answer
            if status not in _OK or _rejected(body):
                raise ConnectionError(f"the server answered {status} {body[:120].decode('utf-8', 'replace')}".strip())
            found.append("")
        if len(self._received) > _MOST_BYTES:
            raise ConnectionError(f"the server's answer is longer than {_MOST_BYTES} bytes")
        return found

    def _next(self) -> tuple[int, bytes] | None:
        """Take one whole answer, if there is one."""
        head, found, rest = bytes(self._received).partition(_HEAD_END)
        if not found:
            return None
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if not lines[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdecimal():  # noqa: PLR2004
            raise ConnectionError(f"the server answered {lines[0][:60]!r} instead of HTTP/1.1")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        status = int(words[1])
        if status in _NO_BODY:
            length = 0
        elif fields.get("transfer-encoding", "").lower() == "chunked":
            if not rest.endswith(_CHUNKS_END):
                return None
            length = len(rest)
        else:
            length = int(fields.get("content-length", "0"))
        if len(rest) < length:
            return None
        del self._received[: len(head) + len(_HEAD_END) + length]
        return status, rest[:length]


def _rejected(body: bytes) -> bool:
    """Whether the server took the request and not all of its records."""
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    partial = answer.get("partialSuccess") if isinstance(answer, dict) else None
    return isinstance(partial, dict) and int(partial.get("rejectedLogRecords") or 0) > 0
