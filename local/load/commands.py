"""`sluice loadtest`: thin shells around `session`, `limit_run`, `case_run` and the reports.

What they need of numpy, AWS's clients and the local run is imported when they run, so that `sluice --help` need not
load it.
"""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile, load_profile
from local.load import afterwards
from local.load.options import (
    CONFIG,
    AsJson,
    ConfigFile,
    Endpoint,
    EnvironmentName,
    Local,
    Out,
    Processes,
    ProfileName,
    Program,
    Region,
    Settings,
    tell,
)
from sluice.load import load
from sluice.terminal import FOUND_WRONG, print_json, refuse

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Load an aggregator, here or in AWS, and account for every message: delivered, failed, dropped or lost.",
)

_FEWEST_STEPS: Final = 1
_MOST_STEPS: Final = 30


@app.command()
def run(
    profile: ProfileName,
    *,
    to: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="An aggregator that is there. [default: one started here]")
    ] = None,
    env: EnvironmentName = None,
    region: Region = None,
    endpoint: Endpoint = None,
    local: Local = False,
    full: Annotated[bool, typer.Option("--full", help="Here: the whole pipeline, not Fluent Bit alone.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long, in place of the profile's.")] = None,
    rate: Annotated[float, typer.Option(min=0.001, max=1000, metavar="TIMES", help="So many times the rate.")] = 1.0,
    processes: Processes = None,
    fluent_bit: Program = None,
    settings: Settings = None,
    out: Out = None,
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Send a load and say what became of each message.

    Without `--to`, a real Fluent Bit is started here on the configuration that your image has, in front of a Firehose
    that takes everything: what Firehose was given has arrived. `--full` starts the whole pipeline instead, and reads
    S3 and OpenSearch. With `--to`, it sends to your aggregator and reads the bucket and the search of `--env`.

    Ctrl-C ends it cleanly: nothing new is sent, what is under way is waited for, and the report is written. Another
    Ctrl-C ends it at once.

    `--set` changes the rendered configuration, on this machine only: `service.KEY`, `input.KEY`, `output.KEY`,
    `output.ROUTE.KEY`, `filter.PLUGIN.KEY` (added when it is not there), or a KEY alone wherever it is already.

    Examples:

        sluice loadtest run smoke

        sluice loadtest run smoke --rate 20 --seconds 30 --set output.workers=2

        sluice loadtest run smoke --to logs.sluice-prod.internal:24224 --env prod

    Exit status: 0 when the profile's thresholds hold, 1 when not, 2 for wrong usage or when it could not be run.
    """
    from local.load.edits import parse  # noqa: PLC0415 - as at the top
    from local.load.endings import ending  # noqa: PLC0415
    from local.load.folder import HOME, Target  # noqa: PLC0415
    from local.load.interrupts import interrupts  # noqa: PLC0415
    from local.load.session import Session  # noqa: PLC0415

    if to is None and (env or region or endpoint or local):
        refuse("--env, --region, --endpoint and --local say where to read what --to sent: give --to too")
    if to is not None and (full or fluent_bit or settings):
        refuse("--full, --fluent-bit and --set are for a run on this machine: leave --to out")
    with ending(as_json=as_json), interrupts() as taken:
        plan = _plan(_profile(profile, seconds=seconds, times=rate, processes=processes))
        session = Session(
            config=load(config),
            file=config,
            interrupts=taken,
            quiet=as_json,
            program=fluent_bit,
            settings=parse(settings or []),
        )
        folder = out or HOME / plan.run_name
        target = Target(to=to, env=env, region=region, endpoint=endpoint, local=local)
        result = session.run(plan, target, full=full, folder=folder)
    tell(result, folder, as_json=as_json)


@app.command("find-limit")
def find_limit(
    profile: ProfileName,
    *,
    first: Annotated[
        float | None,
        typer.Option("--from", min=1, help="Messages a second to begin at. [default: a quarter of the profile's]"),
    ] = None,
    steps: Annotated[int, typer.Option(min=_FEWEST_STEPS, max=_MOST_STEPS, help="Rates to try, at most.")] = 8,
    seconds: Annotated[float, typer.Option(min=3, max=3600, help="How long each is tried.")] = 10,
    processes: Processes = None,
    fluent_bit: Program = None,
    settings: Settings = None,
    out: Out = None,
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Find the highest rate that one aggregator task sustains on this machine.

    The rate is doubled until it is not sustained, then the interval is halved. Sustained is: sent in time, the input
    never paused, the buffer did not grow, nothing lost. Each step has a new Fluent Bit on an empty buffer.

    Ends with messages/s and MB/s per vCPU of Fluent Bit, and the line of its CPU against the load.

    Example: `sluice loadtest find-limit blog --steps 8 --seconds 10`

    Exit status: 0 when a rate was sustained, 1 when none was, 2 for wrong usage or when it could not be run.
    """
    from local.load import limit_report  # noqa: PLC0415
    from local.load.edits import parse  # noqa: PLC0415 - as at the top
    from local.load.endings import ending  # noqa: PLC0415
    from local.load.interrupts import interrupts  # noqa: PLC0415
    from local.load.session import Session, stamped  # noqa: PLC0415

    with ending(as_json=as_json), interrupts() as taken:
        wanted = _profile(profile, seconds=seconds, times=1.0, processes=processes)
        session = Session(
            config=load(config),
            file=config,
            interrupts=taken,
            quiet=as_json,
            program=fluent_bit,
            settings=parse(settings or []),
        )
        folder = out or stamped("limit")
        found = session.find_limit(wanted, first=first, steps=steps, folder=folder)
        paths = limit_report.write(found, folder, profile=wanted.name)
    if as_json:
        print_json(found.to_json() | {"profile": wanted.name, "folder": str(folder)})
    else:
        limit_report.tell(found, Console(), paths=paths)
    raise typer.Exit(0 if found.best is not None else FOUND_WRONG)


