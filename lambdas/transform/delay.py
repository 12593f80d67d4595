"""How long a document was on its way, for the dashboards: from when its line was read to when it is transformed.

Only for routes to OpenSearch: in S3 nobody draws it. What is left until it is found there is the route's last buffer
and the index's refresh. A clock that is ahead makes it 0. Cost: a microsecond for each document.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from lambdas.transform.document import Document
from lambdas.transform.steps import Step

DELAY = "log.record.delay"
"""Attribute: seconds from `observedTimestamp` to the transformation."""
_SECOND = len("2026-11-21T10:00:00")
_MILLISECOND = slice(_SECOND + 1, _SECOND + 4)


def make_delay(clock: Callable[[], float] = time.time) -> Step:
    """Make the step that says it of every document; the clock gives Unix seconds."""

    def measure(documents: Sequence[Document]) -> None:
        now = clock()
        for document in documents:
            observed = _seconds(document.observed[:_SECOND]) + int(document.observed[_MILLISECOND]) / 1000
            document.keep(DELAY, round(max(now - observed, 0.0), 3))

    return measure


@lru_cache(maxsize=1024)
def _seconds(second: str) -> float:
    """The lines of a batch were read within seconds."""
    return datetime.fromisoformat(second).replace(tzinfo=UTC).timestamp()
