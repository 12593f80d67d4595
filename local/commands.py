"""The `sluice demo` command: a thin shell around `local.demo`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from sluice.load import load
from sluice.terminal import FOUND_WRONG, print_json, refuse, told

_FILE: Final = Path("sluice.yaml")
INTERRUPTED: Final = 130  # as a shell counts SIGINT


def demo(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = _FILE,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running until Ctrl-C, and say how to use it.")] = False,
    search: Annotated[
        bool | None,
        typer.Option(
            "--search/--no-search",
            help="Start an OpenSearch; without it, what would go there goes to S3. [default: if it is to be had]",
        ),
    ] = None,
    requests: Annotated[int, typer.Option(min=1, max=20_000, help="Requests that the web server receives.")] = 400,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON, for a machine.")] = False,
) -> None:
    """Run the whole pipeline on this machine and account for every log line.

    The real CDK application is deployed into an emulator, a real Fluent Bit takes the logs of a real web
    server and a real application, and a local Firehose transforms and delivers them to S3 and to a real OpenSearch
    (600 MB of memory; `--no-search` does without). Nothing reaches AWS, and everything that was started is stopped.

    Ends with a table, and with the same in `.sluice/demo/report.json` and `report.html`. Exit status 0 only
    if every line is accounted for, 1 if not.

    Example: `sluice demo --keep`, then in another terminal `sluice send my.log --tag backend-mine`
    """
    with told(as_json=as_json):
        parsed = load(config)

    file = config.resolve()
    root = next((folder for folder in (file.parent, Path.cwd()) if (folder / "app.py").exists()), None)
    if root is None:
        refuse("the demo deploys the CDK application: run it in the folder that has app.py")

    # `sluice --help` must not load the AWS SDK.
    from local.demo import FAILURES, Wishes, run  # noqa: PLC0415

    wishes = Wishes(requests=requests, search=search, keep=keep, quiet=as_json)
    try:
        outcome = run(parsed, file=file, root=root, wishes=wishes)
    except FAILURES as error:
        typer.echo(f"sluice: {error}", err=True)
        raise typer.Exit(FOUND_WRONG) from None
    except KeyboardInterrupt:
        typer.echo("sluice: interrupted; everything that was started is stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(outcome.report)
    if not outcome.complete:
        raise typer.Exit(FOUND_WRONG)
