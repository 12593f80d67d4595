"""What was sent: one value per record, in memory and, when given a path, appended to a JSONL file.

Mechanism: a record is written down before its bytes reach the socket, and again (its key and the time)
when its acknowledgement is read, so the file alone tells what was acknowledged however the sender ended.
Cost: every record is held in memory, and two short lines per record go to the file.

File format, one JSON object per line: a record with the fields of `Sent` but `acknowledged_at`, or
`{"source", "time_unix_nano", "acknowledged_at"}`. Bytes that are not UTF-8 stand as lone surrogates
(surrogateescape), which JSON's \\u escapes carry.
"""

import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A record that a client sent.

    `source` is the container's id; with `time_unix_nano` it identifies the record. `text` is the value of
    `log`, undecodable bytes as lone surrogates. `client` is its kind. Times of day are Unix seconds;
    `acknowledged_at` is None until (or for want of) an acknowledgement. A part of a line that was cut has the
    line's `partial_id`, its `partial_ordinal` from 1, and says whether it is the last.
    """

    source: str
    time_unix_nano: int
    tag: str
    text: str
    client: str
    sent_at: float
    acknowledged_at: float | None = None
    stream: str = "stdout"
    partial_id: str | None = None
    partial_ordinal: int = 0
    partial_last: bool = False

    @property
    def key(self) -> Key:
        """What finds this record again among the delivered ones."""
        return (self.source, self.time_unix_nano)


class DuplicateKeyError(Exception):
    """Two records of one source carry one time: nothing could tell them apart after delivery."""

    def __init__(self, record: Sent) -> None:
        super().__init__(
            f"source {record.source} sent two records at {record.time_unix_nano} ns: "
            "give every record of a source a time of its own"
        )


class Ledger:
    """The sent records. Several clients may write to one ledger from their own threads."""

    def __init__(self, path: Path | None = None) -> None:
        self._records: dict[Key, Sent] = {}
        self._lock = threading.Lock()
        self._file: TextIO | None = path.open("a", encoding="ascii") if path else None

    @classmethod
    def read(cls, path: Path) -> Self:
        """The ledger that a file tells of, for a verifier that runs apart from the sender."""
        ledger = cls()
        with path.open(encoding="ascii") as lines:
            for line in lines:
                fields = json.loads(line)
                if "text" in fields:
                    ledger.record(Sent(**fields))
                else:
                    key = (fields["source"], fields["time_unix_nano"])
                    ledger.acknowledge([key], at=fields["acknowledged_at"])
        return ledger

    def record(self, sent: Sent) -> None:
        """Write down a record that is about to be sent. Raises DuplicateKeyError."""
        with self._lock:
            if sent.key in self._records:
                raise DuplicateKeyError(sent)
            self._records[sent.key] = sent
            fields = asdict(sent)
            del fields["acknowledged_at"]
            self._append(fields)

    def acknowledge(self, keys: Iterable[Key], *, at: float) -> None:
        """Write down that these records were acknowledged at a time (Unix seconds)."""
        with self._lock:
            for key in keys:
                self._records[key] = replace(self._records[key], acknowledged_at=at)
                self._append({"source": key[0], "time_unix_nano": key[1], "acknowledged_at": at})

    def close(self) -> None:
        """Flush and close the file, if there is one; the records stay readable."""
        with self._lock:
            if self._file:
                self._file.close()
            self._file = None

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Sent]:
        """The records as they are now, in the order in which they were sent."""
        with self._lock:
            return iter(list(self._records.values()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, fields: dict[str, Any]) -> None:
        if self._file:
            self._file.write(json.dumps(fields) + "\n")
