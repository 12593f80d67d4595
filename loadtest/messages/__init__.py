"""What a load says: seeded texts, the same in every process and for who verifies.

A load has a pool of texts, made once from the profile's seed. A source goes round the pool from a place of its own, so
that which text a message has follows from seed, source and sequence number alone; run, source, number and time are then
written into it. `text_of` gives one message; senders write whole chunks of them (loadtest.drive.layout).

Cost: a pool takes 0.1 to 0.3 s to make and 2 to 6 MB; `text_of` 10 us.
"""

from functools import lru_cache

from loadtest.marker import Marker
from loadtest.messages.pool import Pool, make_pool
from loadtest.plan import Plan, Source
from loadtest.profile import Load

__all__ = ["Pool", "pool_of", "text_of"]

_REMEMBERED = 64


def text_of(plan: Plan, source: Source, sequence: int, due_unix_nano: int) -> str:
    """What stands in `log` of a source's message; bytes that are not UTF-8 as lone surrogates.

    A pure function of the seed, the source, the number and the time: what a delivered message is compared with.
    """
    text = pool_of(plan.profile.seed, source.load).at(source.number, sequence)
    marker = Marker(plan.run, source.number, sequence, due_unix_nano)
    return text.write(marker).decode("utf-8", "surrogateescape")


def pool_of(seed: int, load: Load) -> Pool:
    """The load's texts: made at the first call, remembered after it."""
    return _pool(seed, load.model_dump_json())


@lru_cache(_REMEMBERED)
def _pool(seed: int, load: str) -> Pool:
    return make_pool(seed, Load.model_validate_json(load))
