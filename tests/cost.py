"""How much longer code takes with more to do, on a busy machine too."""

import math
import time
from collections.abc import Callable

LEAST_TRIES = 3
MOST_TRIES = 10


def times_longer(much: Callable[[], object], little: Callable[[], object], *, below: float, floor: float) -> float:
    """By how many times longer `much()` takes than `little()`.

    Of each the least of some tries counts, in turn, by this thread's time on a processor: what else runs makes some of
    them longer and none of them shorter. So it is tried again, up to ten times, while that is not `below`. What takes
    less than `floor` seconds counts as so long.
    """
    least = [math.inf, math.inf]
    for tried in range(1, MOST_TRIES + 1):
        for at, run in enumerate((much, little)):
            began = time.thread_time()
            run()
            least[at] = min(least[at], time.thread_time() - began)
        ratio = least[0] / max(least[1], floor)
        if tried >= LEAST_TRIES and ratio < below:
            break
    return ratio
