"""How far each shard of a source has been delivered, kept where a later process finds it.

A position is only ever behind what was delivered: a process that ends in between has the next one deliver some
records once more, and none is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import orjson

SHARD_END: Final = "SHARD_END"
"""In the place of a sequence number: the shard was read to its end, and all of it is settled."""


@dataclass(frozen=True)
class Positions:
    """Where reading a data stream goes on.

    `started_at` is the time (seconds since 1970) that shards without a position are read from, None for all they
    hold; `shards` is the last sequence number of each shard up to which everything is settled, or SHARD_END.
    """

    started_at: float | None
    shards: Mapping[str, str] = field(default_factory=dict)


class Checkpoints(Protocol):
    """Where positions are kept, by the name of the delivery stream."""

    def load(self, name: str) -> Positions | None:
        """Return what was saved last, None if nothing was."""
        ...

    def save(self, name: str, positions: Positions) -> None:
        """Keep `positions` in place of what was saved."""
        ...


class MemoryCheckpoints:
    """Positions that last as long as this object, for a run that starts anew each time."""

    def __init__(self) -> None:
        self._saved: dict[str, Positions] = {}

    def load(self, name: str) -> Positions | None:
        """Return what was saved last, None if nothing was."""
        return self._saved.get(name)

    def save(self, name: str, positions: Positions) -> None:
        """Keep `positions` in place of what was saved."""
        self._saved[name] = positions


class FileCheckpoints:
    """A file for each delivery stream in `directory`, replaced as a whole.

    It outlives a process that is killed at any moment. It is not forced to the disk: a machine that loses power
    loses the emulator's data streams as well.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self, name: str) -> Positions | None:
        """Return what was saved last, None if nothing was; ValueError for a file that is something else."""
        path = self._path(name)
        if not path.exists():
            return None
        saved = orjson.loads(path.read_bytes())
        try:
            return Positions(started_at=saved["started_at"], shards=saved["shards"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is no file of positions; remove it") from error

    def save(self, name: str, positions: Positions) -> None:
        """Keep `positions` in place of what was saved."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps({"started_at": positions.started_at, "shards": dict(positions.shards)}))
        fresh.replace(path)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"
