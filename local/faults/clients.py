"""The load of a matrix run: every kind of client at once, each to a route in OpenSearch or S3 alike, and tracers.

Loads are named `<client>-<route>`; what the matrix tells is by client. Rates are low: what counts is which messages
are lost, and a message that is lost at 30 a second is one that thousands a second lose.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from loadtest.profile import Client, Load, Profile, Size
from local.faults.rows import GATE
from sluice import globs
from sluice.model import Deployment
from sluice.routes import Route

Address = tuple[str, int]

TRACERS_PER_SECOND: Final = 18
"""As many as the AWS blog had, so that what is lost for each deployment can be compared."""

# The smallest flush of a sidecar is one a second; a profile ends when it is told to, and this is when it would.
_LONGEST_SECONDS: Final = 1800.0
_SIZE: Final = Size(median=600, sigma=0.6, least=120, most=8000)


@dataclass(frozen=True)
class Kind:
    """A kind of client, and how many messages a second it sends to each route, over how many connections."""

    name: str
    client: Client
    ack: bool
    rate: float
    connections: int
    says: str
    tracer: bool = False


KINDS: Final = (
    Kind("docker", "docker", True, 20, 2, "Docker's fluentd driver with acknowledgements: a message at a time"),
    Kind("firelens", "firelens", True, 50, 2, "a FireLens sidecar with require_ack_response"),
    Kind("agent", "agent", True, 50, 1, "a Fluent Bit on the host, with require_ack_response and gzip"),
    Kind("no-ack", "firelens", False, 50, 2, "a FireLens sidecar that asks for no acknowledgement"),
    Kind(GATE, "firelens", True, 50, 2, "a FireLens sidecar to a listener with `acknowledge: accepted`"),
    Kind("tracer", "firelens", True, TRACERS_PER_SECOND, 1, "tracers with acknowledgements, 18/s", tracer=True),
    Kind("tracer-no-ack", "firelens", False, TRACERS_PER_SECOND, 1, "tracers without, as the blog's", tracer=True),
)
"""In the order of the report. What there is no address for is left out."""


def profile_of(name: str, deployment: Deployment, *, gate: bool) -> Profile:
    """The load for an event. Tracers go to the first route alone, so that there are 18 a second of them."""
    tags = _tags(deployment)
    loads = []
    for kind in KINDS:
        if kind.name == GATE and not gate:
            continue
        for route, tag in [*tags.items()][: 1 if kind.tracer else None]:
            loads.append(_load(kind, route, tag))
    return Profile(name=name, seconds=_LONGEST_SECONDS, loads=tuple(loads))


def addresses(profile: Profile, *, to: Address, gate_to: Address | None) -> dict[str, Address]:
    """Where each load sends to."""
    return {load.name: gate_to if gate_to and kind_of(load.name).name == GATE else to for load in profile.loads}


def kind_of(load: str) -> Kind:
    """The kind of client that a load is of. Raises LookupError for a load that is not of `profile_of`."""
    return next(kind for kind in sorted(KINDS, key=lambda kind: -len(kind.name)) if load.startswith(f"{kind.name}-"))


def route_of(deployment: Deployment, tag: str) -> str:
    """The name of the route that takes a tag: the first that matches."""
    return next(route.name for route in deployment.routes if globs.matches(route.match, tag))


def _load(kind: Kind, route: str, tag: str) -> Load:
    return Load(
        name=f"{kind.name}-{route}",
        tag=tag,
        client=kind.client,
        ack=kind.ack,
        connections=kind.connections,
        messages_per_second=kind.rate,
        formats={"text": 2, "json": 1, "access": 1},
        size=_SIZE,
        compress=kind.client == "agent",
        tracer=kind.tracer,
    )


def _tags(deployment: Deployment) -> Mapping[str, str]:
    """A tag for one route to each kind of destination, the first of each."""
    return {route.name: tag for route, tag in _firsts(deployment)}


def _firsts(deployment: Deployment) -> Iterator[tuple[Route, str]]:
    seen: set[str] = set()
    for route in deployment.routes:
        tag = route.match.replace("*", "faults")
        if route.destination.kind not in seen and route_of(deployment, tag) == route.name:
            seen.add(route.destination.kind)
            yield route, tag
