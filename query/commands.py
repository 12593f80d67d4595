"""The `sluice search` and `sluice tail` commands: thin shells.

What they need of AWS's and OpenSearch's clients and DuckDB is imported when they run, so that `sluice --help` need not
load it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, timedelta, tzinfo
from itertools import chain
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.cells import cell_len
from rich.console import Console

from query import places, times
from query.documents import Backend, Found, Question, UnreachableError, merge
from query.language import parse
from query.places import Place, choose_place, choose_routes, open_backends
from query.shown import QuietConsole, Shown, harmless, json_line, write_line
from query.terms import Query, QueryError, When
from query.times import TimeRange
from sluice.load import load
from sluice.routes import Route
from sluice.terminal import FOUND_WRONG, refuse, told

_CONFIG: Final = Path("sluice.yaml")
_GIB: Final = 1024**3
SEARCHED: Final = When(start="1h")
TAILED: Final = When(start="2m")
_SHOWN_OF_QUERY: Final = 100
_SEARCH_SECONDS: Final = 2.0
_STORED_SECONDS: Final = 10.0

Words = Annotated[
    list[str] | None, typer.Argument(metavar="[QUERY]", help="What to find; see below.", show_default=False)
]
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
EnvironmentName = Annotated[
    str | None,
    typer.Option("--env", "-e", help="The environment. [default: a demo that runs here, else the file's first]"),
]
RouteNames = Annotated[
    list[str] | None, typer.Option("--route", "-r", help="Only this route; may be given again. [default: all]")
]
Region = Annotated[str | None, typer.Option(help="AWS region. [default: the environment's, else the credentials']")]
Endpoint = Annotated[str | None, typer.Option(metavar="URL", help="OpenSearch's address, if not to be found out.")]
Local = Annotated[bool, typer.Option("--local", help="The demo that `sluice demo --keep` left running.")]
Utc = Annotated[bool, typer.Option("--utc", help="Read and show times in UTC, not in this machine's zone.")]
Fields = Annotated[str | None, typer.Option(metavar="A,B", help="Show these fields, as time,level,service,order_id.")]
Full = Annotated[bool, typer.Option("--full", help="Show every attribute below its line.")]
Wrap = Annotated[bool, typer.Option("--wrap", help="Show bodies whole, over as many lines as they have.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print each document as a line of JSON.")]


def search(
    query: Words = None,
    *,
    route: RouteNames = None,
    env: EnvironmentName = None,
    config: ConfigFile = _CONFIG,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Show so many at most, 0 for all.")] = 100,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first, not the newest.")] = False,
    fields: Fields = None,
    full: Full = False,
    wrap: Wrap = False,
    utc: Utc = False,
    as_json: AsJson = False,
    region: Region = None,
    endpoint: Endpoint = None,
    local: Local = False,
    late: Annotated[
        int,
        typer.Option(min=0, max=14 * 24, help="S3: look so many hours beyond the time, for documents that came late."),
    ] = 1,
    scan_limit: Annotated[float, typer.Option(min=0.001, help="S3: read no more than so many GiB of objects.")] = 2,
) -> None:
    """Find log lines, in OpenSearch or in S3, wherever the routes deliver to.

    QUERY is words and conditions, all of which have to hold:

        error service:checkout last 15m

        "connection refused" -health status>=500 since 2h

        order_id:(o-1,o-2) container:orders* from 10:30 to 11:00

    **word**, **"a phrase"**: the body contains it, whatever its case. **error**, **warn**, **critical**, **fatal**
    alone: at least so severe, or the body contains the word; in quotes only the word. A **-** before it: not so.

    **field:value**: service, level, container, task, cluster, tag, trace, id, status; any other name is an attribute.
    `*` stands for anything. **level>=warn**, **status:500..599**, **duration>2.5** compare.

    **last 15m**, **since 2h**, **from 10:30 to 11:00**, **from 2026-11-21T10:00Z**, **today**, **yesterday**: the time;
    the last hour when left out.

    Examples:

        sluice search error

        sluice search --route backend --json 'trace:5b8aa5a2d2c872e8321cf37308d69df2 today' | jq .body

        sluice search 'level>=warn yesterday' --fields time,service,order_id,body --limit 0 --oldest

        sluice search -- '-"GET /health" last 5m'

    In S3 the objects of the hours in question are copied and read here, so a short time is a quick answer. A document
    that was delivered twice is shown once.

    Exit status: 0 when something was found, 1 when nothing was, 2 for wrong usage or a place that cannot be read.
    """
    zone = UTC if utc else None
    now_ns = time.time_ns()
    with _ending():
        asked = parse(" ".join(query or ()))
        range_ = times.resolve(asked.when or SEARCHED, now_ns=now_ns, zone=zone)
        question = Question(query=asked, range=range_, oldest_first=oldest, limit=limit or None)
        place, routes = _where(config, env=env, region=region, endpoint=endpoint, local=local, route=route)
        with ExitStack() as stack:
            backends, to_close = open_backends(
                place, routes, now_ns=now_ns, late=timedelta(hours=late), scan_limit=int(scan_limit * _GIB)
            )
            for backend in to_close:
                stack.enter_context(closing(backend))
            write = _writer(
                asked,
                fields,
                full=full,
                wrap=wrap,
                zone=zone,
                as_json=as_json,
                with_day=_spans_days(range_, now_ns, zone),
            )
            count = 0
            for found in merge(backends, question):
                write(found)
                count += 1
            _tell_notes(backends)
            if count == 0:
                _tell_nothing(backends, question, place, routes, zone)
            elif count == limit and not as_json and sys.stderr.isatty():
                _say(f"the {'oldest' if oldest else 'newest'} {limit:,}; there may be more: --limit 0 shows all")
    raise typer.Exit(0 if count else FOUND_WRONG)


def tail(
    query: Words = None,
    *,
    route: RouteNames = None,
    env: EnvironmentName = None,
    config: ConfigFile = _CONFIG,
    every: Annotated[
        float | None, typer.Option(min=0.2, help="Look so many seconds apart. [default: 2, for S3 10]")
    ] = None,
    fields: Fields = None,
    full: Full = False,
    wrap: Wrap = False,
    utc: Utc = False,
    as_json: AsJson = False,
    region: Region = None,
    endpoint: Endpoint = None,
    local: Local = False,
) -> None:
    """Show log lines as they arrive, until Ctrl-C.

    QUERY is as for `sluice search`. It begins with what was read in the last two minutes, or since the time that the
    query says.

    A line is shown when it can be found: in OpenSearch after the route's buffer (a minute, or as configured) and the
    index's refresh, in S3 when its object is written (five minutes, or as configured). One that comes late is shown
    when it comes, within ten minutes in OpenSearch; one that comes twice is shown once.

    Examples:

        sluice tail --route frontend

        sluice tail --route backend 'level>=warn service:checkout' --json | jq -r .body

        sluice tail 'error last 10m'

    Exit status: 0 when ended by Ctrl-C or by whoever reads, 2 for wrong usage or a place that cannot be read.
    """
    zone = UTC if utc else None
    now_ns = time.time_ns()
    with _ending():
        asked = parse(" ".join(query or ()))
        if asked.when is not None and asked.when.end is not None:
            refuse("tail has no end: give only where it begins, as in `last 10m`; `sluice search` finds what was")
        range_ = times.resolve(asked.when or TAILED, now_ns=now_ns, zone=zone)
        place, routes = _where(config, env=env, region=region, endpoint=endpoint, local=local, route=route)
        write = _writer(asked, fields, full=full, wrap=wrap, zone=zone, as_json=as_json, with_day=False)
        seconds = every or (_SEARCH_SECONDS if places.searched(routes) else _STORED_SECONDS)
        _follow(place, routes, asked, start_ns=range_.start_ns, write=write, seconds=seconds)


def _follow(
    place: Place, routes: list[Route], query: Query, *, start_ns: int, write: Callable[[Found], None], seconds: float
) -> None:
    from query.following import Followed, FollowedObjects, FollowedSearch  # noqa: PLC0415 - as at the top

    followed: list[Followed] = []
    if to_search := places.searched(routes):
        followed.append(FollowedSearch(places.open_search(place, to_search), query, start_ns=start_ns))
    if to_s3 := places.stored(routes):
        followed.append(FollowedObjects(places.open_bucket(place, to_s3), query, start_ns=start_ns))
        longest = max(route.buffering.interval_seconds for route in to_s3)
        names = ", ".join(route.name for route in to_s3)
        _say(f"{names}: in S3, where lines can be read when their object is written, up to {longest} s later")
    polled = False
    said: set[str] = set()
    while True:
        try:
            for found in chain.from_iterable(one.poll(time.time_ns()) for one in followed):
                write(found)
            polled = True
        except UnreachableError as error:
            if not polled:
                raise
            _say_once(f"{error}; trying again", said)
        for one in followed:
            for note in one.notes.told:
                _say_once(note, said)
        time.sleep(seconds)


def _where(
    config: Path, *, env: str | None, region: str | None, endpoint: str | None, local: bool, route: list[str] | None
) -> tuple[Place, list[Route]]:
    with told():
        parsed = load(config)
    place = choose_place(
        parsed,
        environment=env,
        region=region,
        endpoint=endpoint,
        local=local,
        demo_file=config.resolve().parent / places.DEMO,
    )
    if place.demo is not None and not local:
        _say("using the demo that is running here; --env names an environment in AWS")
    return place, choose_routes(place.deployment, route or ())


def _writer(
    query: Query, fields: str | None, *, full: bool, wrap: bool, zone: tzinfo | None, as_json: bool, with_day: bool
) -> Callable[[Found], None]:
    names = tuple(name.strip() for name in (fields or "").split(",") if name.strip())
    if as_json:
        return lambda found: write_line(sys.stdout, json_line(found, names))
    console = QuietConsole(highlight=False)
    return Shown(console, query=query, zone=zone, fields=names, full=full, wrap=wrap, with_day=with_day).show


@contextmanager
def _ending() -> Iterator[None]:
    """What can go wrong becomes a message and status 2; whoever stops reading, or presses Ctrl-C, is no error."""
    try:
        yield
    except QueryError as error:
        _refuse_query(error)
    except UnreachableError as error:
        refuse(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except BrokenPipeError:
        # Else the interpreter would flush what is left, and complain, at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def _refuse_query(error: QueryError) -> None:
    lines = [f"sluice: {error.message}"]
    if error.text:
        begin = max(0, error.start - _SHOWN_OF_QUERY // 2)
        text = harmless(error.text[begin : begin + _SHOWN_OF_QUERY])
        before, marked = text[: error.start - begin], text[error.start - begin : error.end - begin]
        lines += [f"  {text}", "  " + " " * cell_len(before) + "^" * max(1, cell_len(marked))]
    for line in (*lines, error.remedy):
        typer.echo(line, err=True)
    raise typer.Exit(2) from None


def _tell_notes(backends: list[Backend]) -> None:
    for backend in backends:
        for note in backend.notes.told:
            _say(note)


def _tell_nothing(
    backends: list[Backend], question: Question, place: Place, routes: list[Route], zone: tzinfo | None
) -> None:
    """Say what was searched, and whether there is anything at all: a wrong time looks like a wrong word."""
    start, end = (times.zoned(ns, zone) for ns in (question.range.start_ns, question.range.end_ns))
    _say(
        f"nothing found in {place.told}, {'routes' if len(routes) > 1 else 'route'} "
        f"{', '.join(route.name for route in routes)}, from {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S %Z}"
    )
    for backend in backends:
        census = backend.census(question)
        newest = (
            f"; the newest there is: {census.newest}" if census.newest else "; there are none at other times either"
        )
        _say(f"{backend.name} has {census.documents:,} documents of that time" + ("" if census.documents else newest))


def _spans_days(range_: TimeRange, now_ns: int, zone: tzinfo | None) -> bool:
    return times.zoned(range_.start_ns, zone).date() != times.zoned(now_ns, zone).date()


def _say(message: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(harmless(message), style="dim", markup=False)


def _say_once(message: str, said: set[str]) -> None:
    if message not in said:
        said.add(message)
        _say(message)
