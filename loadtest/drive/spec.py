"""What one sending process is told, as a JSON file, and what it tells, as JSON lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from loadtest.plan import Plan, Source
from loadtest.profile import Profile
from sluice.base import Frozen


class Spec(Frozen):
    """One process's part: the sources whose number leaves `process` over when divided by `processes`."""

    profile: Profile
    run: int
    to: dict[str, tuple[str, int]]
    folder: Path
    process: int
    processes: int
    ack_timeout: float
    give_up_after: float

    def sources(self, plan: Plan) -> Iterator[Source]:
        """The sources that are this process's to send."""
        return (source for source in plan if source.number % self.processes == self.process)

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json()

    @classmethod
    def from_file(cls, file: Path) -> Self:
        """Read it back. Raises OSError, or ValueError when it is not one."""
        return cls.model_validate_json(file.read_bytes())


class Told(Frozen):
    """What a process says of itself: when it is ready, and then ten times a second. `behind` is in seconds."""

    sent: int = 0
    acknowledged: int = 0
    bytes: int = 0
    behind: float = 0.0
    errors: tuple[str, ...] = ()