@app.command()
def matrix(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The cases, as loadtest/cases/settings.yaml.")
    ] = None,
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of such a file, and run none.")
    ] = False,
    out: Out = None,
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Run every combination of some profiles, Fluent Bits and settings, each on a stage of its own.

    A case holds when its profile's thresholds do. One that says `expect: loss` is a negative control: it holds when
    the run reports a loss.

    Example: `sluice loadtest matrix loadtest/cases/settings.yaml`

    Exit status: 0 when every case is as expected, 1 when one is not, 2 for wrong usage.
    """
    from local.load.cases import Matrix, load_matrix  # noqa: PLC0415 - as at the top

    if schema:
        print_json(Matrix.model_json_schema())
        return
    if file is None:
        refuse("which cases? Name a file, as loadtest/cases/settings.yaml")
    from local.load import case_run  # noqa: PLC0415 - as at the top
    from local.load.endings import ending  # noqa: PLC0415
    from local.load.interrupts import interrupts  # noqa: PLC0415
    from local.load.session import Session, stamped  # noqa: PLC0415

    with ending(as_json=as_json), interrupts() as taken:
        wanted = load_matrix(file)
        session = Session(config=load(config), file=config, interrupts=taken, quiet=as_json)
        folder = out or stamped("matrix")
        outcomes = session.matrix(wanted, folder=folder)
    complete = not taken.asked and all(outcome.as_expected for outcome in outcomes)
    if as_json:
        cases = [outcome.to_json() for outcome in outcomes]
        print_json({"version": 1, "as_expected": complete, "folder": str(folder), "cases": cases})
    else:
        case_run.tell(outcomes, Console(), folder=folder)
    raise typer.Exit(0 if complete else FOUND_WRONG)


def _plan(profile: Profile) -> Plan:
    try:
        return make_plan(profile)
    except ValueError as error:
        refuse(str(error))


def _profile(name: str, *, seconds: float | None, times: float, processes: int | None) -> Profile:
    from local.load.adjust import adjusted  # noqa: PLC0415 - as at the top

    return adjusted(load_profile(name), seconds=seconds, times=times, processes=processes)


for command in (afterwards.verify, afterwards.compare, afterwards.profiles):
    app.command()(command)
