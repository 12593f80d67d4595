"""From what Firehose hands over to records: base64, wrappings, lines, members.

A wrapping that is undone leaves *blocks* of newline-separated lines, most often one; so the transformer can read all
lines of a block at once and only hands over to decode_line what it cannot. A line that is JSON is a record of its
members; any other line is a record whose `log` is that line, so there is no line that fails.

| Module | What it knows |
|---|---|
| wrappings | which wrapping data begins with, and what may be inside it |
| kpl | aggregates of the Kinesis Producer Library |
| compression | gzip, zlib, zstd, snappy |
| cloudwatch | payloads of CloudWatch Logs subscriptions |
| lines | objects, arrays and text in lines, and documents over many lines |

Of the options of the Go plugin `kinesis` (https://github.com/aws/amazon-kinesis-streams-for-fluent-bit), aggregation,
compression, log_key and append_newline matter here; data_keys, replace_dots and time_key change which members there
are.
"""

from __future__ import annotations

import pybase64

from lambdas.transform.decode.lines import decode_line
from lambdas.transform.decode.record import Dropped, Record
from lambdas.transform.decode.wrappings import unwrap

__all__ = ["Dropped", "Record", "decode_data", "decode_line", "unwrap"]


def decode_data(data: str) -> bytes:
    """Undo Firehose's base64. ValueError when it is not that: by default, what is no digit would be skipped."""
    return pybase64.b64decode(data, validate=True)
