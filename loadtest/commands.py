"""`sluice send`: a thin shell over FileSender."""

import io
import json
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from loadtest.clients import Container
from loadtest.files import FileCount, FileSender
from loadtest.forward import ForwardClient, UnacknowledgedError
from loadtest.plain import plain_stream

WINDOW = 32
GIVE_UP_SECONDS = 60.0
PROGRESS_EVERY = 1_000
STANDARD_INPUT = "-"
LAST_PORT = 65_535


def send(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file (gzipped or not), or - for stdin.")],
    *,
    tag: Annotated[str, typer.Option(help="The tag, which decides the route.")],
    to: Annotated[str, typer.Option(metavar="HOST:PORT", help="The aggregator.")] = "127.0.0.1:24224",
    container_name: Annotated[
        str | None, typer.Option(help="The container that the lines come from. [default: the file's name]")
    ] = None,
    ack: Annotated[bool, typer.Option(help="Wait until the aggregator has acknowledged every record.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Send every line of FILE to the aggregator, as a container's log.

    A line is a record, whatever its bytes. A line that Firehose could not take as one record is cut into
    parts of 16 KiB, as Docker cuts it.

    Example, with a pipeline that `sluice demo --keep` left running:

        sluice send /var/log/dpkg.log --tag shop.web

        zcat old.log.gz | sluice send - --tag shop.web --json

    Exit status: 0 when every record was acknowledged (with --no-ack: written), 1 when not, 2 for wrong usage.
    """
    host, port = _parse_address(to)
    if not tag.strip():
        raise typer.BadParameter("a tag cannot be empty: name one that a route matches", param_hint="--tag")
    name = container_name or ("stdin" if file == STANDARD_INPUT else Path(file).name)
    started = time.monotonic()
    with ExitStack() as stack:
        raw = stack.enter_context(_open_file(file))
        client = stack.enter_context(closing(_client(host, port)))
        progress = stack.enter_context(_progress(raw, size=_size(file), quiet=as_json))
        container = Container.new(name)
        sender = FileSender(client, container=container, tag=tag, ack=ack, progress=progress)
        error = _try_send(client, sender, plain_stream(raw))
    result = Result(file=file, tag=tag, to=to, ack=ack, error=error, seconds=time.monotonic() - started)
    typer.echo(json.dumps(result.to_json(sender.count)) if as_json else result.to_text(sender.count))
    raise typer.Exit(1 if error else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the command says at its end; `error` is None when every record was acknowledged."""

    file: str
    tag: str
    to: str
    ack: bool
    error: str | None
    seconds: float

    def to_json(self, count: FileCount) -> dict[str, object]:
        """The object that --json prints. `acknowledged` is null when no acknowledgement was asked for."""
        return {
            "file": self.file,
            "tag": self.tag,
            "to": self.to,
            "lines": count.lines,
            "records": count.records,
            "acknowledged": count.acknowledged if self.ack else None,
            "seconds": round(self.seconds, 3),
            "error": self.error,
        }

    def to_text(self, count: FileCount) -> str:
        """The line that a person reads."""
        acknowledged = f"{count.acknowledged:,} acknowledged" if self.ack else "no acknowledgement asked for"
        rate = count.records / self.seconds if self.seconds else 0.0
        summary = (
            f"{count.lines:,} lines sent to {self.to} as {self.tag}: {count.records:,} records, "
            f"{acknowledged}, in {self.seconds:.1f} s ({rate:,.0f}/s)"
        )
        return f"{summary}\nerror: {self.error}" if self.error else summary


def _client(host: str, port: int) -> ForwardClient:
    return ForwardClient(host, port, window=WINDOW, give_up_after=GIVE_UP_SECONDS)


def _try_send(client: ForwardClient, sender: FileSender, stream: IO[bytes]) -> str | None:
    """What went wrong, with its remedy, or None."""
    try:
        client.connect()
    except OSError as error:
        return (
            f"nothing listens at {client.address} ({error}): "
            "start a local pipeline with `sluice demo --keep`, or name your aggregator with --to HOST:PORT"
        )
    try:
        sender.send(stream)
    except UnacknowledgedError as error:
        return str(error)
    except (OSError, EOFError, zlib.error) as error:
        return f"the file could not be read to its end ({error}): the records before that were sent"
    return None


def _open_file(file: str) -> AbstractContextManager[io.BufferedReader]:
    if file == STANDARD_INPUT:
        return nullcontext(cast("io.BufferedReader", sys.stdin.buffer))
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}: name a file that can be read, or -") from error


def _size(file: str) -> int | None:
    return None if file == STANDARD_INPUT else Path(file).stat().st_size


@contextmanager
def _progress(raw: IO[bytes], *, size: int | None, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar over the file's bytes on a terminal's stderr, nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.fields[records]:,} records"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("send", total=size, records=0)

        def show(records: int) -> None:
            if records % PROGRESS_EVERY == 0:
                bar.update(task, completed=raw.tell() if size else 0, records=records)

        yield show


def _parse_address(to: str) -> tuple[str, int]:
    host, _, port = to.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= LAST_PORT:
        raise typer.BadParameter(f"{to!r} is not HOST:PORT, for example 127.0.0.1:24224", param_hint="--to")
    return host.strip("[]"), int(port)
