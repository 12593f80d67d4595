"""The deployment that the local run has: the same routes, in sizes and times for one machine."""

import platform
import sys
from typing import Final

from sluice import limits
from sluice.destinations import OpenSearchDestination, S3Destination
from sluice.model import Architecture, Config, Deployment, NewNetwork, Removal, deployment
from sluice.routes import Buffering, Route
from sluice.search_settings import ExistingDomain, Indices

ENVIRONMENT: Final = "local"
ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"
# No container runs locally: Fluent Bit is a process beside the emulator. The name only has to be well-formed.
IMAGE: Final = "localhost/fluent-bit:local"
GATE_IMAGE: Final = "localhost/sluice-gate:local"
LOAD_TEST_IMAGE: Final = "localhost/sluice-loadtest:local"
OBJECT_SECONDS: Final = 2
TRANSFORM_SECONDS: Final = 1
SEARCH_RETRY_SECONDS: Final = 10
CANARY_MARGIN_SECONDS: Final = 2


def local_deployment(
    config: Config, *, architecture: Architecture, python: str, search: str | None, canary: bool = False
) -> Deployment:
    """The configuration as the local run deploys it, whatever environments it names.

    Args:
        config: what is to run.
        architecture: this machine's, for the transformer runs on it.
        python: the version of the interpreter that will run the transformer, as "3.11".
        search: where an OpenSearch is on this machine, as http://127.0.0.1:9200; without one, what would go there goes
            to S3.
        canary: whether to deploy the canary; a demo accounts for its lines itself.
    """
    base = deployment(config, next(iter(config.environments)))
    return base.model_copy(
        update={
            "environment": ENVIRONMENT,
            "account": ACCOUNT,
            "region": REGION,
            "removal": Removal.DESTROY,
            "network": NewNetwork(),
            "aggregator": base.aggregator.model_copy(
                update={
                    "image": base.aggregator.image.model_copy(update={"uri": IMAGE}),
                    "architecture": architecture,
                },
            ),
            "gate": base.gate.model_copy(update={"image_uri": GATE_IMAGE}),
            "transformer": base.transformer.model_copy(update={"architecture": architecture, "python": python}),
            "search": None if search is None else _local_search(search),
            "canary": base.canary.model_copy(update={"enabled": canary, "margin_seconds": CANARY_MARGIN_SECONDS}),
            "load_test": base.load_test.model_copy(update={"image": LOAD_TEST_IMAGE}),
            "routes": tuple(_local_route(route, searches=search is not None) for route in base.routes),
        }
    )


def of_this_machine(config: Config, *, search: str | None, canary: bool = False) -> Deployment:
    """The configuration as the local run deploys it here, for this processor and this interpreter."""
    arm = platform.machine() in {"arm64", "aarch64"}
    return local_deployment(
        config,
        architecture=Architecture.ARM64 if arm else Architecture.X86_64,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        search=search,
        canary=canary,
    )


def searches(config: Config) -> bool:
    """Whether anything goes to OpenSearch, so that the local run needs one."""
    return any(isinstance(route.destination, OpenSearchDestination) for route in config.routes)


def _local_search(endpoint: str) -> ExistingDomain:
    """One node has nowhere to put a copy, and who watches a demo wants to find a line at once."""
    arn = f"arn:aws:es:{REGION}:{ACCOUNT}:domain/{ENVIRONMENT}"
    return ExistingDomain(
        kind="existing", endpoint=endpoint, arn=arn, indices=Indices(shards=1, replicas=0, refresh_seconds=1)
    )


def _local_route(route: Route, *, searches: bool) -> Route:
    """In seconds, and to what there is on this machine: the local Firehose writes no Parquet."""
    destination = route.destination
    if isinstance(destination, S3Destination):
        destination = destination.model_copy(update={"format": "json"})
    elif searches:
        seconds = min(destination.retry_seconds, SEARCH_RETRY_SECONDS)
        destination = destination.model_copy(update={"retry_seconds": seconds})
    else:
        destination = S3Destination()
    buffering = hastened(route.buffering, least=limits.PARTITIONED_BUFFER_SECONDS if route.is_partitioned else 0)
    return route.model_copy(update={"destination": destination, "buffering": buffering})


def hastened(buffering: Buffering, *, least: int = 0) -> Buffering:
    """The same sizes, with seconds for minutes: nobody watches a demo for five minutes. `least` is Firehose's."""
    return buffering.model_copy(
        update={
            "interval_seconds": max(min(buffering.interval_seconds, OBJECT_SECONDS), least),
            "transform_interval_seconds": min(buffering.transform_interval_seconds, TRANSFORM_SECONDS),
        }
    )
