"""A stream's plain bytes, gzipped or not: its first bytes say which, whatever its name says.

https://www.rfc-editor.org/rfc/rfc1952 (a member begins with 1f 8b). Cost: a buffer of decompressed bytes.
"""

import gzip
import io
from typing import IO, cast

GZIP_MAGIC = b"\x1f\x8b"


def plain_stream(raw: io.BufferedReader) -> IO[bytes]:
    """The stream itself, or its decompressed bytes; reading those raises OSError, EOFError or zlib.error."""
    if raw.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)] == GZIP_MAGIC:
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    return raw
