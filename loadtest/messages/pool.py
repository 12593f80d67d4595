"""A load's texts, laid out as the ring that its sources go round."""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from random import Random
from typing import Final

from loadtest.messages import formats
from loadtest.messages.hostile import hostile
from loadtest.messages.text import MARK, Prose, Text, only_one_marker
from loadtest.profile import Format, Load, Size

MOST_TEXTS: Final = 1_024
MOST_BYTES: Final = 4_000_000
_LEAST_TEXTS: Final = 16

_Make = Callable[[Random, Prose, int], list[Text]]
_MAKERS: Final[dict[Format, _Make]] = {
    "text": formats.text,
    "access": formats.access,
    "json": formats.structured,
    "multiline": formats.trace,
    "split": formats.split,
    "hostile": hostile,
}


@dataclass(frozen=True)
class Pool:
    """The ring. Lines and traces of several records are whole in it; `starts` are where one begins."""

    texts: tuple[Text, ...]
    starts: tuple[int, ...]

    def first(self, source: int) -> int:
        """Where in the ring the source of that number begins: at the beginning of a line or trace."""
        digest = blake2b(source.to_bytes(4, "big"), digest_size=8).digest()
        return self.starts[int.from_bytes(digest, "big") % len(self.starts)]

    def at(self, source: int, sequence: int) -> Text:
        """The text of a source's message."""
        return self.texts[(self.first(source) + sequence) % len(self.texts)]

    def head_of(self, position: int) -> int:
        """Where the line or trace begins that the text at this place of the ring belongs to."""
        return self.starts[bisect_right(self.starts, position) - 1]


def make_pool(seed: int, load: Load) -> Pool:
    """The texts of a load: at most 1,024 or 4 MB of them, its formats in their proportions, in random order.

    Every format is there at least once, however seldom, so that a rare one may come more often than its weight says.
    """
    random = Random(f"{seed}:{load.name}")  # noqa: S311 - a load, not a secret
    prose = Prose(random)
    lines = _lines(random, prose, load)
    random.shuffle(lines)
    starts: list[int] = []
    texts: list[Text] = []
    for line in lines:
        starts.append(len(texts))
        texts += [_finished(text, utf8=load.client == "otlp") for text in line]
    return Pool(texts=tuple(texts), starts=tuple(starts))


def _lines(random: Random, prose: Prose, load: Load) -> list[list[Text]]:
    """Lines until there are enough, each of the format that is furthest behind its weight."""
    made = dict.fromkeys(load.formats, 0)
    lines: list[list[Text]] = []
    texts = total = 0
    while texts < _LEAST_TEXTS or 0 in made.values() or (texts < MOST_TEXTS and total < MOST_BYTES):
        kind = min(made, key=lambda name: made[name] / load.formats[name])
        line = _MAKERS[kind](random, prose, _length(random, load.size))
        lines.append(line)
        made[kind] += len(line)
        texts += len(line)
        total += sum(len(text.data) for text in line)
    return lines


def _length(random: Random, size: Size) -> int:
    """How long a message is to be, in bytes."""
    if size.sigma == 0:
        return size.median
    drawn = round(size.median * math.exp(size.sigma * random.gauss(0.0, 1.0)))
    return min(max(drawn, size.least), max(size.most, size.median))


def _finished(text: Text, *, utf8: bool) -> Text:
    """The text as it can be sent: with one marker; and as UTF-8, where the client can carry nothing else."""
    data = only_one_marker(text.data)
    if utf8:
        data = data.decode("utf-8", "replace").encode()
    assert data.count(MARK) == 1  # noqa: S101 - what the account rests on
    return replace(text, data=data)
