"""What the local run changes of a configuration, and what it must not."""

from pathlib import Path

from sluice.destinations import OpenSearchDestination, S3Destination
from sluice.load import load
from sluice.local_run import local_deployment, searches
from sluice.model import Architecture, Config, Deployment, NewNetwork, Removal, routes_of
from sluice.routes import Buffering
from sluice.search_settings import ExistingDomain

ROOT = Path(__file__).resolve().parents[2]


URL = "http://127.0.0.1:9200"


def local() -> Deployment:
    return local_deployment(load(ROOT / "sluice.yaml"), architecture=Architecture.X86_64, python="3.11", search=URL)


def test_the_routes_are_the_files_own_in_seconds() -> None:
    config = load(ROOT / "sluice.yaml")
    for route, original in zip(local().routes, routes_of(config), strict=True):
        assert route.buffering.interval_seconds == 2
        assert route.buffering.transform_interval_seconds == 1
        assert (
            route.model_copy(update={"buffering": original.buffering, "destination": original.destination}) == original
        )
        assert route.destination.kind == original.destination.kind


def test_a_shorter_interval_stays() -> None:
    config = load(ROOT / "sluice.yaml")
    quick = config.routes[0].model_copy(
        update={"buffering": Buffering(interval_seconds=0, transform_interval_seconds=0, size_mib=1)}
    )
    first, *_ = local_deployment(
        config.model_copy(update={"routes": (quick,)}), architecture=Architecture.ARM64, python="3.12", search=URL
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


KINDS = Config.model_validate(
    {
        "name": "shop",
        "environments": {"prod": {}},
        "search": {"kind": "domain"},
        "routes": [
            {"name": "found", "match": "found*", "destination": {"kind": "opensearch", "numbers": ["took"]}},
            {"name": "columns", "match": "columns*", "destination": {"kind": "s3", "format": "parquet"}},
            {
                "name": "tenants",
                "match": "tenants*",
                "destination": {"kind": "s3", "partition_by": [{"name": "tenant", "field": "attributes.tenant"}]},
            },
        ],
    }
)


def test_what_goes_to_opensearch_goes_to_the_one_on_this_machine() -> None:
    here = local_deployment(KINDS, architecture=Architecture.X86_64, python="3.11", search=URL)
    assert isinstance(here.search, ExistingDomain)
    assert (here.search.endpoint, here.search.is_local) == (URL, True)
    assert here.search.indices.replicas == 0, "a copy on a single node is never made, and the index stays yellow"
    destination = here.routes[0].destination
    assert isinstance(destination, OpenSearchDestination)
    assert (destination.numbers, destination.retry_seconds) == (("took",), 10)
    assert searches(KINDS)


def test_without_an_opensearch_it_goes_to_s3() -> None:
    here = local_deployment(KINDS, architecture=Architecture.X86_64, python="3.11", search=None)
    assert here.search is None
    assert {route.destination.kind for route in here.routes} == {"s3"}
    assert not searches(KINDS.model_copy(update={"routes": KINDS.routes[1:]}))


def test_the_local_firehose_gets_what_it_can_do() -> None:
    """It writes no Parquet; and where Firehose insists on a minute, so does it."""
    _, columns, tenants, _ = local_deployment(KINDS, architecture=Architecture.X86_64, python="3.11", search=URL).routes
    assert isinstance(columns.destination, S3Destination)
    assert columns.destination.format == "json"
    assert tenants.destination == KINDS.routes[2].destination
    assert (columns.buffering.interval_seconds, tenants.buffering.interval_seconds) == (2, 60)
