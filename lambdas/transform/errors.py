"""Why a record failed: a code that the metrics count and the failure store keeps beside the record."""

from __future__ import annotations


class RecordError(Exception):
    """A record that cannot be transformed, with the reason's code, e.g. `not_base64`, as its only argument."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
