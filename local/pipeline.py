"""The whole pipeline, running on this machine: what `cdk deploy` makes, with real parts where they matter.

A real OpenSearch is started, where a route goes to one. The real CDK application is deployed into the emulator, and its
setup function makes that OpenSearch ready; the local Firehose takes its streams from what was deployed there and calls
the deployed transformer functions; a real Fluent Bit runs the configuration that the image has, told other places. What
is not there is told in docs/local-run.md.

Cost: about 20 s to start when nothing has changed since the last time, most of it the deployment.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opensearchpy import OpenSearch as OpenSearchClient

from local.aggregator import Aggregator
from local.deploy import App, Cdk, Outputs, StackEvent
from local.emulator import Emulator
from local.firehose import (
    FileCheckpoints,
    Firehose,
    Server,
    deployed_streams,
    lambda_invoker,
    make_certificate,
    s3_writer,
    serve,
    shard_reader,
)
from local.fluent_bit import FluentBit, find
from local.opensearch import OpenSearch, OpenSearchMissingError
from local.process import free_port, port_answers
from local.steps import Step, Steps
from sluice import local_run, names
from sluice.fluent_bit_places import AWS_PORT
from sluice.model import Config, Deployment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Everything that the synthesized templates depend on.
_SYNTH_INPUTS: Final = ("app.py", "cdk.json", "fluentbit-image", "lambdas", "sluice", "stacks", "uv.lock")


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The running pipeline: where to send, what takes it, and where it comes out."""

    deployment: Deployment
    port: int
    aggregator: Aggregator
    fluent_bit: FluentBit
    firehose: Firehose
    s3: "S3Client"
    bucket: str
    emulator: Emulator
    search_url: str | None
    search: "OpenSearchClient | None"


@contextmanager
def run(config: Config, *, file: Path, root: Path, work: Path, search: bool | None, steps: Steps) -> Iterator[Pipeline]:
    """Start everything, and stop everything at the end of the block, in the reverse order.

    Args:
        config: what `file` says.
        file: the configuration file, for the CDK application to read itself.
        root: the project, with app.py, node_modules and fluentbit-image.
        work: where logs, buffers and certificates go.
        search: whether to start an OpenSearch for the routes that go there; without it they go to S3. None: if it is
            to be had.
        steps: told what is being done.
    """
    cache = root / ".cache"
    engine = _fluent_bit(config, cache=cache, steps=steps)
    with ExitStack() as running:
        url = None
        if search is not False and local_run.searches(config):
            url = _opensearch(running, cache=cache, work=work, needed=search is True, steps=steps)
        deployment = local_run.of_this_machine(config, search=url)
        with steps.step("Start the AWS emulator") as step:
            emulator = Emulator(
                work=work / "emulator",
                node_modules=root / "node_modules",
                account=local_run.ACCOUNT,
                region=local_run.REGION,
            )
            running.enter_context(emulator)
            step.result(emulator.url)
        with steps.step("Deploy the CDK application") as step:
            context = {"env": local_run.ENVIRONMENT, "config": str(file), **({"search": url} if url else {})}
            outputs = _deploy(emulator, context=context, file=file, root=root, work=work, step=step)
            step.result(f"{len(outputs)} stacks")
        with steps.step("Start Firehose") as step:
            firehose, server = running.enter_context(_firehose(emulator, deployment, engine, work=work))
            step.result(f"{len(firehose.streams)} streams as deployed, {server.url}")
        with steps.step("Start the aggregator") as step:
            listener = deployment.listeners[0]
            aggregator = Aggregator(
                engine,
                deployment,
                folder=work / "aggregator",
                aws=(server.host, server.port, server.ca_file),
                ports={listener.name: _usual(listener.port)},
            )
            running.enter_context(aggregator)
            step.result(f"forward on 127.0.0.1:{aggregator.port}")
        yield Pipeline(
            deployment=deployment,
            port=aggregator.port,
            aggregator=aggregator,
            fluent_bit=engine,
            firehose=firehose,
            s3=emulator.client("s3"),
            bucket=names.bucket(deployment, account=emulator.account, region=emulator.region),
            emulator=emulator,
            search_url=url,
            search=None if url is None else OpenSearchClient(url),
        )


def _opensearch(running: ExitStack, *, cache: Path, work: Path, needed: bool, steps: Steps) -> str | None:
    """Where the OpenSearch is that was started; None where there is none to be had and none is needed."""
    with steps.step("Start OpenSearch") as step:
        try:
            opensearch = OpenSearch(cache=cache, work=work / "opensearch", on_progress=step.detail)
            url = running.enter_context(opensearch).url
        except OpenSearchMissingError as error:
            if needed:
                raise
            why, _, _ = str(error).partition("\n")
            step.result(f"does not work here, so its routes go to S3: {why}")
            return None
        step.result(url)
        return url


def _fluent_bit(config: Config, *, cache: Path, steps: Steps) -> FluentBit:
    with steps.step("Find a Fluent Bit") as step:
        engine = find(cache=cache, image_tag=config.aggregator.image.base_tag, on_progress=step.detail)
        step.result(f"{engine.version_text} from {engine.source}")
    return engine


def _deploy(
    emulator: Emulator, *, context: Mapping[str, str], file: Path, root: Path, work: Path, step: Step
) -> Outputs:
    def show(event: StackEvent) -> None:
        step.detail(f"{event.stack}: {event.done} of {event.total or '…'}")

    cdk = Cdk(emulator=emulator, project=root, work=work / "cdk", cache=root / ".cache" / "cdk", on_event=show)
    app = App(
        directory=root,
        context=context,
        inputs=(file, *(root / name for name in _SYNTH_INPUTS)),
    )
    return cdk.deploy_app(app)[1]


@contextmanager
def _firehose(
    emulator: Emulator, deployment: Deployment, engine: FluentBit, *, work: Path
) -> Iterator[tuple[Firehose, Server]]:
    stacks = [f"{deployment.prefix}-delivery"]
    streams = deployed_streams(emulator.client("cloudformation"), emulator.client("firehose"), stacks=stacks)
    abilities = engine.abilities
    with (
        Firehose(
            streams,
            invoke=lambda_invoker(emulator.client("lambda")),
            put_object=s3_writer(emulator.client("s3")),
            shards=shard_reader(emulator.client("kinesis")),
            checkpoints=FileCheckpoints(work / "checkpoints"),
        ) as firehose,
        serve(
            firehose,
            certificate=make_certificate(work / "tls"),
            kinesis=emulator.url,
            port=0 if abilities.aws_port else AWS_PORT,
        ) as server,
    ):
        yield firehose, server


def _usual(port: int) -> int:
    """The listener's own port where nobody has it, so that `sluice send` finds it; else a free one."""
    return free_port() if port_answers(port) else port
