"""The commands that send nothing: verify, compare and profiles. Thin shells; see `commands`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from loadtest.profile import Profile, load_profile, names
from local.load.options import CONFIG, AsJson, ConfigFile, Endpoint, EnvironmentName, Local, Region, tell
from sluice.load import load
from sluice.terminal import print_json, refuse, told

if TYPE_CHECKING:
    from loadtest.tally import Result


def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A run's folder, as .sluice/loadtest/1a2b3c4d.")],
    *,
    env: EnvironmentName = None,
    region: Region = None,
    endpoint: Endpoint = None,
    local: Local = False,
    objects: Annotated[
        Path | None,
        typer.Option(metavar="COPY", help="Read a copy of the bucket, as `aws s3 sync` makes it, and nothing else."),
    ] = None,
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Account again for a run with `--to`: later, when what was under way has arrived.

    It reads the journals in the run's folder and what arrived where the run said, or where the options say, and writes
    the reports anew. It ends when everything is there, or nothing new has come for the profile's `settle_seconds`.

    Example: `sluice loadtest verify .sluice/loadtest/1a2b3c4d --objects copy-of-the-bucket`

    Exit status: as for `run`.
    """
    from local.load.endings import ending  # noqa: PLC0415 - as at the top
    from local.load.folder import Target  # noqa: PLC0415
    from local.load.interrupts import interrupts  # noqa: PLC0415
    from local.load.session import Session  # noqa: PLC0415

    with ending(as_json=as_json), interrupts() as taken:
        session = Session(config=load(config), file=config, interrupts=taken, quiet=as_json)
        instead = Target(env=env, region=region, endpoint=endpoint, local=local)
        result = session.verify(folder, instead=instead, objects=objects)
    tell(result, folder, as_json=as_json)


def compare(
    one: Annotated[Path, typer.Argument(metavar="ONE", help="A run's folder, or its report.json.")],
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="The run to hold against it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show two runs side by side, and what changed from the one to the other.

    Example: `sluice loadtest compare .sluice/loadtest/1a2b3c4d .sluice/loadtest/5e6f7a8b`
    """
    from loadtest import report  # noqa: PLC0415 - as at the top
    from local.load.endings import ending  # noqa: PLC0415

    with ending(as_json=as_json):
        compared = report.compare(_result(one), _result(other))
    if as_json:
        print_json(compared.to_json())
    else:
        Console().print(compared.table())


def profiles(
    *,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a profile.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the profiles that come with Sluice.

    To write one, copy a file from loadtest/profiles and change it; `--schema` describes every key.

    Example: `sluice loadtest profiles --schema > .sluice/profile.json`
    """
    if schema:
        print_json(Profile.model_json_schema())
        return
    with told(as_json=as_json):
        found = [load_profile(name) for name in names()]
    rows = [_row(each) for each in found]
    if as_json:
        print_json(rows)
        return
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column("profile", no_wrap=True)
    for name in ("seconds", "messages/s", "MB/s", "connections"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("what it is")
    for row in rows:
        grid.add_row(
            row["name"],
            f"{row['seconds']:g}",
            f"{row['messages_per_second']:,.0f}",
            f"{row['mb_per_second']:,.1f}",
            f"{row['connections']:,}",
            row["says"],
        )
    Console().print(grid)


def _row(profile: Profile) -> dict[str, Any]:
    from local.load.adjust import rate_of  # noqa: PLC0415 - as at the top

    megabytes = sum(load.rate * load.size.median for load in profile.loads) / 1e6
    return {
        "name": profile.name,
        "says": profile.says,
        "seconds": profile.seconds,
        "messages_per_second": rate_of(profile),
        "mb_per_second": megabytes,
        "connections": sum(load.connections for load in profile.loads),
        "clients": sorted({load.client for load in profile.loads}),
    }


def _result(place: Path) -> "Result":
    from loadtest import report  # noqa: PLC0415 - as at the top

    try:
        return report.read(place)
    except OSError as error:
        refuse(f"{place}: {error.strerror}: name a run's folder, as .sluice/loadtest/1a2b3c4d, or its report.json")
    except ValueError as error:
        refuse(str(error))
