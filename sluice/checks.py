"""What several keys say about each other: one function per rule, each yielding every breach it finds.

The rules look at what could be read of a file, so that a breach is reported along with the malformed keys
around it, in one go.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sluice import canary, globs, limits, local_run, names, route_checks, rule_checks, sizing
from sluice.model import (
    CATCH_ALL_MATCH,
    CATCH_ALL_NAME,
    RESERVED_TAG_PREFIX,
    Aggregator,
    Config,
    Deployment,
    Gate,
    NewNetwork,
    deployment,
)
from sluice.problems import Breach, Path
from sluice.search_settings import Collection, Domain


@dataclass(frozen=True)
class RouteLine:
    """What the rules about routes need of one: its place, its name and its match."""

    path: Path
    name: str
    match: str


def routes(lines: Sequence[RouteLine]) -> Iterator[Breach]:
    """Names are unique; every route can be reached; the reserved tags stay reserved."""
    for at, line in enumerate(lines):
        earlier = lines[:at]
        same = next((other for other in earlier if _bare(line.name) == _bare(other.name)), None)
        if same is not None:
            told = (
                "two routes have this name" if same.name == line.name else f"differs from {same.name!r} in hyphens only"
            )
            yield Breach((*line.path, "name"), told, "give each route a name of its own")
        shadow = next((other for other in earlier if globs.covers(other.match, line.match)), None)
        if shadow is not None:
            yield Breach(
                (*line.path, "match"),
                f"no record gets here: every such tag is taken by {shadow.name!r} ({shadow.match}) before",
                f"move this route above {shadow.name!r}, or make one of the matches narrower",
            )
        if globs.covers(f"{RESERVED_TAG_PREFIX}*", line.match):
            yield Breach(
                (*line.path, "match"),
                f"tags that start with {RESERVED_TAG_PREFIX!r} are Sluice's own",
                "match another tag",
            )
        if line.name == CATCH_ALL_NAME and line.match != CATCH_ALL_MATCH:
            yield Breach(
                (*line.path, "name"),
                f"{CATCH_ALL_NAME!r} is the name of the last route, the one that takes every other tag",
                f"rename the route, or let it match {CATCH_ALL_MATCH!r}",
            )


def _bare(name: str) -> str:
    """CloudFormation's logical ids have no hyphens."""
    return name.replace("-", "")


def listeners(ports: Sequence[tuple[Path, str, int]]) -> Iterator[Breach]:
    """Names and ports are unique."""
    for at, (path, name, port) in enumerate(ports):
        if any(name == other for _, other, _ in ports[:at]):
            yield Breach((*path, "name"), "two listeners have this name", "give each listener a name of its own")
        if any(port == other for _, _, other in ports[:at]):
            yield Breach((*path, "port"), "two listeners have this port", "give each listener a port of its own")


def config(config: Config, *, whole: bool = True) -> Iterator[Breach]:
    """Everything that can be said once every key is well-formed, for every environment.

    Where it is not `whole`, malformed keys were taken out, and nothing is told as missing.
    """
    for at, route in enumerate(config.routes):
        yield from rule_checks.rules(route, ("routes", at))
        yield from route_checks.route(route, ("routes", at))
    if not any(listener.acknowledge == "stored" for listener in config.listeners):
        yield Breach(
            ("listeners",),
            "no listener is the aggregator's: all acknowledge what was accepted, which is the gate's",
            "add a listener with acknowledge: stored, the default",
        )
    for name in config.environments:
        if name == local_run.ENVIRONMENT:
            yield Breach(("environments", name), "is the name of the local run", "give the environment another name")
        here = deployment(config, name)
        yield from _sizes(here, "aggregator", here.aggregator, config.environments[name].aggregator)
        yield from _sizes(here, "gate", here.gate, config.environments[name].gate)
        yield from _expected(here, config.environments[name].aggregator)
        yield from _network(here, overridden=config.environments[name].network is not None)
        own = config.environments[name].search is not None
        if here.search is not None or whole:
            yield from route_checks.search(here, ("environments", name, "search") if own else ("search",))
        yield from _log_retention(here)
        yield from _canary(here)
        yield from _load_test(here)
        yield from _lengths(here)


def _sizes(
    here: Deployment, section: str, sizes: Aggregator | Gate, override: Aggregator | Gate | None
) -> Iterator[Breach]:
    def place(key: str) -> Path:
        own = override is not None and key in override.model_fields_set
        return ("environments", here.environment, section, key) if own else (section, key)

    memories = limits.FARGATE_MEMORY_MIB.get(sizes.cpu)
    if memories is None:
        yield Breach(
            place("cpu"),
            f"Fargate has no tasks of {sizes.cpu} CPU units",
            f"take one of {_listed(limits.FARGATE_MEMORY_MIB)}",
        )
    elif sizes.memory_mib not in memories:
        yield Breach(
            place("memory_mib"),
            f"Fargate does not pair {sizes.memory_mib} MiB with {sizes.cpu} CPU units",
            f"take {memories[0]} to {memories[-1]} MiB in steps as Fargate has them: {_listed(memories[:8])}",
        )
    if sizes.min_tasks < here.network.zones:
        yield Breach(
            place("min_tasks"),
            f"fewer tasks than availability zones ({here.network.zones}): losing one zone could lose them all",
            f"take {here.network.zones} or more",
        )
    if sizes.max_tasks < sizes.min_tasks:
        yield Breach(
            place("max_tasks"),
            f"fewer than min_tasks ({sizes.min_tasks})",
            f"take {sizes.min_tasks} or more",
        )


