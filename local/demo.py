"""The demo: real logs through the whole pipeline, and an account of every line at the end.

The order of things at the end is ECS's when it stops a task: the applications stop and their clients flush,
Fluent Bit is told to stop and empties its buffer, then Firehose is emptied. What is neither in the bucket after
that, delivered or failed, nor in OpenSearch is lost, and the account says so.
"""

import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console

from loadtest.account import Account
from loadtest.forward import UnacknowledgedError
from loadtest.ledger import Ledger
from loadtest.verify import records_in, verify
from local import metrics, pipeline, workload
from local.arrivals import Arrivals
from local.charts import Chart, Span, charts
from local.deploy import DeployError
from local.firehose import UnsupportedFeatureError
from local.fluent_bit import FluentBitMissingError
from local.opensearch import OpenSearchMissingError
from local.pipeline import Pipeline
from local.process import ProcessError
from local.report import Findings, page, sample, table
from local.shop.traffic import Traffic
from local.steps import Step, Steps
from sluice import globs, names
from sluice.model import Config, Deployment

FOLDER: Final = Path(".sluice/demo")
RUNNING: Final = "running.json"
# Nothing new for so long means that nothing more comes: several times the longest buffer interval.
PATIENCE_SECONDS: Final = 40
# Firehose may have functions to start and much to write, on a busy machine.
DRAIN_SECONDS: Final = 180
# What can go wrong on a machine, each saying by itself what to do.
FAILURES: Final = (
    DeployError,
    FluentBitMissingError,
    OpenSearchMissingError,
    ProcessError,
    UnacknowledgedError,
    UnsupportedFeatureError,
)


