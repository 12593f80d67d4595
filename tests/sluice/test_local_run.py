"""What the local run changes of a configuration, and what it must not."""

from pathlib import Path

from sluice.load import load
from sluice.local_run import local_deployment
from sluice.model import Architecture, Deployment, NewNetwork, Removal, routes_of
from sluice.routes import Buffering

ROOT = Path(__file__).resolve().parents[2]


def local() -> Deployment:
    return local_deployment(load(ROOT / "sluice.yaml"), architecture=Architecture.X86_64, python="3.11")


def test_the_routes_are_the_files_own_in_seconds() -> None:
    config = load(ROOT / "sluice.yaml")
    for route, original in zip(local().routes, routes_of(config), strict=True):
        assert route.buffering.interval_seconds == 2
        assert route.buffering.transform_interval_seconds == 1
        assert route.model_copy(update={"buffering": original.buffering}) == original


def test_a_shorter_interval_stays() -> None:
    config = load(ROOT / "sluice.yaml")
    quick = config.routes[0].model_copy(
        update={"buffering": Buffering(interval_seconds=0, transform_interval_seconds=0, size_mib=1)}
    )
    first, *_ = local_deployment(
        config.model_copy(update={"routes": (quick,)}), architecture=Architecture.ARM64, python="3.12"
    ).routes
    assert first.buffering == quick.buffering


def test_it_fits_this_machine_and_leaves_nothing() -> None:
    here = local()
    assert here.transformer.architecture is here.aggregator.architecture is Architecture.X86_64
    assert here.transformer.python == "3.11"
    assert here.removal is Removal.DESTROY
    assert here.aggregator.image.uri is not None, "there is no Docker to build one"
    assert here.network == NewNetwork(), "somebody else's VPC is not in the emulator"
    assert here.prefix == "sluice-local"
