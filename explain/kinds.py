"""What a user can say of a file, and what can be wrong with it.

It imports nothing of the transformer, so that `sluice --help` need not load it.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a file holds, see reading."""

    AUTO = "auto"
    LINES = "lines"
    RECORDS = "records"
    DATA = "data"
    EVENT = "event"


class UsageError(Exception):
    """What was asked for cannot be done; says why, and what to do."""


class UnfinishedError(Exception):
    """The input could not be read to its end; says why."""