@dataclass(frozen=True)
class Outcome:
    """The report as JSON has it, and whether every record is accounted for."""

    report: dict[str, Any]
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How a demo is to run.

    `search` starts an OpenSearch where a route goes to one, None if it is to be had; `keep` waits for Ctrl-C before
    anything is stopped; `quiet` says nothing but what goes wrong.
    """

    requests: int
    search: bool | None
    keep: bool
    quiet: bool


def run(config: Config, *, file: Path, root: Path, wishes: Wishes) -> Outcome:
    """Run the demo of the project in `root` on the configuration in `file`, and write its reports below `root`."""
    began = time.monotonic()
    work = root / FOLDER
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    out = Console(quiet=wishes.quiet)
    steps = Steps(quiet=wishes.quiet)
    with (
        _interruptible(),
        pipeline.run(config, file=file, root=root, work=work, search=wishes.search, steps=steps) as running,
        Ledger(work / "sent.jsonl") as ledger,
        Arrivals(running.s3, running.bucket, running.search, running.deployment.prefix) as arrivals,
    ):
        with steps.step("Serve requests and ship the logs") as step:
            traffic = _work(running, ledger, requests=wishes.requests, work=work, step=step)
            step.result(f"{traffic.requests:,} requests, {len(ledger):,} lines, each acknowledged")
        with steps.step("Wait for S3 and OpenSearch" if running.search else "Wait for S3") as step:
            arrivals.wait(len(ledger), patience_seconds=PATIENCE_SECONDS)
            step.result(_arrived(arrivals))
        if not wishes.keep:
            with steps.step("Stop the aggregator and empty Firehose"):
                running.aggregator.stop()
                running.firehose.drain(timeout=DRAIN_SECONDS)
        account = _account(running, ledger, arrivals)
        findings = _findings(running, ledger, arrivals, account, began=began)
        _write(findings, work)
        _tell(out, findings, work=work)
        if wishes.keep:
            _hold(out, running, root=root, work=work)
    return Outcome(findings.report, account.complete)


def _arrived(arrivals: Arrivals) -> str:
    objects = f"{len(arrivals.objects)} objects"
    return f"{objects}, {arrivals.indexed.total():,} documents indexed" if arrivals.indexed else objects


def _work(running: Pipeline, ledger: Ledger, *, requests: int, work: Path, step: Step) -> Traffic:
    return workload.run(
        port=running.port,
        ledger=ledger,
        requests=requests,
        file=work / "cdk" / "cdk-deploy.log",
        work=work,
        progress=lambda number: step.detail(f"{number} of {requests} requests"),
    )


def route_of(deployment: Deployment, tag: str) -> str:
    """The name of the route that takes a tag: the first that matches."""
    return next(route.name for route in deployment.routes if globs.matches(route.match, tag))


def _account(running: Pipeline, ledger: Ledger, arrivals: Arrivals) -> Account:
    arrivals.read()
    deployment = running.deployment
    logs = running.emulator.client("logs")
    groups = {route.name: f"/aws/lambda/{names.function(deployment, route)}" for route in deployment.routes}
    return verify(
        ledger,
        arrivals.deliveries,
        arrivals.failures,
        dropped={name: metrics.total(logs, group=group, metric="Dropped") for name, group in groups.items()},
        route_of=lambda tag: route_of(deployment, tag),
        destinations={route.name: route.destination.kind for route in deployment.routes},
    )


def _findings(running: Pipeline, ledger: Ledger, arrivals: Arrivals, account: Account, *, began: float) -> Findings:
    records = list(ledger)
    places = Counter("/".join(key.split("/")[:2]) for key in arrivals.objects)
    answered: tuple[Chart, ...] = ()
    if running.search is not None:
        first = min((record.sent_at for record in records), default=time.time())
        span = Span(first // 1 - 1, time.time())  # an access log tells whole seconds
        answered = charts(running.search, running.deployment, span=span)
    report = account.to_json(seconds=time.monotonic() - began) | {
        "bucket": running.bucket,
        "objects": dict(sorted(places.items())),
        "indices": dict(sorted(arrivals.indexed.items())),
        "charts": {chart.name: chart.total for chart in answered},
        "fluent_bit": running.fluent_bit.version_text,
        "sample": sample(records, arrivals.deliveries, tag=f"{workload.BACKEND}*"),
    }
    return Findings(
        report=report,
        account=account,
        sent_at=tuple(record.sent_at for record in records),
        readable_at=tuple(
            delivery.readable_at for delivery in arrivals.deliveries for _ in range(records_in(delivery.document))
        ),
        charts=answered,
    )


def _write(findings: Findings, work: Path) -> None:
    (work / "report.json").write_bytes(orjson.dumps(findings.report, option=orjson.OPT_INDENT_2))
    (work / "report.html").write_text(page(findings), encoding="utf-8")


def _tell(out: Console, findings: Findings, *, work: Path) -> None:
    out.print()
    out.print(table(findings.account))
    lines = sum(route.sent for route in findings.account.routes)
    if findings.account.complete:
        out.print(f"[green]All {lines:,} lines are accounted for[/green], in {findings.report['seconds']:.0f} s.")
    else:
        out.print(f"[red]Not every one of the {lines:,} lines is accounted for[/red]: see the columns in red.")
    for place, number in findings.report["objects"].items():
        out.print(
            f"  {number} object{'s' if number > 1 else ''} under s3://{findings.report['bucket']}/{place}/",
            soft_wrap=True,
        )
    for index, number in findings.report["indices"].items():
        out.print(f"  {number:,} document{'s' if number > 1 else ''} in OpenSearch's index {index}", soft_wrap=True)
    if found := findings.report["sample"]:
        out.print("\nOne line as the application printed it:")
        out.print(found["before"], style="dim", markup=False, soft_wrap=True)
        out.print("and as it lies in S3:")
        out.print_json(data=found["after"])
    out.print(f"Reports: {work / 'report.html'} and report.json beside it.", soft_wrap=True)


def _hold(out: Console, running: Pipeline, *, root: Path, work: Path) -> None:
    """Wait for Ctrl-C; until then `running.json` tells other commands where everything is."""
    (work / RUNNING).write_bytes(
        orjson.dumps(
            {
                "pid": os.getpid(),
                "environment": running.deployment.environment,
                "endpoint_url": running.emulator.url,
                "region": running.emulator.region,
                "account": running.emulator.account,
                "bucket": running.bucket,
                "search": running.search_url,
            }
        )
    )
    out.print(
        f"""
It is running; Ctrl-C stops it. In another terminal, in {root}:

  sluice send my.log --tag frontend-mine --to 127.0.0.1:{running.port}
  sluice search 'last 15m'
  sluice tail
  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION={running.emulator.region} \\
    aws --endpoint-url {running.emulator.url} s3 ls --recursive s3://{running.bucket}/logs/

Any client of the forward protocol may send to 127.0.0.1:{running.port}: Docker's fluentd driver, Fluent Bit, Fluentd.
""",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        out.print("Stopping.")
    finally:
        (work / RUNNING).unlink(missing_ok=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does: through every `finally`."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
