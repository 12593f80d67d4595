"""Dynamic partitioning: a buffer for each value that the prefix takes, and the limit on how many there may be.

A record's partition is its prefix, evaluated with the keys that the function answered and the hour it arrived in. A
partition is active from its first record until its last object has been written: one that S3 refuses stays active.
What cannot have a partition goes to the error output, as it came from the function:

| record | error-output-type | code |
|---|---|---|
| a key is missing, empty or an object, or the prefix gets too long | partitioning-failed | …MetadataExtractionFailed |
| all partitions are taken | activePartitionExceeded | …ActivePartitionsLimitExceeded |

Real Firehose buffers in several stages and may take half as long again as the interval; here it is the interval.

Sources: https://docs.aws.amazon.com/firehose/latest/dev/buffering.html for the limit and its type; for the other type
the integration test of aws-cdk's dynamic partitioning, which runs against AWS
(https://github.com/aws/aws-cdk/pull/35903); the codes and messages as users of the real service have published them,
the second code by one of them only.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from local.firehose import limits
from local.firehose.clock import Clock
from local.firehose.destinations import Destination
from local.firehose.destinations.s3 import S3Output
from local.firehose.error_lines import error_line
from local.firehose.prefixes import MissingKeyError, PrefixError, evaluate_prefix
from local.firehose.record import Failed, Outgoing

PARTITIONING_FAILED: Final = "partitioning-failed"
PARTITIONS_EXCEEDED: Final = "activePartitionExceeded"
_EXTRACTION_FAILED: Final = "DynamicPartitioning.MetadataExtractionFailed"
_NO_KEYS: Final = Failed(_EXTRACTION_FAILED, "partitionKeys values must not be null or empty")
_TOO_MANY: Final = Failed(
    "DynamicPartitioning.ActivePartitionsLimitExceeded",
    "The number of active partitions has exceeded the configured limit",
)


class PartitionedOutput:
    """A destination of one `S3Output` per partition, made by `make` out of a record's keys."""

    def __init__(
        self,
        prefix: str,
        *,
        make: Callable[[Mapping[str, str]], S3Output],
        errors: Destination,
        clock: Clock,
        most: int = limits.ACTIVE_PARTITIONS,
    ) -> None:
        self._prefix = prefix
        self._make = make
        self._errors = errors
        self._clock = clock
        self._most = most
        self._active: dict[str, S3Output] = {}

    def add(self, outgoing: Outgoing) -> None:
        """Take `outgoing` into its partition, or into the error output."""
        at = datetime.fromtimestamp(outgoing.arrived_ms / 1000, UTC)
        try:
            partition = evaluate_prefix(self._prefix, at=at, keys=outgoing.partition_keys)
        except MissingKeyError:
            self._fail(outgoing, PARTITIONING_FAILED, _NO_KEYS)
        except PrefixError as error:
            self._fail(outgoing, PARTITIONING_FAILED, Failed(_EXTRACTION_FAILED, str(error)))
        else:
            self._add_to(partition, outgoing)

    def work(self, *, flush: bool) -> list[Outgoing]:
        """Write what is due of every partition; return what has arrived."""
        arrived: list[Outgoing] = []
        for partition, output in list(self._active.items()):
            arrived += output.work(flush=flush)
            if output.is_empty:
                del self._active[partition]
        return arrived

    def due_at(self, *, flush: bool) -> float | None:
        """Return when the first partition is due, None if none is active."""
        due = [output.due_at(flush=flush) for output in self._active.values()]
        return min((at for at in due if at is not None), default=None)

    def _add_to(self, partition: str, outgoing: Outgoing) -> None:
        if partition not in self._active:
            if len(self._active) >= self._most:
                self._fail(outgoing, PARTITIONS_EXCEEDED, _TOO_MANY)
                return
            self._active[partition] = self._make(outgoing.partition_keys)
        self._active[partition].add(outgoing)

    def _fail(self, outgoing: Outgoing, error_type: str, failed: Failed) -> None:
        line = error_line(failed, raw=outgoing.data, arrived_ms=outgoing.arrived_ms, attempts=1, now=self._clock.now())
        self._errors.add(replace(outgoing, data=line, failure=failed.code, error_type=error_type))
