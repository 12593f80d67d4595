"""What a load test sent and what was acknowledged, in a few bytes for each message.

Each sending process appends to a journal of its own, some ten times a second and not for each message: how far each
source has got, and which of its messages were acknowledged since, as ranges. So a journal is small whatever the rate,
and tells all of it whenever the process ends, bar what happened in the last tenth of a second before a SIGKILL.

File format, `sent-<process>.jsonl`, one JSON object per line:
`{"run", "process", "began"}` first (Unix seconds); then `{"at", "sent": {source: count}, "acknowledged":
{source: [[first, end], …]}, "bytes", "behind"}`, where a count says that messages 0 to count - 1 were handed to the
socket, `bytes` are those of all messages so far and `behind` is by how many seconds the slowest source was late; and at
a clean end `{"at", "ended": true, "error": text or null}`. Ranges are half open.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one process says at a time: how far it got, and what was acknowledged since it last said so."""

    at: float
    sent: Mapping[int, int]
    acknowledged: Mapping[int, tuple[Range, ...]]
    bytes: int
    behind: float


class JournalWriter:
    """The journal of one process; use as a context manager, or `close` it."""

    def __init__(self, folder: Path, *, run: int, process: int, began: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"sent-{process}.jsonl").open("a", encoding="ascii")
        self._write({"run": run, "process": process, "began": began})

    def write(self, entry: Entry) -> None:
        """Say what happened since the last time."""
        self._write(
            {
                "at": entry.at,
                "sent": {str(source): count for source, count in entry.sent.items()},
                "acknowledged": {str(source): ranges for source, ranges in entry.acknowledged.items()},
                "bytes": entry.bytes,
                "behind": entry.behind,
            }
        )

    def end(self, *, at: float, error: str | None) -> None:
        """Say that the process ends of itself, and with which error."""
        self._write({"at": at, "ended": True, "error": error})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, fields: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(fields, separators=(",", ":")) + "\n")
        self._file.flush()


@dataclass
class Journal:
    """What all processes of a run said, put together."""

    run: int | None = None
    began: float = 0.0
    sent: dict[int, int] = field(default_factory=dict)
    """By source: messages 0 to count - 1 were sent."""
    acknowledged: dict[int, list[Range]] = field(default_factory=dict)
    """By source: ranges, in the order in which they were acknowledged."""
    entries: list[Entry] = field(default_factory=list)
    """Everything, by time."""
    bytes: int = 0
    """Of all messages that were sent, by all processes."""
    errors: list[str] = field(default_factory=list)
    unended: int = 0
    """How many processes did not say that they ended."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The journals in a folder. A last line that was cut off is left out; ValueError for two runs in one folder."""
        journal = cls()
        for file in sorted(folder.glob("sent-*.jsonl")):
            ended, size = False, 0
            for fields in _lines(file):
                if "began" in fields:
                    journal._begin(fields, file)
                elif "ended" in fields:
                    ended = True
                    journal.errors += [fields["error"]] if fields["error"] else []
                else:
                    journal._add(fields)
                    size = fields["bytes"]
            journal.bytes += size
            journal.unended += not ended
        journal.entries.sort(key=lambda entry: entry.at)
        return journal

    def _begin(self, fields: Mapping[str, Any], file: Path) -> None:
        if self.run not in (None, fields["run"]):
            raise ValueError(f"{file} is of another run than the journals beside it: take a folder for each run")
        self.began = min(self.began, fields["began"]) if self.run is not None else fields["began"]
        self.run = fields["run"]

    def _add(self, fields: Mapping[str, Any]) -> None:
        sent = {int(source): count for source, count in fields["sent"].items()}
        acknowledged = {
            int(source): tuple((first, end) for first, end in ranges)
            for source, ranges in fields["acknowledged"].items()
        }
        for source, count in sent.items():
            self.sent[source] = max(self.sent.get(source, 0), count)
        for source, ranges in acknowledged.items():
            self.acknowledged.setdefault(source, []).extend(ranges)
        self.entries.append(Entry(fields["at"], sent, acknowledged, fields["bytes"], fields["behind"]))


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield json.loads(line)
