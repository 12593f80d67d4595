"""What became readable in OpenSearch, as a tally reads it. Cost: each document is written once more as JSON."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from loadtest.read_search import IndexReader, route_of_index
from loadtest.tally.readers import Found

if TYPE_CHECKING:
    from opensearchpy import OpenSearch


class SearchReader:
    """Reads the new documents of an environment's indices, whose names begin with its prefix, as `sluice-prod`.

    `since` is as for IndexReader.
    """

    def __init__(
        self,
        client: "OpenSearch",
        *,
        prefix: str,
        since: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._prefix = prefix
        self._indices = IndexReader(client, pattern=f"{prefix}-*", since=since, clock=clock)

    def poll(self) -> Iterator[Found]:
        """The documents that no poll has given before, an answer at a time."""
        for (index, readable_at), found in groupby(
            self._indices.poll(), key=lambda each: (each.index, each.readable_at)
        ):
            lines = b"".join(json.dumps(each.document).encode() + b"\n" for each in found)
            yield Found(route_of_index(index, prefix=self._prefix), readable_at, None, iter((lines,)))
