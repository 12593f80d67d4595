"""Where things happen to a running system: clients' side of the network to what lies in S3, all of it breakable.

    clients → network (Proxy) → balancer (HAProxy) → aggregators (Fluent Bit) → upstream (Proxy) → Firehose → edges → S3

`whole_stage` has the emulator and the deployed application behind it, as the demo has; a `Stage` may also be put in
front of any other Firehose, which is how the tests do without an emulator.

Cost: 30 s and the pipeline's memory to start the whole one, 1 s for the part before Firehose.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from opensearchpy import OpenSearch

from loadtest.tally.readers import BucketObjects, ObjectReader, Reader
from loadtest.tally.search import SearchReader
from local import pipeline
from local.aggregator import Aggregator, Edit
from local.faults import balancer, disk
from local.faults.balancer import Balancer
from local.faults.edges import Edges
from local.faults.fleet import TIMES, Fleet, Times
from local.faults.proxy import Address, Proxy
from local.firehose import Faults, Firehose, Server
from local.fluent_bit import FluentBit
from local.gate import Gate
from local.steps import Steps
from sluice.model import Config, Deployment, Listener

SETTLE_SECONDS: Final = 120.0
_DRAIN_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


class NeverStruckError(Exception):
    """A fault was set and hit nothing: what did not happen was not survived."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How an aggregator is run, where it is not plainly: see `Aggregator`. `disk_bytes` is a disk of its own."""

    edit: Edit = lambda sections: sections
    wrapper: tuple[str, ...] = ()
    disk_bytes: int | None = None


