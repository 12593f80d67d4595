"""Which stream a tag goes to: the first route that matches, as in sluice.yaml.

Tags are remembered, for there are few of them and many messages; hostile ones cost a search each.
"""

import re
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

RESERVED: Final = "sluice."
"""What begins with it goes nowhere: the health check's probe (sluice.model.RESERVED_TAG_PREFIX)."""
_REMEMBERED: Final = 10_000

Goal = TypeVar("Goal")


class Routing(Generic[Goal]):
    """Globs and where they lead. The last one takes every tag."""

    def __init__(self, routes: Sequence[tuple[str, Goal]]) -> None:
        self._routes = [(re.compile(_pattern(glob), re.DOTALL), goal) for glob, goal in routes]
        self._known: dict[str, Goal | None] = {}

    def of(self, tag: str) -> Goal | None:
        """Where the tag goes; None for what goes nowhere."""
        try:
            return self._known[tag]
        except KeyError:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            goal = None if tag.startswith(RESERVED) else self._search(tag)
            self._known[tag] = goal
            return goal

    def _search(self, tag: str) -> Goal:
        return next(goal for pattern, goal in self._routes if pattern.fullmatch(tag))


def _pattern(glob: str) -> str:
    return ".*".join(map(re.escape, glob.split("*")))
