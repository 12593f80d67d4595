"""Choices that work and fight each other all the same: told by `sluice validate`, and no reason to stop."""

from collections.abc import Iterator
from typing import Final

from sluice import canary, sizing
from sluice.choices import describe
from sluice.destinations import OpenSearchDestination
from sluice.model import Aggregator, Config, Deployment, deployment
from sluice.problems import Breach, Path
from sluice.routes import Route
from sluice.search_settings import Domain

# https://docs.aws.amazon.com/opensearch-service/latest/developerguide/bp-sharding.html: 1,000 shards on a node, and 25
# for each GiB of its heap; the smaller instances have a heap of a few GiB.
SHARDS_PER_INSTANCE: Final = 500
_INDICES_PER_DAY: Final = {"hour": 24.0, "day": 1.0, "week": 1 / 7, "month": 1 / 30}
_DEAR: Final = 0.2  # dollars per GiB of lines
_SHORTEST_OUTAGE: Final = 30


def advise(config: Config) -> Iterator[Breach]:
    """Everything that could be chosen better, as breaches of no rule."""
    for at, route in enumerate(config.routes):
        yield from _route(route, ("routes", at))
    for name in config.environments:
        here = deployment(config, name)
        yield from _costs(here)
        yield from _unwatched(here)
        yield from _sizes(here, config.environments[name].aggregator)
        yield from _shards(here, ("environments", name, "search") if config.environments[name].search else ("search",))


def _route(route: Route, place: Path) -> Iterator[Breach]:
    if route.has_one_document_per_record and route.buffering.pack and not route.is_aggregated:
        yield Breach(
            (*place, "buffering", "pack"),
            "OpenSearch takes one document per record: the transformer sends every packed line once more, by itself",
            "leave pack out; to pay less for small lines, take via: kinesis with aggregation",
        )
    for at, key in enumerate(getattr(route.destination, "partition_by", ())):
        if key.values is None:
            yield Breach(
                (*place, "destination", "partition_by", at),
                "every value of the field gets a folder, and Firehose writes to 500 at once; the rest goes to failed/",
                "name the values; the others then share `other`. Queries on such a table have to name the value",
            )
    if route.via == "kinesis" and route.kinesis.mode == "provisioned" and not route.kinesis.aggregation:
        yield Breach(
            (*place, "kinesis", "aggregation"),
            "a shard takes 1,000 records a second, and each line is one",
            "let lines be aggregated, or take enough shards",
        )


def _unwatched(here: Deployment) -> Iterator[Breach]:
    _, unwatched = canary.plan(here)
    for each in unwatched if here.canary.enabled else ():
        at = here.routes.index(each.route)
        yield Breach(("routes", at, "match"), f"the canary does not watch this route: {each.why}", each.remedy)


def _sizes(here: Deployment, override: Aggregator | None) -> Iterator[Breach]:
    def place(key: str) -> Path:
        own = override is not None and key in override.model_fields_set
        return ("environments", here.environment, "aggregator", key) if own else ("aggregator", key)

    aggregator = here.aggregator
    if aggregator.cpu > sizing.USEFUL_CPU:
        yield Breach(
            place("cpu"),
            "a task of Fluent Bit gets no quicker beyond 2 vCPU: one thread takes in and filters",
            f"take {sizing.USEFUL_CPU} or less, and more tasks",
        )
    load, wanted = sizing.full_load(aggregator, tasks=aggregator.min_tasks), float(_SHORTEST_OUTAGE)
    if aggregator.expected is not None:
        load, wanted = sizing.expected_load(aggregator.expected), aggregator.expected.outage_seconds
    held = sizing.judge(load, aggregator, tasks=aggregator.min_tasks).outage_seconds
    if held < wanted:
        yield Breach(
            place("memory_mib"),
            f"{aggregator.min_tasks} tasks hold {load.messages_per_second:,.0f} messages a second of "
            f"{load.message_bytes} bytes for {held:.0f} s; then clients have to wait for Firehose",
            f"take more memory, for {wanted:.0f} s: `sluice size` chooses",
        )


def _costs(here: Deployment) -> Iterator[Breach]:
    for at, route in enumerate(here.routes):
        choice = describe(route, here)
        if choice.per_gib > _DEAR and route.via == "direct" and not route.buffering.pack:
            remedy = "take via: kinesis, whose aggregates Firehose takes apart" if route.resends else "leave pack out"
            yield Breach(
                ("routes", at, "buffering", "pack"),
                f"Firehose bills a line as 5 KB: ${choice.per_gib:.2f} for a GiB of lines of 500 bytes",
                f"{remedy}; or do nothing, if lines are few or large",
            )


def _shards(here: Deployment, place: Path) -> Iterator[Breach]:
    if not isinstance(here.search, Domain):
        return
    days = here.retention.search_days
    copies = here.search.indices.shards * (1 + here.search.indices.replicas)
    rotations = [
        route.destination.rotation for route in here.routes if isinstance(route.destination, OpenSearchDestination)
    ]
    shards = sum(days * _INDICES_PER_DAY.get(each, 1 / here.search.rollover.days) * copies for each in rotations)
    if shards > SHARDS_PER_INSTANCE * here.search.instances:
        yield Breach(
            (*place, "instances"),
            f"after {days} days there are {shards:,.0f} shards, more than {SHARDS_PER_INSTANCE} on an instance",
            "take a longer rotation, or none, or fewer days, or more instances",
        )