def _expected(here: Deployment, override: Aggregator | None) -> Iterator[Breach]:
    """All the tasks that scaling may start have to carry what is expected."""
    aggregator = here.aggregator
    if aggregator.expected is None or aggregator.cpu not in limits.FARGATE_MEMORY_MIB:
        return
    load = sizing.expected_load(aggregator.expected)
    most = sizing.full_load(
        aggregator, tasks=aggregator.max_tasks, message_bytes=load.message_bytes, client=load.client
    )
    if load.cores > most.cores:
        own = override is not None and "max_tasks" in override.model_fields_set
        needed = math.ceil(aggregator.max_tasks * load.cores / most.cores)
        yield Breach(
            ("environments", here.environment, "aggregator", "max_tasks") if own else ("aggregator", "max_tasks"),
            f"{aggregator.max_tasks} tasks of {aggregator.cpu} CPU units carry {most.messages_per_second:,.0f} messages"
            f" a second within {aggregator.cpu_target_percent} % of CPU; {load.messages_per_second:,.0f} are expected",
            f"take {needed} or more, or larger ones: `sluice size` chooses",
        )


def _network(here: Deployment, *, overridden: bool) -> Iterator[Breach]:
    place: Path = ("environments", here.environment, "network") if overridden else ("network",)
    network = here.network
    if isinstance(network, NewNetwork):
        smallest = limits.SUBNET_PREFIX_LENGTH - 2  # four subnets need two more bits each
        if not limits.VPC_PREFIX_LENGTH[0] <= network.cidr.prefixlen <= smallest:
            yield Breach(
                (*place, "cidr"),
                "four subnets do not fit, or the range is larger than a VPC may be",
                f"take a range between /{limits.VPC_PREFIX_LENGTH[0]} and /{smallest}",
            )
        return
    if len(network.availability_zones) != len(network.private_subnet_ids):
        yield Breach(
            (*place, "availability_zones"),
            f"{len(network.availability_zones)} zones for {len(network.private_subnet_ids)} subnets",
            "name the zone of each private subnet, in the subnets' order",
        )
    if network.zones < 2:  # noqa: PLR2004 - one zone is no redundancy
        yield Breach(
            (*place, "availability_zones"),
            "all subnets are in one zone",
            "take private subnets in two zones or more",
        )


def _canary(here: Deployment) -> Iterator[Breach]:
    """What it is told of the routes has to fit into its function's environment."""
    size, room = canary.variable_bytes(here), limits.LAMBDA_ENVIRONMENT_BYTES - canary.OTHER_VARIABLES_BYTES
    if here.canary.enabled and size > room:
        yield Breach(
            ("canary", "enabled"),
            f"what it is told of {len(here.routes)} routes takes {size} bytes of its function's environment of {room}",
            "shorten the routes' names and matches, or switch it off",
        )


def _load_test(here: Deployment) -> Iterator[Breach]:
    asked = here.load_test
    memories = limits.FARGATE_MEMORY_MIB.get(asked.cpu, ())
    if asked.memory_mib not in memories:
        sizes = (
            f"{memories[0]} to {memories[-1]} MiB" if memories else f"cpu: one of {_listed(limits.FARGATE_MEMORY_MIB)}"
        )
        yield Breach(
            ("load_test", "memory_mib" if memories else "cpu"),
            f"Fargate has no tasks of {asked.cpu} CPU units and {asked.memory_mib} MiB",
            f"take {sizes}",
        )


def _log_retention(here: Deployment) -> Iterator[Breach]:
    if here.retention.service_logs_days not in limits.LOG_RETENTION_DAYS:
        yield Breach(
            ("environments", here.environment, "retention", "service_logs_days"),
            f"CloudWatch Logs does not keep logs for {here.retention.service_logs_days} days",
            f"take one of {_listed(limits.LOG_RETENTION_DAYS)}",
        )


def _lengths(here: Deployment) -> Iterator[Breach]:
    longest = "1" * limits.ACCOUNT_ID_LENGTH
    region = here.region or limits.LONGEST_REGION
    fixed = {
        "load balancer": (names.load_balancer(here), limits.LOAD_BALANCER_NAME_LENGTH),
        "bucket": (names.bucket(here, account=longest, region=region), limits.BUCKET_NAME_LENGTH),
    }
    if isinstance(here.search, Domain | Collection):
        domain = isinstance(here.search, Domain)
        limit = limits.SEARCH_DOMAIN_NAME_LENGTH if domain else limits.COLLECTION_NAME_LENGTH
        fixed["domain" if domain else "collection"] = (names.search_domain(here), limit)
    for what, (name, limit) in fixed.items():
        if len(name) > limit:
            yield _too_long(("environments", here.environment), what, name, limit)
    for at, route in enumerate(here.routes):
        routed = {
            "stream": (names.stream(here, route), limits.STREAM_NAME_LENGTH),
            "function": (names.function(here, route), limits.FUNCTION_NAME_LENGTH),
            "role": (names.role(here, route), limits.ROLE_NAME_LENGTH),
        }
        for what, (name, limit) in routed.items():
            if len(name) > limit:
                yield _too_long(("routes", at, "name"), what, name, limit)
                break


def _too_long(path: Path, what: str, name: str, limit: int) -> Breach:
    return Breach(
        path,
        f"the {what} would be named {name!r}, {len(name)} characters; AWS takes {limit}",
        f"shorten name, environment or route by {len(name) - limit} characters",
    )


def _listed(values: Mapping[int, object] | Sequence[int]) -> str:
    return ", ".join(str(value) for value in values)
