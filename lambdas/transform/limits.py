"""The limits the transformer works under, each in this one place with its source."""

MAX_RESPONSE_BYTES = 6_291_556
"""Bytes of JSON a synchronous invocation may return: 6 MB, and the 100 bytes that Lambda itself allows on top, as it
says in the error it raises one byte later. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

MAX_NESTING = 16
"""Levels of objects and arrays inside a member of a record. What lies deeper is kept as JSON text. Our own choice: with
the document's own levels it stays under the 20 that OpenSearch accepts in a mapping (index.mapping.depth.limit).
https://docs.opensearch.org/latest/field-types/"""

MAX_CLOCK_LEAD_SECONDS = 86_400
"""How far ahead of its reading a record may claim to have been written; what claims more has a wrong clock."""

EARLIEST_TIME = "2000-01-01T00:00:00"
"""A record that claims to be older comes from a clock that was never set."""

MAX_DOCUMENT_BYTES = 1_000_000
"""Bytes of a document's line, its newline included. Our own choice: the largest that can be a Firehose record again
(MAX_PUT_RECORD_BYTES) in the envelope of a document that is sent once more. S3 itself would take any length, but what
reads lines does not, and a batch of them would not fit into a response."""

MAX_PUT_RECORD_BYTES = 1_024_000
"""Bytes of a record that PutRecordBatch takes: 1,000 KiB before base64, see MAX_PUT_RECORDS."""

MAX_PUT_RECORDS = 500
"""Records that PutRecordBatch takes in a call, and PutRecords too.
https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html"""

MAX_PUT_BYTES = 4 * 1024 * 1024
"""Bytes of all records together that PutRecordBatch takes in a call, see MAX_PUT_RECORDS."""

MAX_KINESIS_PUT_BYTES = 5 * 1024 * 1024
"""Bytes of all records together, with their partition keys, that PutRecords takes in a call; of one record it takes
1 MiB, which is more than MAX_PUT_RECORD_BYTES and a partition key.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html"""

MAX_PARTITION_VALUE = 64
"""Characters of a value that becomes part of an object's name. Our own choice: a name has 1,024 bytes, and dates and a
stream's name of 64 stand in it too. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

MAX_METRIC_NAME = 255
"""Characters of a metric's name.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html"""

MAX_ENCODINGS = 6
"""Wrappings that are undone around a line: KPL aggregates, compressions, UTF-16. The most that any known path makes is
three, an aggregate of compressed aggregates. Our own choice."""

MAX_EXPANDED_BYTES = 16 * 1024 * 1024
"""Bytes that may come out of all compressions in one Firehose record, over all levels. Our own choice: three times what
a response can hold (MAX_RESPONSE_BYTES), so that a record that is sampled or thinned by drop rules still passes."""

MAX_MEMBERS = 100_000
"""Members of aggregates, compressed streams and events that one Firehose record may hold, and objects that one line
may. Our own choice: more than twice as many of the smallest documents as a response can hold (MAX_RESPONSE_BYTES)."""

MAX_REDACTIONS_PER_TEXT = 1000
"""Values that one rule takes out of one text; a text that holds more is replaced as a whole. Our own choice: RE2 finds
each in linear time, but some expressions read to the end of the text for each."""

MAX_JOINED_LINES = 2000
"""Lines of a stack trace that become one document. Our own choice: Java prints 1,024 frames for each cause
(-XX:MaxJavaStackTraceDepth), and a trace with one cause is whole."""

MAX_JOINED_BYTES = 900_000
"""Bytes of JSON text that lines or parts joined to one body may take. Our own choice: with its attributes and the rest
of its document it stays within MAX_DOCUMENT_BYTES."""
