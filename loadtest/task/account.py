"""What became of a run in AWS: by SQL over S3, or by reading all that its routes delivered.

Each looks again until for the profile's `settle_seconds` nothing of the run has come; a route's buffers the state
machine has waited for before. What either can tell, `loadtest.tally` says: SQL knows neither order nor content.

Cost: by SQL Athena's price for reading the objects of the run's hours, twice ($5 a TB each time), and nothing here. By
reading, a download of what the routes delivered in those hours, whoever sent it: some 200,000 documents a second from
S3, and 8,000 from OpenSearch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loadtest.asking import Post
from loadtest.journal import Journal
from loadtest.plan import Plan
from loadtest.tally import Result, Tally, account_from_rows
from loadtest.tally.athena import delivered_sql, failed_sql
from loadtest.tally.readers import BucketObjects, ObjectReader, read_into
from loadtest.tally.windows import WindowReader
from loadtest.task.query import Athena, QueryError, Row
from loadtest.task.target import Route, Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

POLL_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 3600.0
"""So long at most something new is waited for: what a search counts are others' documents of that time, too."""
NO_ORDER: Final = "documents in OpenSearch do not tell in which order they came"
NO_LATENCY: Final = "Athena does not know when an object was written, so there are no latencies"
_HIDDEN: Final = "$file_modified_time"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is accounted for, where, and a folder for the time being. `tell` gets what has come so far."""

    plan: Plan
    journal: Journal
    target: Target
    folder: Path
    tell: Callable[[int], None]

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that its loads take."""
        return self.target.routes_of(self.plan)

    def about(self) -> dict[str, str]:
        """What the report says of the target."""
        names = ", ".join(route.name for route in self.routes)
        return {"host": self.target.host, "bucket": self.target.bucket, "routes": names}

    def route_of(self, tag: str) -> str:
        """The name of the route that takes a tag."""
        return self.target.route_of(tag).name


def by_sql(run: Run, athena: Athena) -> Result:
    """The account that Athena makes. Raises QueryError."""
    before: int | None = None
    began = time.monotonic()
    while True:
        result = _asked(run, athena)
        run.tell(result.total.delivered)
        is_late = time.monotonic() - began > LONGEST_SECONDS
        if not result.total.lost or result.total.delivered == before or is_late:
            return result
        before = result.total.delivered
        time.sleep(run.plan.profile.settle_seconds)


def _asked(run: Run, athena: Athena) -> Result:
    until = time.time()
    notes: tuple[str, ...] = ()
    try:
        rows = _delivered(run, athena, until=until, latency=True)
    except QueryError as error:
        if _HIDDEN not in str(error):
            raise
        rows, notes = _delivered(run, athena, until=until, latency=False), (NO_LATENCY,)
    failed = athena.ask(failed_sql(run.target.failed, plan=run.plan, began=run.journal.began, until=until))
    made = account_from_rows(
        run.plan,
        run.journal,
        rows,
        failed=failed,
        route_of=run.route_of,
        target=run.about() | {"verified": "by Athena"},
        folder=run.folder,
    )
    return replace(made, notes=(*made.notes, *notes))


def _delivered(run: Run, athena: Athena, *, until: float, latency: bool) -> list[Row]:
    began, plan = run.journal.began, run.plan
    return [
        row
        for route in run.routes
        for row in athena.ask(
            delivered_sql(route.table, route=route.name, plan=plan, began=began, until=until, latency=latency)
        )
    ]


def by_reading(run: Run, client: "S3Client", search: Post | None) -> Result:
    """The account of all that can be read. Raises UnreadableObjectError and SearchError."""
    tally = Tally(run.plan, folder=run.folder / "tally", route_of=run.route_of)
    prefixes = [
        *(route.place for route in run.routes if route.kind != "opensearch"),
        *(f"failed/route={route.name}/" for route in run.routes),
    ]
    objects = BucketObjects(client, bucket=run.target.bucket, prefixes=prefixes, since=run.journal.began)
    reader = ObjectReader(objects, modified=True)
    is_searched = any(route.kind == "opensearch" for route in run.routes)
    searched = _searched(run, search) if search and is_searched else None
    _await(lambda: _come(tally, reader, searched), run)
    if searched:
        for found in searched.read():
            for lines in found.lines:
                tally.deliver(lines, route=found.route, readable_at=found.readable_at)
    made = tally.close(run.journal, target=run.about() | {"verified": "by reading"})
    return made.without("reordered", note=NO_ORDER) if searched else made


def _searched(run: Run, search: Post) -> WindowReader:
    routes = [route for route in run.routes if route.kind == "opensearch"]
    ended = run.journal.entries[-1].at if run.journal.entries else run.journal.began
    return WindowReader(
        search,
        places={route.name: route.place for route in routes},
        found_after={route.name: route.found_after for route in routes},
        since=run.journal.began,
        until=ended,
    )


def _come(tally: Tally, reader: ObjectReader, searched: WindowReader | None) -> int:
    read_into(tally, [reader])
    return tally.delivered + (searched.count() if searched else 0)


def _await(come: Callable[[], int], run: Run) -> None:
    """Return when for `settle_seconds` nothing has come."""
    settle, before = run.plan.profile.settle_seconds, -1
    began = since = time.monotonic()
    while time.monotonic() - began < LONGEST_SECONDS:
        there = come()
        if there > before:
            before, since = there, time.monotonic()
            run.tell(there)
        if time.monotonic() - since >= settle:
            return
        time.sleep(min(POLL_SECONDS, settle))
