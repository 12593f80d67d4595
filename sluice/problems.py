"""What is wrong with a configuration file, said so that it can be mended: where, what, and the remedy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Breach:
    """A rule that is broken at a key."""

    path: Path
    message: str
    remedy: str


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong at one place in the file.

    `path` leads to the key, as ("routes", 0, "buffering", "size_mib"); `line` counts from 1, 0 when the file
    could not be read that far.
    """

    file: str
    line: int
    path: Path
    value: str
    message: str
    remedy: str

    @property
    def key(self) -> str:
        """The path as a reader writes it: `routes[0].buffering.size_mib`."""
        spelled = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return spelled.lstrip(".")

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f"{self.key} = {self.value}: " if self.key else ""
        return f"{place}: {subject}{self.message}\n    {self.remedy}"


class ConfigError(Exception):
    """The configuration cannot be used; `problems` says all that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


Detail = TypeVar("Detail", bound=Mapping[str, Any])


def innermost(details: Sequence[Detail]) -> list[Detail]:
    """Pydantic's errors without those that follow from another: a list with a wrong item is not too short as well."""
    places = [each["loc"] for each in details]
    return [
        each for each in details if not any(p != each["loc"] and p[: len(each["loc"])] == each["loc"] for p in places)
    ]
