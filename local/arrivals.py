"""What has become readable in the bucket and in OpenSearch so far, looked at all the while, so that latencies are real.

A thread polls both twice a second; a latency is at most that much too long and never too short.
Everything read is kept in memory: this is for a demo's thousands of records, not for a load test.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from loadtest.ledger import Key
from loadtest.read_s3 import BucketReader, route_of_key
from loadtest.read_search import IndexReader, route_of_index
from loadtest.verify import Delivery, document_key, records_in

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from opensearchpy import OpenSearch

POLL_SECONDS: Final = 0.5


@dataclass
class Arrivals:
    """Documents and failure records by where they lie; use as a context manager.

    `search` is None where nothing goes to OpenSearch; the names of its indices begin with `prefix`.
    """

    s3: "S3Client"
    bucket: str
    search: "OpenSearch | None"
    prefix: str
    deliveries: list[Delivery] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    indexed: Counter[str] = field(default_factory=Counter)
    """Documents by index."""
    keys: dict[Key, int] = field(default_factory=dict)
    """What was seen: the first record of each document, and how many records it holds."""

    def __post_init__(self) -> None:
        self._delivered = BucketReader(self.s3, bucket=self.bucket, prefixes=["logs/"])
        self._failed = BucketReader(self.s3, bucket=self.bucket, prefixes=["failed/"])
        self._indexed = None if self.search is None else IndexReader(self.search, pattern=f"{self.prefix}-*")
        self._reading = threading.Lock()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._watch, name="arrivals", daemon=True)

    def __enter__(self) -> "Arrivals":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def wait(self, expected: int, *, patience_seconds: float) -> bool:
        """Wait until so many different records were seen; False when none came for that long."""
        with self._changed:
            while self._count() < expected:
                before = self._count()
                arrived = self._changed.wait_for(
                    lambda before=before: self._error is not None or self._count() > before,  # type: ignore[misc]
                    timeout=patience_seconds,
                )
                if self._error is not None:
                    raise self._error
                if not arrived:
                    return False
        return True

    def _count(self) -> int:
        return sum(self.keys.values()) + len(self.failures)

    def _watch(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.read()
            except Exception as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return

    def read(self) -> None:
        """Read what is there now, in the calling thread."""
        with self._reading:
            self._read()

    def _read(self) -> None:
        for found in self._delivered.poll():
            route = route_of_key(found.key)
            self._deliver([Delivery(document, found.readable_at, route) for document in found.documents])
            self.objects.append(found.key)
        for document in self._indexed.poll() if self._indexed is not None else ():
            route = route_of_index(document.index, prefix=self.prefix)
            self._deliver([Delivery(document.document, document.readable_at, route)])
            self.indexed[document.index] += 1
        for found in self._failed.poll():
            failures = list(found.documents)
            with self._changed:
                self.objects.append(found.key)
                self.failures += failures
                self._changed.notify_all()

    def _deliver(self, deliveries: list[Delivery]) -> None:
        with self._changed:
            self.deliveries += deliveries
            for delivery in deliveries:
                if (key := document_key(delivery.document)) is not None:
                    self.keys[key] = max(self.keys.get(key, 0), records_in(delivery.document))
            self._changed.notify_all()