PLAIN: Final = Setting()


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What is behind the aggregators. `readers` gives new readers of what arrives, from the beginning."""

    deployment: Deployment
    fluent_bit: FluentBit
    firehose: Firehose
    server: Server
    edges: Edges
    readers: Callable[[], Sequence[Reader]]
    backend: pipeline.Backend | None = None


class Stage:
    """A running system with `count` tasks of each service. Use as a context manager; one event at a time.

    Inside the block there are `network` (between clients and balancer) and `upstream` (between tasks and Firehose),
    `balancer`, `firehose`, `edges`, `deployment`; `to` is where clients send, `gate_to` where those do that want what
    Firehose has accepted acknowledged, if a listener does that; and `fleets` are the services that events happen to.
    """

    to: Address
    gate_to: Address | None = None

    def __init__(self, behind: Behind, *, folder: Path, haproxy: Path, count: int = 2, times: Times = TIMES) -> None:
        self.behind, self.deployment, self.folder = behind, behind.deployment, folder
        self.firehose, self.edges, self.backend = behind.firehose, behind.edges, behind.backend
        self.network, self.upstream = Proxy(), Proxy()
        fronts = [listener.name for listener in self.deployment.listeners]
        self.balancer = Balancer(haproxy, fronts=fronts, folder=folder / "balancer")
        self._aggregators = Fleet(self._plain, folder=folder / "aggregators", balancer=self.balancer, times=times)
        self._gates = Fleet(self._gate, folder=folder / "gates", balancer=self.balancer, times=times)
        self.fleets: tuple[Fleet[Any], ...] = (self._aggregators,)
        if self.deployment.listening("accepted"):
            self.fleets = (self._aggregators, self._gates)
        self._count = count
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.enter_context(self.network)
            starting.enter_context(self.upstream)
            starting.enter_context(self.balancer)
            server = self.behind.server
            self._aws = (*self.upstream.lead_to((server.host, server.port)), server.ca_file)
            for fleet in self.fleets:
                starting.callback(fleet.close)
                fleet.launch_many(self._count)
            self.to = self._lead_to(self.deployment.listening("stored")[0])
            for listener in self.deployment.listening("accepted")[:1]:
                self.gate_to = self._lead_to(listener)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def aggregators(self) -> list[Aggregator]:
        """Those in service, the oldest first."""
        return self._aggregators.tasks

    def launch(self, setting: Setting = PLAIN) -> Aggregator:
        """Start an aggregator, and return when it is in service."""
        return self._aggregators.launch(lambda folder: self._aggregator(folder, setting))

    def retire(
        self, aggregator: Aggregator, *, drain_seconds: float | None = None, stop_seconds: float | None = None
    ) -> bool:
        """Take it out of service as ECS does, and its disk with it; whether it ended before SIGKILL."""
        return self._aggregators.retire(aggregator, drain_seconds=drain_seconds, stop_seconds=stop_seconds)

    def crash(self, aggregator: Aggregator, *, times: int = 1) -> None:
        """SIGKILL, and it is started again on its disk."""
        self._aggregators.crash(aggregator, times=times)

    def lose(self, aggregator: Aggregator) -> None:
        """SIGKILL, and its disk is gone; another one takes its place."""
        self._aggregators.lose(aggregator)

    def rolling_deployment(self) -> None:
        """Replace every task of every service; the services side by side."""
        with ThreadPoolExecutor(max_workers=len(self.fleets)) as side_by_side:
            list(side_by_side.map(Fleet.rolling_deployment, self.fleets))

    def become(self, setting: Setting) -> None:
        """Replace every aggregator by one that is run like this, as a deployment does."""
        self._aggregators.rolling_deployment(lambda folder: self._aggregator(folder, setting))

    @contextmanager
    def throttled(self, *, seconds: float | None = None) -> Iterator[None]:
        """Firehose takes nothing within the block, or for so many seconds of it.

        Raises NeverStruckError if nobody asked it to.
        """
        self.firehose.inject(Faults(throttle=True), seconds=seconds)
        try:
            yield
            struck = self.firehose.struck
        finally:
            self.firehose.inject(Faults())
        if not struck:
            raise NeverStruckError("Firehose throttled nobody, so nothing was tried")

    def settle(self, *, timeout: float = SETTLE_SECONDS) -> bool:
        """Wait until every buffer is empty, then empty Firehose; False if something is left after so many seconds.

        Stop the clients first. An aggregator that starts on a predecessor's buffer takes it up over some seconds.
        """
        deadline = time.monotonic() + timeout
        while self.network.pending or not all(aggregator.is_empty() for aggregator in self.aggregators):
            if time.monotonic() > deadline:
                self.firehose.drain(timeout=_DRAIN_SECONDS)
                return False
            time.sleep(_POLL_SECONDS)
        return self.firehose.drain(timeout=_DRAIN_SECONDS)

    @property
    def search(self) -> OpenSearch | None:
        """A client of the OpenSearch that routes go to, where there is one."""
        return None if self.backend is None else self.backend.search

    def readers(self) -> Sequence[Reader]:
        """New readers of what arrives, from the beginning."""
        return self.behind.readers()

    def _lead_to(self, listener: Listener) -> Address:
        return self.network.lead_to((balancer.HOST, self.balancer.ports[listener.name]))

    def _gate(self, folder: Path) -> Gate:
        return Gate(self.deployment, folder=folder, aws=self._aws)

    def _plain(self, folder: Path) -> Aggregator:
        return self._aggregator(folder, PLAIN)

    def _aggregator(self, folder: Path, setting: Setting) -> Aggregator:
        aggregator = Aggregator(
            self.behind.fluent_bit,
            self.deployment,
            folder=folder,
            aws=self._aws,
            edit=setting.edit,
            wrapper=setting.wrapper,
        )
        if setting.disk_bytes is not None:
            disk.mount(aggregator.buffer, size=setting.disk_bytes)
        return aggregator


@contextmanager
def whole_stage(
    config: Config,
    *,
    file: Path,
    root: Path,
    work: Path,
    search: bool | None,
    steps: Steps,
    count: int = 2,
    times: Times = TIMES,
) -> Iterator[Stage]:
    """The whole pipeline of `local.pipeline`, with its arguments, behind a balancer; stopped at the end of the block.

    Raises BalancerError where there is no HAProxy, and what `pipeline.backend` raises.
    """
    edges: list[Edges] = []

    def through(calls: pipeline.Calls) -> pipeline.Calls:
        edges.append(Edges(invoke=calls.invoke, put_object=calls.put_object, post_to=calls.post_to))
        return edges[0]

    work.mkdir(parents=True, exist_ok=True)
    haproxy = balancer.find(log=work / "install.log")
    with pipeline.backend(
        config, file=file, root=root, work=work, search=search, steps=steps, through=through
    ) as backend:
        behind = Behind(
            deployment=with_gate(backend.deployment),
            fluent_bit=backend.fluent_bit,
            firehose=backend.firehose,
            server=backend.server,
            edges=edges[0],
            readers=lambda: _readers(backend),
            backend=backend,
        )
        with ExitStack() as running:
            with steps.step("Start the aggregators behind a balancer") as step:
                stage = running.enter_context(Stage(behind, folder=work, haproxy=haproxy, count=count, times=times))
                step.result(f"{count}, forward on {stage.to[0]}:{stage.to[1]}")
            yield stage


def with_gate(deployment: Deployment) -> Deployment:
    """The deployment with a listener that acknowledges what Firehose has accepted, if it has none."""
    if deployment.listening("accepted"):
        return deployment
    port = max(listener.port for listener in deployment.listeners) + 1
    gate = Listener(name="gate", port=port, acknowledge="accepted")
    return deployment.model_copy(update={"listeners": (*deployment.listeners, gate)})


def _readers(backend: pipeline.Backend) -> Sequence[Reader]:
    bucket = ObjectReader(BucketObjects(backend.s3, bucket=backend.bucket))
    if backend.search is None:
        return (bucket,)
    return bucket, SearchReader(backend.search, prefix=backend.deployment.prefix)
