"""A stage without an emulator: the real balancer, aggregators and proxies, the local Firehose, the transformer here."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from loadtest.tally.readers import FolderObjects, ObjectReader
from local.faults import balancer
from local.faults.balancer import BalancerError
from local.faults.edges import Edges
from local.faults.stage import Behind, Stage
from local.firehose import (
    BufferHints,
    Firehose,
    make_certificate,
    serve,
)
from local.fluent_bit import find
from local.process import ProcessError
from sluice.load import load
from sluice.model import deployment
from tests.streams import stream, transformer

ROOT = Path(__file__).resolve().parents[3]
HINTS = BufferHints(size_bytes=1024 * 1024, interval_seconds=1)


@pytest.fixture(scope="session")
def haproxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return balancer.find(log=tmp_path_factory.mktemp("haproxy") / "install.log")
    except (BalancerError, ProcessError) as error:
        pytest.skip(f"needs HAProxy: {error}")


@pytest.fixture
def staged(
    fluent_bit_5: str, haproxy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Stage]]:
    """Makes a stage in front of a folder, `objects`, that is laid out as the bucket is."""
    del fluent_bit_5, capfd  # found again on PATH; the transformer prints its metrics
    here = deployment(load(ROOT / "sluice.yaml"), "dev")
    with ExitStack() as running:

        def make(*, count: int = 2) -> Stage:
            edges = Edges(invoke=transformer, put_object=Folder(tmp_path / "objects").put)
            streams = [stream(here, route) for route in here.routes]
            firehose = running.enter_context(Firehose(streams, invoke=edges.invoke, put_object=edges.put_object))
            behind = Behind(
                deployment=here,
                fluent_bit=find(cache=tmp_path, image_tag=None),
                firehose=firehose,
                server=running.enter_context(serve(firehose, certificate=make_certificate(tmp_path / "tls"))),
                edges=edges,
                readers=lambda: (ObjectReader(FolderObjects(tmp_path / "objects")),),
            )
            return running.enter_context(Stage(behind, folder=tmp_path / "stage", haproxy=haproxy, count=count))

        yield make


class Folder:
    """Where S3 would be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def put(self, *, bucket: str, key: str, body: bytes, encoding: str | None) -> None:
        del bucket, encoding
        file = self._folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder.parent / f"{file.name}.unfinished"
        unfinished.write_bytes(body)
        unfinished.replace(file)
