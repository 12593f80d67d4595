"""The error output: what failed, in objects of its own for each error-output-type.

Lines lie under the error prefix, without compression, as the error objects that the real service writes have been
seen. https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

from collections.abc import Callable

from local.firehose.destinations.s3 import S3Output
from local.firehose.record import Outgoing


class ErrorOutput:
    """A destination that writes each line where its type belongs; `make` builds the output of one type."""

    def __init__(self, make: Callable[[str], S3Output]) -> None:
        self._make = make
        self._outputs: dict[str, S3Output] = {}

    def of_type(self, error_type: str) -> S3Output:
        """Return the output of one type, for who adds to no other; this object goes on to work it."""
        if error_type not in self._outputs:
            self._outputs[error_type] = self._make(error_type)
        return self._outputs[error_type]

    def add(self, outgoing: Outgoing) -> None:
        """Take a line into the objects of its type."""
        self.of_type(outgoing.error_type).add(outgoing)

    def work(self, *, flush: bool) -> list[Outgoing]:
        """Write what is due of every type; return what has arrived."""
        return [arrived for output in self._outputs.values() for arrived in output.work(flush=flush)]

    def due_at(self, *, flush: bool) -> float | None:
        """Return when the first of the types is due, None if none is."""
        due = [output.due_at(flush=flush) for output in self._outputs.values()]
        return min((at for at in due if at is not None), default=None)
