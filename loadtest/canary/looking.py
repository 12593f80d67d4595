"""What became of the tracers: look everywhere for new copies, judge, keep the state, and tell.

What is to be told is told by the invocation that could put the state back. One that dies in between has read for
nothing; one that dies after it leaves a gap of five minutes in the metrics, and says nothing twice.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError

from loadtest.asking import Post, SearchError
from loadtest.canary.judging import Verdict, awaited_since, begin, judge, notice, resumed, unseen
from loadtest.canary.kept import Kept, RouteState, State
from loadtest.canary.objects import Budget, Objects
from loadtest.canary.search import find_copies
from loadtest.canary.settings import Route, Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SLACK_SECONDS: Final = 60
"""Clocks differ, and an object's time is when its writing began."""


@dataclass(frozen=True)
class Looked:
    """What is told: of each route, what was read and not read (bytes), and what could not be asked, by route."""

    verdicts: tuple[Verdict, ...]
    read: int
    skipped: int
    troubles: Mapping[str, str]


def look(
    settings: Settings,
    kept: Kept,
    client: "S3Client",
    *,
    search: Post | None,
    has_time: Callable[[], bool] = lambda: True,
    clock: Callable[[], float] = time.time,
) -> Looked | None:
    """Look for what is new since the last time; None if another invocation has told meanwhile."""
    now = clock()
    before = kept.load()
    state = State({route.name: _state(before, route, now) for route in settings.routes}, before.etag)
    verdicts = {route.name: Verdict(route) for route in settings.routes}
    budget = Budget(settings.read_bytes, has_time)
    objects = Objects(client, settings.bucket, run=settings.run)
    _read_objects(settings, objects, state, verdicts, budget, now=now)
    troubles = _ask_search(settings, search, state, verdicts)
    for route in settings.routes:
        if route.name not in troubles:
            mine = state.routes[route.name]
            failed = partial(_failed, objects, route, mine, budget)
            judge(verdicts[route.name], mine, settings, now=now, sent=kept.sent, failed=failed)
    if not kept.save(state):
        return None
    return Looked(tuple(verdicts.values()), budget.read, budget.skipped, troubles)


def _failed(
    objects: Objects, route: Route, state: RouteState, budget: Budget, wanted: frozenset[int]
) -> Mapping[int, str]:
    """Where some of the failure store could not be read, nothing that is missing is called lost."""
    before = budget.skipped
    found = objects.failed(route, wanted, budget, since=awaited_since(state) - SLACK_SECONDS)
    if budget.skipped > before:
        state.blind_until = time.time()
    return found


def _state(before: State, route: Route, now: float) -> RouteState:
    mine = before.routes.get(route.name)
    return begin(now) if mine is None else resumed(mine, now)


def _read_objects(
    settings: Settings,
    objects: Objects,
    state: State,
    verdicts: Mapping[str, Verdict],
    budget: Budget,
    *,
    now: float,
) -> None:
    """The route with the least to read first, each with its share of what is left: no route starves another."""
    new = []
    for route in settings.routes:
        if route.kind == "s3":
            mine = state.routes[route.name]
            found = objects.new(route, mine, since=awaited_since(mine) - SLACK_SECONDS, now=now)
            new.append((sum(each.size for each in found), route, found))
    new.sort(key=lambda each: each[0])
    for at, (_, route, found) in enumerate(new):
        mine = state.routes[route.name]
        share = budget.left // (len(new) - at)
        notice(verdicts[route.name], mine, objects.read(route, mine, found, budget, share=share))


def _ask_search(
    settings: Settings, search: Post | None, state: State, verdicts: Mapping[str, Verdict]
) -> dict[str, str]:
    """What could not be asked, by route: nothing is said of its tracers until it can be."""
    troubles = {}
    for route in settings.routes:
        if route.kind != "search":
            continue
        mine = state.routes[route.name]
        try:
            if search is None:
                raise SearchError("there is no SLUICE_SEARCH_ENDPOINT")
            copies, are_all = find_copies(search, route, run=settings.run, since=awaited_since(mine) - SLACK_SECONDS)
        except (SearchError, OSError, BotoCoreError, ValueError) as error:
            troubles[route.name] = f"{type(error).__name__}: {error}"
            continue
        notice(verdicts[route.name], mine, unseen(mine, copies))
        if not are_all:
            mine.blind_until = max(mine.blind_until, time.time())
    return troubles
