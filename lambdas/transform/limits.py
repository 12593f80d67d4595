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
