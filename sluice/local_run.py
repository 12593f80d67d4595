"""The deployment that the local run has: the same routes, in sizes and times for one machine."""

import platform
import sys
from typing import Final

from sluice.model import Architecture, Config, Deployment, NewNetwork, Removal, deployment
from sluice.routes import Buffering

ENVIRONMENT: Final = "local"
ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"
# No container runs locally: Fluent Bit is a process beside the emulator. The name only has to be well-formed.
IMAGE: Final = "localhost/fluent-bit:local"
OBJECT_SECONDS: Final = 2
TRANSFORM_SECONDS: Final = 1


def local_deployment(config: Config, *, architecture: Architecture, python: str) -> Deployment:
    """The configuration as the local run deploys it, whatever environments it names.

    Args:
        config: what is to run.
        architecture: this machine's, for the transformer runs on it.
        python: the version of the interpreter that will run the transformer, as "3.11".
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
            "transformer": base.transformer.model_copy(update={"architecture": architecture, "python": python}),
            "routes": tuple(route.model_copy(update={"buffering": hastened(route.buffering)}) for route in base.routes),
        }
    )


def of_this_machine(config: Config) -> Deployment:
    """The configuration as the local run deploys it here, for this processor and this interpreter."""
    arm = platform.machine() in {"arm64", "aarch64"}
    return local_deployment(
        config,
        architecture=Architecture.ARM64 if arm else Architecture.X86_64,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )


def hastened(buffering: Buffering) -> Buffering:
    """The same sizes, with seconds for minutes: nobody watches a demo for five minutes."""
    return buffering.model_copy(
        update={
            "interval_seconds": min(buffering.interval_seconds, OBJECT_SECONDS),
            "transform_interval_seconds": min(buffering.transform_interval_seconds, TRANSFORM_SECONDS),
        }
    )
