"""A tag that really takes a route: matched by the route, and by no route before it.

Mechanism: first a few readable tags are tried. If another route takes all of those, the shortest tag is searched for
among all there are, breadth first, over the states that the globs can be in at once; that search is exact. A glob's
state is the set of places it may have got to, less those before its last star: whatever one of them matches, the star
matches too. Cost: microseconds as a rule; the search ends after `MOST_STATES`, some tenths of a second.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sluice import globs
from sluice.globs import STAR

WORD: Final = "sluice-canary"
MOST_STATES: Final = 20_000
_FILLER: Final = "c"

_State = tuple[frozenset[int], ...]


def tag_for(match: str, *, earlier: Sequence[str]) -> str | None:
    """A tag that `match` matches and none of `earlier` does; None if there is none.

    It is None too where none of the first MOST_STATES states has one, which takes dozens of interleaved globs.
    """
    for tag in _readable(match):
        if tag and globs.matches(match, tag) and not any(globs.matches(glob, tag) for glob in earlier):
            return tag
    return _searched((match, *earlier))


def _readable(match: str) -> Iterator[str]:
    """Tags a person knows for what they are: the match with the canary's name for one of its stars."""
    parts = match.split(STAR)
    for at in range(1, len(parts)):
        before, after = "".join(parts[:at]), "".join(parts[at:])
        for joint in ("-", ".", "") if before[-1:].isalnum() else ("", "-"):
            yield f"{before}{joint}{WORD}{after}"
    yield "".join(parts)


def _searched(patterns: tuple[str, ...]) -> str | None:
    letters = sorted({letter for glob in patterns for letter in glob if letter != STAR} | {_FILLER})
    state = tuple(_reached(glob, {0}) for glob in patterns)
    # Not the first state: an empty tag is none, and a letter may lead back to where it began.
    seen: set[_State] = set()
    waiting = [(state, "")]
    for state, tag in waiting:
        if tag and _is_taken(patterns, state):
            return tag
        for letter in letters:
            after = tuple(_stepped(glob, at, letter) for glob, at in zip(patterns, state, strict=True))
            if after[0] and after not in seen and len(seen) < MOST_STATES and not _is_lost(patterns, after):
                seen.add(after)
                waiting.append((after, tag + letter))
    return None


def _is_taken(patterns: tuple[str, ...], state: _State) -> bool:
    mine, *others = (len(glob) in at for glob, at in zip(patterns, state, strict=True))
    return mine and not any(others)


def _is_lost(patterns: tuple[str, ...], state: _State) -> bool:
    """Whether an earlier glob takes all that may follow: it ends in a star, and has got there."""
    ends = zip(patterns[1:], state[1:], strict=True)
    return any(glob.endswith(STAR) and len(glob) - 1 in at for glob, at in ends)


def _stepped(glob: str, at: frozenset[int], letter: str) -> frozenset[int]:
    after = {place for place in at if place < len(glob) and glob[place] == STAR}
    after |= {place + 1 for place in at if place < len(glob) and glob[place] == letter}
    return _reached(glob, after)


def _reached(glob: str, places: set[int]) -> frozenset[int]:
    """The places with those behind the stars that match nothing, and without those that the last star makes idle."""
    found = set(places)
    for place in sorted(places):
        while place < len(glob) and glob[place] == STAR:
            place += 1  # noqa: PLW2901 - the run of stars is walked from each place
            found.add(place)
    last = max((place for place in found if place < len(glob) and glob[place] == STAR), default=0)
    return frozenset(place for place in found if place >= last)
