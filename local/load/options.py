"""What several commands of `sluice loadtest` take, and how they end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from sluice.terminal import FOUND_WRONG, print_json

if TYPE_CHECKING:
    from loadtest.tally import Result

CONFIG: Final = Path("sluice.yaml")

ProfileName = Annotated[
    str, typer.Argument(metavar="PROFILE", help="A name that `sluice loadtest profiles` lists, or a file.")
]
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
EnvironmentName = Annotated[
    str | None,
    typer.Option("--env", "-e", help="With --to: whose bucket. [default: a demo that runs here, else the first]"),
]
Region = Annotated[str | None, typer.Option(help="AWS region. [default: the environment's, else the credentials']")]
Endpoint = Annotated[str | None, typer.Option(metavar="URL", help="OpenSearch's address, if not to be found out.")]
Local = Annotated[bool, typer.Option("--local", help="With --to: the demo that `sluice demo --keep` left running.")]
Processes = Annotated[int | None, typer.Option(min=1, max=64, help="Sending processes. [default: the profile's]")]
Program = Annotated[
    str | None, typer.Option("--fluent-bit", metavar="PATH", help="The Fluent Bit to load. [default: the one found]")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of Fluent Bit; may be given again. See above."),
]
Out = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where reports go. [default: .sluice/loadtest/RUN]")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for a machine.")]


def tell(result: "Result", folder: Path, *, as_json: bool) -> None:
    """Show a result and where its reports are, and end with the exit status that it deserves."""
    from loadtest import report  # noqa: PLC0415 - as at the top
    from local.load.live import throughput  # noqa: PLC0415

    if as_json:
        print_json(result.to_json() | {"folder": str(folder)})
    else:
        out = Console()
        out.print()
        out.print(report.summary(result))
        out.print(throughput(result), highlight=False)
        out.print(f"Reports: {folder / 'report.html'} and report.json beside it.", soft_wrap=True, highlight=False)
    raise typer.Exit(0 if result.passed else FOUND_WRONG)
