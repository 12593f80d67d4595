"""Where the load goes, and how what became of it can be told; the other side is `sluice.loadtest`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loadtest.plan import Plan
from loadtest.task.run import Asked, UnusableError, Way
from sluice import globs
from sluice.loadtest import SEARCH_VARIABLES, VARIABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route: `json` or `parquet` in S3, or `opensearch`; see `sluice.loadtest`."""

    name: str
    match: str
    kind: str
    place: str
    table: str = ""
    asks: tuple[str, ...] = ()
    found_after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to send, the routes in the order in which they are tried, and who can be asked what arrived."""

    host: str
    ports: Mapping[str, int]
    routes: tuple[Route, ...]
    failed: str
    workgroup: str | None
    bucket: str
    search: tuple[str, str] | None

    def route_of(self, tag: str) -> Route:
        """The route that takes a tag."""
        return next(route for route in self.routes if globs.matches(route.match, tag))

    def routes_of(self, plan: Plan) -> tuple[Route, ...]:
        """The routes that a plan's loads take, in their order."""
        taken = {self.route_of(load.tag).name for load in plan.profile.loads}
        return tuple(route for route in self.routes if route.name in taken)

    def port(self, asked: Asked) -> int:
        """The port to send to. UnusableError if there is no such listener."""
        listener = asked.listener or next(iter(self.ports))
        if listener not in self.ports:
            raise UnusableError(f"there is no listener {listener!r}: take one of {', '.join(self.ports)}")
        return self.ports[listener]

    def way(self, plan: Plan, asked: Asked) -> Way:
        """How the run is accounted for: as it was asked, else by Athena where Athena can tell. UnusableError if not."""
        routes = self.routes_of(plan)
        against: dict[Way, list[str]] = {
            "athena": list(self._unasked(routes)),
            "reading": list(self._unread(routes)),
        }
        if asked.verify is not None and against[asked.verify]:
            raise UnusableError(f"verify: {asked.verify} cannot tell: {'; '.join(against[asked.verify])}")
        possible: list[Way] = [way for way, reasons in against.items() if not reasons]
        if not possible:
            both = "; ".join(f"{way} cannot, for {', '.join(reasons)}" for way, reasons in against.items())
            raise UnusableError(f"nothing can tell what became of it: {both}. Give its loads tags of other routes")
        return asked.verify or possible[0]

    def _unasked(self, routes: Iterable[Route]) -> Iterable[str]:
        if self.workgroup is None:
            yield "there is no way to Athena from this network, or no table"
        for route in routes:
            if route.kind == "opensearch":
                yield f"route {route.name} goes to OpenSearch"
            if route.asks:
                yield f"route {route.name} is divided by {', '.join(route.asks)}, of which Athena wants one value"

    def _unread(self, routes: Iterable[Route]) -> Iterable[str]:
        for route in routes:
            if route.kind == "parquet":
                yield f"route {route.name} lies in Parquet, which is not read here"
            if route.kind == "opensearch" and self.search is None:
                yield f"route {route.name} goes to OpenSearch, to which there is no way from this network"


def read_target(environment: Mapping[str, str]) -> Target:
    """What the task is told. Raises KeyError or ValueError for an environment that is not a load test's."""
    told = json.loads(environment[VARIABLE])
    endpoint, service = (environment.get(name) for name in SEARCH_VARIABLES)
    return Target(
        host=told["host"],
        ports=told["ports"],
        routes=tuple(Route(**route | {"asks": tuple(route.get("asks", ()))}) for route in told["routes"]),
        failed=told["failed"],
        workgroup=told["workgroup"],
        bucket=environment["SLUICE_BUCKET"],
        search=(endpoint, service) if endpoint and service else None,
    )
