"""What the keys of a route's destination and of its way there say about each other, and about `search`."""

from collections.abc import Iterator
from math import prod
from typing import Final

from sluice import limits
from sluice.athena.tables import TAKEN
from sluice.destinations import OpenSearchDestination, PartitionKey, S3Destination
from sluice.model import Deployment, NewNetwork
from sluice.problems import Breach, Path
from sluice.routes import Route
from sluice.search.fields import clashes
from sluice.search_settings import Collection, Domain, ExistingDomain

# Folders that every object's name has already, and columns that every table has.
TAKEN_PARTITIONS: Final = TAKEN | {"route", "reason", "year", "month", "day", "hour"}
# Earlier ones do not find keys of the attributes that come after a list.
# https://github.com/opensearch-project/OpenSearch/issues/13698
OLDEST_VERSION: Final = (2, 19)


def route(route: Route, place: Path) -> Iterator[Breach]:
    """Every breach in the destination of the route at this place of the file, and in its way there."""
    yield from _kinesis(route, (*place, "kinesis"))
    match route.destination:
        case OpenSearchDestination() as destination:
            yield from _numbers(destination.numbers, (*place, "destination", "numbers"))
            most = limits.SEARCH_BUFFER_MIB[1]
            if route.buffering.size_mib > most:
                yield Breach(
                    (*place, "buffering", "size_mib"),
                    f"Firehose gathers at most {most} MiB for OpenSearch",
                    f"take {most} or less; 5 is what people wait least for",
                )
        case S3Destination() as destination:
            yield from _partitions(destination.partition_by, (*place, "destination", "partition_by"))
            if destination.partition_by or destination.format == "parquet":
                yield from _large_buffer(route, place, parquet=destination.format == "parquet")


def _kinesis(route: Route, place: Path) -> Iterator[Breach]:
    if route.via == "direct":
        if "kinesis" in route.model_fields_set:
            yield Breach(place, "the route does not go via Kinesis", "add via: kinesis to the route, or take this out")
        return
    settings = route.kinesis
    if settings.mode == "provisioned" and settings.shards is None:
        yield Breach((*place, "shards"), "a provisioned stream has to have them", "name how many: one takes 1 MiB/s")
    if settings.mode == "on-demand" and settings.shards is not None:
        yield Breach(
            (*place, "shards"), "an on-demand stream has as many as it needs", "take them out, or say mode: provisioned"
        )


def _numbers(numbers: tuple[str, ...], place: Path) -> Iterator[Breach]:
    heads = clashes(numbers)
    for at, name in enumerate(numbers):
        if name in numbers[:at]:
            yield Breach((*place, at), "is there twice", "take one out")
        elif name in heads:
            told = f"{heads[name]!r} would be both a number and the object that holds this one"
            yield Breach((*place, at), told, "keep the one that you compare")


def _partitions(keys: tuple[PartitionKey, ...], place: Path) -> Iterator[Breach]:
    for at, key in enumerate(keys):
        if key.name in TAKEN_PARTITIONS:
            yield Breach(
                (*place, at, "name"),
                "every object's name has a folder of this name, or its table a column",
                "give the key another name",
            )
        if any(key.name == other.name for other in keys[:at]):
            yield Breach((*place, at, "name"), "two keys have this name", "give each key a name of its own")
        if key.field == "body":
            yield Breach(
                (*place, at, "field"), "every line has another", "divide by the tag, an attribute or a service"
            )
    if keys and all(key.values for key in keys):
        number = prod(len(key.values or ()) + 1 for key in keys)
        # Around the full hour an object of the old hour and one of the new one are open for each.
        most = limits.ACTIVE_PARTITIONS // 2
        if number > most:
            yield Breach(
                place,
                f"{number} folders, twice that at a full hour; Firehose has {limits.ACTIVE_PARTITIONS} open at once",
                f"name fewer values: {most} in all, with `other` for each key",
            )


def _large_buffer(route: Route, place: Path, *, parquet: bool) -> Iterator[Breach]:
    why = "Parquet" if parquet else "dynamic partitioning"
    least = limits.PARTITIONED_BUFFER_MIB
    if route.buffering.size_mib < least:
        yield Breach(
            (*place, "buffering", "size_mib"), f"Firehose's {why} wants {least} MiB or more", f"take {least} to 128"
        )
    seconds = limits.PARTITIONED_BUFFER_SECONDS
    if route.buffering.interval_seconds < seconds:
        yield Breach(
            (*place, "buffering", "interval_seconds"),
            f"Firehose's {why} wants {seconds} s or more",
            f"take {seconds} to 900",
        )


def search(here: Deployment, place: Path) -> Iterator[Breach]:
    """What an environment's search has to be for the routes that go there."""
    searched = [at for at, each in enumerate(here.routes) if isinstance(each.destination, OpenSearchDestination)]
    match here.search:
        case None:
            for at in searched:
                yield Breach(
                    ("routes", at, "destination"),
                    "where OpenSearch is, is not said",
                    "add `search: {kind: domain}` to the file; or existing, with its endpoint and arn; or serverless",
                )
        case Domain() as domain:
            yield from _domain(domain, here, place)
        case ExistingDomain() | Collection() as other:
            if isinstance(other, Collection):
                yield from _unrotated(here, searched)


def _unrotated(here: Deployment, searched: list[int]) -> Iterator[Breach]:
    for at in searched:
        destination = here.routes[at].destination
        if "rotation" in destination.model_fields_set and getattr(destination, "rotation", "none") != "none":
            yield Breach(
                ("routes", at, "destination", "rotation"),
                "a collection has one index for each route, and lets go of old documents by itself",
                "take rotation out",
            )


def _domain(domain: Domain, here: Deployment, place: Path) -> Iterator[Breach]:
    if domain.instances % domain.zones:
        yield Breach(
            (*place, "instances"),
            f"{domain.instances} instances cannot be spread evenly over {domain.zones} zones",
            f"take a multiple of {domain.zones}, or another number of zones",
        )
    if domain.indices.replicas >= domain.instances:
        yield Breach(
            (*place, "indices", "replicas"),
            f"a copy lies on an instance of its own, and there are {domain.instances} in all",
            f"take {domain.instances - 1}, or more instances",
        )
    subnets = 2 if isinstance(here.network, NewNetwork) else len(here.network.private_subnet_ids)
    if domain.access == "vpc" and domain.zones > subnets:
        yield Breach((*place, "zones"), f"the network has {subnets} private subnets", f"take {subnets} or less")
    if tuple(map(int, domain.version.split("."))) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        yield Breach((*place, "version"), "it does not find every attribute", f"take {oldest} or later")
