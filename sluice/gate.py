"""What the gate is told: one variable with the streams, in the order in which tags are tried, and its sizes.

The gate imports nothing of ours, so this is the contract: `gate/settings.py` reads what is written here.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from sluice import limits, names
from sluice.model import Deployment
from sluice.routes import Route

VARIABLE: Final = "SLUICE_GATE"
STATUS_PORT: Final = 2021
# What waits is there as lines, as records and, of the calls on their way, as base64; and a record of 16 MiB may be a
# gigabyte of Python's objects while it is read.
_SHARE: Final = 8

Form = Literal["packed", "single", "kpl"]


def environment(
    deployment: Deployment,
    *,
    listen: str | None = None,
    ports: Mapping[str, int] | None = None,
    status_port: int = STATUS_PORT,
) -> dict[str, str]:
    """The gate's variables. `AWS_REGION` is another one; on Fargate it is there already.

    Args:
        deployment: what it is to serve.
        listen: the address it listens at, when it is not every one.
        ports: by listener's name, the port it has here, where that is not the listener's own.
        status_port: where it tells its own container how it is.
    """
    told: dict[str, Any] = {
        "name": f"{deployment.prefix}-gate",
        "routes": [_told(deployment, route) for route in deployment.routes],
        "ports": [(ports or {}).get(listener.name, listener.port) for listener in deployment.listening("accepted")],
        "status_port": status_port,
        "waiting_bytes": deployment.gate.memory_mib * limits.MIB // _SHARE,
        **({} if listen is None else {"listen": listen}),
    }
    return {VARIABLE: json.dumps(told, separators=(",", ":"))}


def form(route: Route) -> Form:
    """What a record of the route's stream is, as the aggregator's output makes it."""
    if route.is_aggregated:
        return "kpl"
    return "packed" if route.buffering.pack else "single"


def _told(deployment: Deployment, route: Route) -> dict[str, str]:
    direct = route.via == "direct"
    return {
        "match": route.match,
        "stream": names.stream(deployment, route) if direct else names.kinesis_stream(deployment, route),
        "to": "firehose" if direct else "kinesis",
        "form": form(route),
        **({"key": route.kinesis.partition_key} if route.is_aggregated else {}),
    }
