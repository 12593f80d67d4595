"""What runs in the containers of the load test in AWS: one machine's share of a load, or the account of all of it.

    python -m loadtest.task send --run 1f2e3d4c --share 0/2
    python -m loadtest.task verify --run 1f2e3d4c

Everything of a run lies in its folder `loadtest/<run>/` of the bucket: `plan.json`, which the state machine wrote
(`{"run": …, "asked": {"profile": a name or a profile, "senders": n, "processes": m or left out, "listener": a name or
left out, "verify": "athena", "reading" or left out}}`), `ready/` for each sender that waits for the others, `journal/`,
and `report.json` and `report.html`.

Exit status: 0 done, 1 the account breaches a threshold of the profile, 2 the run cannot be made. Where to send is told
by the variable SLUICE_LOAD_TEST (`sluice.loadtest`), the bucket by SLUICE_BUCKET, the search by SLUICE_SEARCH_ENDPOINT
and SLUICE_SEARCH_SERVICE.

Cost: that of `loadtest.drive`, and of `loadtest.task.account`.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import boto3
import typer
from pydantic import ValidationError
from rich.console import Console

from loadtest.asking import SearchError, poster
from loadtest.drive import Driver, DriverError
from loadtest.journal import Journal
from loadtest.report import summary, write
from loadtest.tally import Result
from loadtest.tally.readers import UnreadableObjectError
from loadtest.task import account
from loadtest.task.query import Athena, QueryError
from loadtest.task.run import RunFolder, UnusableError, Way
from loadtest.task.target import read_target
from sluice.problems import ConfigError

READY_SECONDS: Final = 600.0
"""Tasks start within a minute or two of each other; after so long one of them will not."""
TELL_SECONDS: Final = 10.0
_WORK: Final = Path("work")
_BREACHED: Final = 1
_UNUSABLE: Final = 2

app = typer.Typer(no_args_is_help=True, add_completion=False)
Run = Annotated[str, typer.Option(help="The run, 8 hexadecimal digits.", parser=lambda text: f"{int(text, 16):08x}")]


@app.command()
def send(run: Run, share: Annotated[str, typer.Option(help="As 0/2: the first of two machines.")]) -> None:
    """Send one machine's share of the load, and keep its journals. SIGTERM ends it cleanly."""
    at, of = (int(part) for part in share.split("/"))
    folder, target = _folder(run), read_target(os.environ)
    plan, asked = folder.asked()
    target.way(plan, asked)  # what nobody could account for is not sent
    port = target.port(asked)
    _wait_for_all(folder, at, of)
    work = _WORK / run / f"sent-{at}"
    to = {load.name: (target.host, port) for load in plan.profile.loads}
    try:
        with Driver(plan, to=to, folder=work, share=(at, of)) as driver:
            signal.signal(signal.SIGTERM, lambda *_: driver.stop())
            while not (progress := driver.progress()).ended:
                _tell(sent=progress.sent, acknowledged=progress.acknowledged, behind=round(progress.behind_seconds, 2))
                _sleep_until_ended(driver)
            errors = progress.errors
    finally:
        for journal in sorted(work.glob("sent-*.jsonl")):
            folder.write(f"journal/{journal.name}", journal.read_bytes())
    _tell(ended=True, sent=progress.sent, acknowledged=progress.acknowledged, errors=list(errors))


@app.command()
def verify(run: Run) -> None:
    """Account for the whole run once all that is to come has come, and keep the report."""
    folder, target = _folder(run), read_target(os.environ)
    plan, asked = folder.asked()
    work = _WORK / run
    journal = _journal(folder, work / "journal")
    due = sum(journal.sent.values())
    way = target.way(plan, asked)
    _tell(verifying=way)
    result = _account(
        account.Run(
            plan=plan, journal=journal, target=target, folder=work, tell=lambda come: _tell(delivered=come, of=due)
        ),
        way,
    )
    told, drawn = write(result, work / "report")
    folder.write(told.name, told.read_bytes())
    address = folder.write(drawn.name, drawn.read_bytes(), kind="text/html; charset=utf-8")
    Console(width=120).print(summary(result))
    _tell(report=address, passed=result.passed)
    if not result.passed:
        raise typer.Exit(_BREACHED)


def _account(run: account.Run, way: Way) -> Result:
    target = run.target
    if way == "athena" and target.workgroup is not None:
        return account.by_sql(run, Athena(boto3.client("athena"), workgroup=target.workgroup))
    return account.by_reading(run, boto3.client("s3"), poster(*target.search) if target.search else None)


def _wait_for_all(folder: RunFolder, at: int, of: int) -> None:
    """Return when every sender is here, so that they begin together. UnusableError when one does not come."""
    folder.write(f"ready/{at}", b"{}")
    deadline = time.monotonic() + READY_SECONDS
    while (here := sum(1 for _ in folder.names("ready/"))) < of:
        if time.monotonic() > deadline:
            raise UnusableError(f"{here} of {of} senders are here after {READY_SECONDS:.0f} s: see the others' logs")
        time.sleep(0.5)


def _sleep_until_ended(driver: Driver) -> None:
    deadline = time.monotonic() + TELL_SECONDS
    while time.monotonic() < deadline and not driver.progress().ended:
        time.sleep(0.1)


def _journal(folder: RunFolder, to: Path) -> Journal:
    to.mkdir(parents=True, exist_ok=True)
    for name in folder.names("journal/"):
        (to / Path(name).name).write_bytes(folder.read(name))
    journal = Journal.read(to)
    if journal.run is None:
        raise UnusableError("nobody kept a journal: the senders did not begin; see their logs")
    return journal


def _folder(run: str) -> RunFolder:
    return RunFolder(boto3.client("s3"), bucket=os.environ["SLUICE_BUCKET"], run=run)


def _tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    try:
        return int(app(arguments, standalone_mode=False) or 0)
    except (
        UnusableError,
        QueryError,
        SearchError,
        UnreadableObjectError,
        ConfigError,
        ValidationError,
        DriverError,
        KeyError,
        ValueError,
        typer.BadParameter,
    ) as error:
        sys.stderr.write(f"loadtest.task: {type(error).__name__}: {error}\n")
        return _UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
