"""`sluice explain` and `sluice transform`: thin shells over explaining and running.

What they need of the transformer is imported when they run, so that `sluice --help` need not load it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from explain.kinds import Kind, UsageError
from sluice.load import load
from sluice.terminal import FOUND_WRONG, refuse, told

if TYPE_CHECKING:
    from explain.function import Function
    from explain.reading import Input
    from explain.running import Runner

SHOWN: Final = 20
KEPT: Final = Path(".sluice/transform")
_CONFIG: Final = Path("sluice.yaml")

File = Annotated[str, typer.Argument(metavar="FILE", help="A file (gzip, zstd or neither), or - for stdin.")]
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
As = Annotated[Kind, typer.Option("--as", help="What the file holds, if that is not to be found out.")]
At = Annotated[
    str | None, typer.Option(metavar="TIME", help="When the lines are read: 2026-11-21T02:36:00Z. [default: now]")
]


def explain(
    file: File,
    *,
    route: Annotated[str | None, typer.Option(help="Use this route's steps, formats and rules.")] = None,
    config: ConfigFile = _CONFIG,
    kind: As = Kind.AUTO,
    at: At = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="Show so many, 0 for all. [default: 20, with --json all]")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Cut nothing, and show each document as it is stored.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each document.")] = False,
) -> None:
    """Show what the transformer makes of your own lines, line by line.

    For each: what it was wrapped in, the format it has, its severity, time and trace, the attributes found in
    it, and what a route's rules drop or redact. At the end: how many lines have which format.

    FILE may hold what a container writes, records as Fluent Bit or Docker make them, a KPL aggregate, a payload
    of CloudWatch Logs, or a transformation event of Firehose. Nothing is sent anywhere, and hashes are made with
    a throw-away key.

    Examples:

        sluice explain app.log

        docker logs shop 2>&1 | sluice explain - --limit 5 --full

        sluice explain app.log --json | jq -r 'select(.format == null).text'

    Exit status: 0 when every line became a document or was dropped by a rule, 1 when not, 2 for wrong usage.
    """
    from explain.explaining import Teller, explain_file  # noqa: PLC0415

    parsed = None
    if route is not None:
        with told():
            parsed = load(config)
    most = limit if limit is not None else 0 if as_json else SHOWN
    teller = Teller(most=most or None, full=full, as_json=as_json)
    with _refusing():
        complete = explain_file(file, config=parsed, route=route, kind=kind, at=at, teller=teller)
    _end(teller.error, complete=complete)


def transform(
    file: File,
    *,
    route: Annotated[str, typer.Option(help="The route, as sluice.yaml names it.")],
    config: ConfigFile = _CONFIG,
    env: Annotated[
        str | None, typer.Option("--env", "-e", help="The environment; the file's first when left out.")
    ] = None,
    kind: As = Kind.AUTO,
    at: At = None,
    pack: Annotated[
        bool | None,
        typer.Option("--pack/--no-pack", help="Many lines in one record, or one. [default: as the route says]"),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to. [default: standard output]")] = None,
    failed: Annotated[Path | None, typer.Option(help="Write failed records there, with their reasons.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the outcome as one JSON object.")] = False,
) -> None:
    """Run a file through a route's function, as Firehose would.

    Lines are packed, batched and transformed with what `cdk deploy` would tell the function. Documents go to
    standard output, one in a line, and a table of what became of every line to standard error.

    Nothing reaches AWS: hashes are made with a throw-away key, and the originals of documents that are cut go
    to `.sluice/transform`. FILE may hold what `sluice explain` takes; an event of Firehose is used as it is.

    Examples:

        sluice transform app.log --route backend | jq .severity

        sluice transform event.json --route backend -o documents.ndjson --failed failed.ndjson

        zcat old.log.gz | sluice transform - --route backend --json > /dev/null

    Exit status: 0 when every record was delivered or dropped by a rule, 1 when not, 2 for wrong usage.
    """
    from explain.feeding import read_clock  # noqa: PLC0415
    from explain.function import Folder, function_of  # noqa: PLC0415
    from explain.reading import open_input  # noqa: PLC0415
    from explain.running import Runner, transform_file  # noqa: PLC0415

    with told():
        parsed = load(config)
    folder = Folder(KEPT)
    err = Console(stderr=True, highlight=False)
    with _refusing(), ExitStack() as stack:
        function = function_of(parsed, route=route, environment=env, bucket=folder)
        time_ns = read_clock(at)
        source = stack.enter_context(open_input(file, kind))
        out = _writable(output, stack) if output else sys.stdout.buffer
        rejected = _writable(failed, stack) if failed else None
        runner = Runner(function, out=out, failed=rejected, time_ns=time_ns)
        quiet = as_json or not err.is_terminal or (output is None and sys.stdout.isatty())
        advance = stack.enter_context(_progress(source, err, quiet=quiet))
        error = transform_file(source, function, runner, time_ns=time_ns, packed=pack, advance=advance)
        out.flush()
    if as_json:
        typer.echo(orjson.dumps({"file": file, "route": route, "error": error, **runner.totals.to_json()}), err=True)
    else:
        _sum_up(runner, function, folder.root, err)
    _end(None if as_json else error, complete=runner.totals.complete and error is None)


def _sum_up(runner: Runner, function: Function, kept: Path, err: Console) -> None:
    from explain.tables import totals_table  # noqa: PLC0415

    err.print(totals_table(runner.totals, kept=f"their originals are in {kept}"))
    if function.hashes:
        err.print("[yellow]hashes are made with a throw-away key: they are equal within this run only[/yellow]")


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        refuse(str(error))


def _end(error: str | None, *, complete: bool) -> None:
    if error:
        typer.echo(f"sluice: {error}", err=True)
    raise typer.Exit(0 if complete else FOUND_WRONG)


def _writable(file: Path, stack: ExitStack) -> IO[bytes]:
    try:
        return stack.enter_context(file.open("wb"))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}: name a file that can be written") from None


@contextmanager
def _progress(source: Input, err: Console, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar over the file's bytes on a terminal's stderr, nothing elsewhere."""
    columns = (TextColumn("{task.fields[lines]:,} lines"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet, transient=True) as bar:
        task = bar.add_task("transform", total=source.size, lines=0)
        yield lambda lines: bar.update(task, completed=source.position(), lines=lines)
