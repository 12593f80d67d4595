"""What runs in the containers of the load test in AWS: one machine's share of a load, or the account of all of it.

    python -m loadtest.task send --run 1f2e3d4c --share 0/2
    python -m loadtest.task verify --run 1f2e3d4c

Everything of a run lies in its folder `loadtest/<run>/` of the bucket: `plan.json`, which the state machine wrote
(`{"run": …, "asked": {"profile": a name or a profile, "senders": n, "processes": m or left out, "listener": a name or
left out}}`), `ready/` for each sender that waits for the others, `journal/`, and `report.json` and `report.html`.

Exit status: 0 done, 1 the account breaches a threshold of the profile, 2 the run cannot be made. Where to send is told
by the variable SLUICE_LOAD_TEST (`sluice.loadtest`), the bucket by SLUICE_BUCKET.

Cost: that of `loadtest.drive` and of `loadtest.tally`. The verifier reads all that the load's routes deliver from the
load's first hour on, whoever sent it; a route to OpenSearch it cannot read, so a load for one is refused.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import boto3
import typer
from pydantic import ValidationError
from rich.console import Console

from loadtest.drive import Driver, DriverError
from loadtest.journal import Journal
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile, load_profile
from loadtest.report import summary, write
from loadtest.tally import Result, Tally
from loadtest.tally.readers import BucketObjects, ObjectReader, read_into
from sluice import globs
from sluice.loadtest import VARIABLE
from sluice.problems import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READY_SECONDS: Final = 600.0
"""Tasks start within a minute or two of each other; after so long one of them will not."""
TELL_SECONDS: Final = 10.0
POLL_SECONDS: Final = 5.0
_WORK: Final = Path("work")
_BREACHED: Final = 1
_UNUSABLE: Final = 2

app = typer.Typer(no_args_is_help=True, add_completion=False)
Run = Annotated[str, typer.Option(help="The run, 8 hexadecimal digits.", parser=lambda text: f"{int(text, 16):08x}")]


class UnusableError(Exception):
    """The run cannot be made; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, and the routes in the order in which they are tried: name, match and kind of destination."""

    host: str
    ports: Mapping[str, int]
    routes: tuple[tuple[str, str, str], ...]

    def route_of(self, tag: str) -> str:
        """The name of the route that takes a tag."""
        return self._route(tag)[0]

    def kind_of(self, tag: str) -> str:
        """Where that route goes."""
        return self._route(tag)[2]

    def _route(self, tag: str) -> tuple[str, str, str]:
        return next(route for route in self.routes if globs.matches(route[1], tag))


class RunFolder:
    """A run's objects in the bucket, by their names there."""

    def __init__(self, client: "S3Client", *, bucket: str, run: str) -> None:
        self._client, self._bucket, self.prefix = client, bucket, f"loadtest/{run}/"

    def read(self, name: str) -> bytes:
        """An object's bytes. UnusableError if it is not there."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=self.prefix + name)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            raise UnusableError(f"there is no s3://{self._bucket}/{self.prefix}{name}: is it the right run?") from None

    def write(self, name: str, data: bytes, *, kind: str = "application/json") -> str:
        """Keep an object; its address."""
        self._client.put_object(Bucket=self._bucket, Key=self.prefix + name, Body=data, ContentType=kind)
        return f"s3://{self._bucket}/{self.prefix}{name}"

    def names(self, below: str) -> Iterator[str]:
        """The names of the objects below a folder of the run's."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self.prefix + below)
        for page in pages:
            yield from (found["Key"].removeprefix(self.prefix) for found in page.get("Contents", ()))


@app.command()
def send(run: Run, share: Annotated[str, typer.Option(help="As 0/2: the first of two machines.")]) -> None:
    """Send one machine's share of the load, and keep its journals. SIGTERM ends it cleanly."""
    at, of = (int(part) for part in share.split("/"))
    folder, target = _folder(run), _target()
    plan, asked = _plan(folder, target)
    port = target.ports[asked.get("listener") or next(iter(target.ports))]
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
    folder, target = _folder(run), _target()
    plan, _ = _plan(folder, target)
    work = _WORK / run
    journal = _journal(folder, work / "journal")
    result = _account(plan, journal, target, work)
    told, drawn = write(result, work / "report")
    folder.write(told.name, told.read_bytes())
    address = folder.write(drawn.name, drawn.read_bytes(), kind="text/html; charset=utf-8")
    Console(width=120).print(summary(result))
    _tell(report=address, passed=result.passed)
    if not result.passed:
        raise typer.Exit(_BREACHED)


def _account(plan: Plan, journal: Journal, target: Target, work: Path) -> Result:
    """Read what arrives until for `settle_seconds` nothing of ours has come."""
    tally = Tally(plan, folder=work / "tally", route_of=target.route_of)
    routes = sorted({target.route_of(load.tag) for load in plan.profile.loads})
    prefixes = [f"{place}/route={route}/" for place in ("logs", "failed") for route in routes]
    client, bucket = boto3.client("s3"), os.environ["SLUICE_BUCKET"]
    objects = BucketObjects(client, bucket=bucket, prefixes=prefixes, since=journal.began)
    reader = ObjectReader(objects, modified=True)
    before, since = -1, time.monotonic()
    while True:
        read_into(tally, [reader])
        if tally.delivered > before:
            before, since = tally.delivered, time.monotonic()
            _tell(delivered=before, of=sum(journal.sent.values()))
        if time.monotonic() - since >= plan.profile.settle_seconds:
            break
        time.sleep(min(POLL_SECONDS, plan.profile.settle_seconds))
    return tally.close(journal, target={"host": target.host, "bucket": bucket, "routes": ", ".join(routes)})


def _plan(folder: RunFolder, target: Target) -> tuple[Plan, Mapping[str, Any]]:
    """The plan that all tasks of a run make alike, and what was asked for."""
    told = json.loads(folder.read("plan.json"))
    asked = told["asked"]
    profile = asked["profile"]
    profile = load_profile(profile) if isinstance(profile, str) else Profile.model_validate(profile)
    if asked.get("processes"):
        profile = Profile.model_validate(profile.model_dump() | {"processes": asked["processes"]})
    if asked.get("listener") not in (None, *target.ports):
        raise UnusableError(f"there is no listener {asked['listener']!r}: take one of {', '.join(target.ports)}")
    for load in profile.loads:
        if target.kind_of(load.tag) != "s3":
            raise UnusableError(
                f"load {load.name}: tag {load.tag} takes route {target.route_of(load.tag)}, which goes to "
                f"{target.kind_of(load.tag)}, and only S3 is read here: give it a tag of a route to S3"
            )
    return make_plan(profile, run=int(told["run"], 16)), asked


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


def _target() -> Target:
    told = json.loads(os.environ[VARIABLE])
    return Target(told["host"], told["ports"], tuple((name, match, kind) for name, match, kind in told["routes"]))


def _tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    try:
        return int(app(arguments, standalone_mode=False) or 0)
    except (
        UnusableError,
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
