"""The `sluice faults` command: a thin shell around `local.faults`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from sluice.load import load
from sluice.terminal import FOUND_WRONG, print_json, refuse, told

_FILE: Final = Path("sluice.yaml")
_INTERRUPTED: Final = 130  # as a shell counts SIGINT


def faults(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = _FILE,
    *,
    only: Annotated[list[str] | None, typer.Option("--only", help="An event's name; may be given again.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few events, in two minutes.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Say which events there are, and run none.")] = False,
    search: Annotated[
        bool | None,
        typer.Option("--search/--no-search", help="Start an OpenSearch. [default: if it is to be had]"),
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Write the result to this file, as docs/reliability.md.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON, for a machine.")] = False,
) -> None:
    """Break everything, on purpose and for real, and account for every message.

    Runs the whole pipeline on this machine behind a load balancer, sends it the load of every kind of client, and
    meanwhile deploys, kills, throttles, cuts off and fills up what there is: an event at a time, twenty minutes for
    all. Each event is told as what was sent, lost, lost after an acknowledgement, and duplicated, by kind of client.
    Needs HAProxy, and Fluent Bit 5.

    Leaves `.sluice/faults/report.json`. Exit status 0 only if everything that has to hold held, 1 if not.

    Example: `sluice faults --only rolling-deployment --only crash`
    """
    # `sluice --help` must not load the AWS SDK.
    from local.demo import FAILURES  # noqa: PLC0415
    from local.faults import catalogue, whole  # noqa: PLC0415
    from local.faults.balancer import BalancerError  # noqa: PLC0415
    from local.faults.page import write  # noqa: PLC0415

    try:
        events = catalogue.chosen([*(only or []), *(catalogue.QUICK if quick else ())])
    except catalogue.UnknownEventError as error:
        refuse(str(error))
    if listed:
        for event in events:
            typer.echo(f"{event.name}  {event.says}")
        return
    with told(as_json=as_json):
        load(config)
    file = config.resolve()
    root = next((folder for folder in (file.parent, Path.cwd()) if (folder / "app.py").exists()), None)
    if root is None:
        refuse("the matrix deploys the CDK application: run it in the folder that has app.py")
    try:
        found = whole.run(events, file=file, root=root, search=search, quiet=as_json)
    except (*FAILURES, BalancerError) as error:
        typer.echo(f"sluice: {error}", err=True)
        raise typer.Exit(FOUND_WRONG) from None
    except KeyboardInterrupt:
        typer.echo("sluice: interrupted; everything that was started is stopped", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    if page is not None:
        page.write_text(write(found), encoding="utf-8")
    if as_json:
        print_json(found.to_json())
    else:
        whole.tell(found)
    if not found.passed:
        raise typer.Exit(FOUND_WRONG)
