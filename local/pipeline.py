"""The whole pipeline, running on this machine: what `cdk deploy` makes, with real parts where they matter.

A real OpenSearch is started, where a route goes to one. The real CDK application is deployed into the emulator, and its
setup function makes that OpenSearch ready; the local Firehose takes its streams from what was deployed there and calls
the deployed transformer functions; a real Fluent Bit runs the configuration that the image has, told other places. What
is not there is told in docs/local-run.md.

Cost: about 20 s to start when nothing has changed since the last time, most of it the deployment.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from opensearchpy import OpenSearch as OpenSearchClient

from local.aggregator import Aggregator
from local.deploy import App, Cdk, Outputs, StackEvent
from local.emulator import Emulator
from local.firehose import (
    FileCheckpoints,
    Firehose,
    Invoke,
    PostBulk,
    PutObject,
    Server,
    deployed_streams,
    lambda_invoker,
    make_certificate,
    post_to,
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
_SYNTH_INPUTS: Final = ("app.py", "cdk.json", "fluentbit-image", "gate", "lambdas", "sluice", "stacks", "uv.lock")
# And those of the canary and the load test.
_LOAD_INPUTS: Final = ("loadtest",)


class Calls(Protocol):
    """What the local Firehose calls: the transformer, S3 and OpenSearch."""

    @property
    def invoke(self) -> Invoke:
        """Calls a function by its ARN."""

    @property
    def put_object(self) -> PutObject:
        """Writes an object."""

    @property
    def post_to(self) -> Callable[[str], PostBulk]:
        """Gives what posts bulks to an OpenSearch."""


@dataclass(frozen=True, kw_only=True)
class RealCalls:
    """The calls as they reach what was deployed."""

    invoke: Invoke
    put_object: PutObject
    post_to: Callable[[str], PostBulk] = post_to


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Everything behind the aggregator, running: what it sends to, and where that comes out."""

    deployment: Deployment
    fluent_bit: FluentBit
    firehose: Firehose
    server: Server
    s3: "S3Client"
    bucket: str
    emulator: Emulator
    search_url: str | None
    search: "OpenSearchClient | None"

    @property
    def aws(self) -> tuple[str, int, Path]:
        """Host, port and certificate authority of who answers for Firehose and Kinesis."""
        return self.server.host, self.server.port, self.server.ca_file


@dataclass(frozen=True, kw_only=True)
class Pipeline(Backend):
    """The running pipeline: where to send, what takes it, and where it comes out."""

    port: int
    aggregator: Aggregator


def _as_they_are(calls: Calls) -> Calls:
    return calls


@contextmanager
def run(
    config: Config,
    *,
    file: Path,
    root: Path,
    work: Path,
    search: bool | None,
    steps: Steps,
    context: Mapping[str, str] | None = None,
) -> Iterator[Pipeline]:
    """Start everything, and stop everything at the end of the block, in the reverse order.

    Args:
        config: what `file` says.
        file: the configuration file, for the CDK application to read itself.
        root: the project, with app.py, node_modules and fluentbit-image.
        work: where logs, buffers and certificates go.
        search: whether to start an OpenSearch for the routes that go there; without it they go to S3. None: if it is
            to be had.
        steps: told what is being done.
        context: told to the CDK application besides, as {"canary": "true"}.
    """
    with ExitStack() as running:
        behind = running.enter_context(
            backend(config, file=file, root=root, work=work, search=search, steps=steps, context=context),
        )
        with steps.step("Start the aggregator") as step:
            listener = behind.deployment.listening("stored")[0]
            aggregator = Aggregator(
                behind.fluent_bit,
                behind.deployment,
                folder=work / "aggregator",
                home=root / "fluentbit-image",
                aws=behind.aws,
                ports={listener.name: _usual(listener.port)},
            )
            running.enter_context(aggregator)
            step.result(f"forward on 127.0.0.1:{aggregator.port}")
        parts = {field.name: getattr(behind, field.name) for field in fields(behind)}
        yield Pipeline(**parts, port=aggregator.port, aggregator=aggregator)


@contextmanager
def backend(
    config: Config,
    *,
    file: Path,
    root: Path,
    work: Path,
    search: bool | None,
    steps: Steps,
    through: Callable[[Calls], Calls] = _as_they_are,
    context: Mapping[str, str] | None = None,
) -> Iterator[Backend]:
    """Start everything but the aggregator, and stop it at the end of the block. Arguments are those of `run`.

    `through` may put something between Firehose and what it calls: it is given the real calls, and its own are used.
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
            told = {"env": local_run.ENVIRONMENT, "config": str(file), **({"search": url} if url else {})}
            outputs = _deploy(emulator, context={**told, **(context or {})}, file=file, root=root, work=work, step=step)
            step.result(f"{len(outputs)} stacks")
        with steps.step("Start Firehose") as step:
            calls = through(
                RealCalls(invoke=lambda_invoker(emulator.client("lambda")), put_object=s3_writer(emulator.client("s3")))
            )
            firehose, server = running.enter_context(_firehose(emulator, deployment, engine, calls=calls, work=work))
            step.result(f"{len(firehose.streams)} streams as deployed, {server.url}")
        yield Backend(
            deployment=deployment,
            fluent_bit=engine,
            firehose=firehose,
            server=server,
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
    asked = {"canary", "loadtest"} & context.keys()
    app = App(
        directory=root,
        context=context,
        inputs=(file, *(root / name for name in (*_SYNTH_INPUTS, *(_LOAD_INPUTS if asked else ())))),
    )
    return cdk.deploy_app(app)[1]


@contextmanager
def _firehose(
    emulator: Emulator, deployment: Deployment, engine: FluentBit, *, calls: Calls, work: Path
) -> Iterator[tuple[Firehose, Server]]:
    stacks = [f"{deployment.prefix}-delivery"]
    streams = deployed_streams(emulator.client("cloudformation"), emulator.client("firehose"), stacks=stacks)
    abilities = engine.abilities
    with (
        Firehose(
            streams,
            invoke=calls.invoke,
            put_object=calls.put_object,
            post_bulk=calls.post_to,
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
