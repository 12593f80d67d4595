"""What a route's choices mean, for people who choose: what a record is on its way, what it costs, what is promised.

Costs are those that grow with the logs, for lines of `LINE_BYTES`: what the stream, Firehose and their extras ask. Not
in it: the aggregator, the domain, storage and requests. Nobody has found out whether Firehose rounds what it reads from
a data stream up to 5 KB per line, as it does with Direct PUT: the lower figure is told, and that it may be more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Final, assert_never

from sluice import prices
from sluice.destinations import OpenSearchDestination, S3Destination
from sluice.model import Deployment
from sluice.routes import Route
from sluice.search_settings import Collection

LINE_BYTES: Final = 500
# What a chunk of Fluent Bit becomes once it is packed; larger ones cost hardly less.
PACKED_BYTES: Final = 100_000
GIB: Final = 1024**3
GB: Final = 1000**3


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A route in words and figures: dollars per GiB of lines, and a month besides; seconds that buffers hold a line."""

    way: str
    record: str
    per_gib: float
    per_month: float
    seconds: int
    promises: tuple[str, ...]


def describe(route: Route, here: Deployment) -> Choice:
    """What the route's choices mean in an environment."""
    buffering = route.buffering
    searched = isinstance(route.destination, OpenSearchDestination)
    in_vpc = searched and here.search is not None and here.search.access == "vpc"
    kinesis_hours = 0.0
    if route.via == "kinesis":
        on_demand = route.kinesis.mode == "on-demand"
        kinesis_hours = (
            prices.KINESIS_ON_DEMAND_HOUR if on_demand else prices.KINESIS_SHARD_HOUR * (route.kinesis.shards or 1)
        )
    vpc_hours = prices.FIREHOSE_VPC_ZONE_HOUR * here.network.zones if in_vpc else 0.0
    return Choice(
        way=_way(route),
        record=_record(route),
        per_gib=_per_gib(route, in_vpc=in_vpc),
        per_month=(kinesis_hours + vpc_hours) * prices.HOURS_PER_MONTH,
        seconds=buffering.interval_seconds + buffering.transform_interval_seconds,
        promises=tuple(_promises(route, here)),
    )


def _way(route: Route) -> str:
    stream = "Kinesis → " if route.via == "kinesis" else ""
    match route.destination:
        case S3Destination(format=form, partition_by=keys):
            by = f" by {', '.join(key.name for key in keys)}" if keys else ""
            return f"{stream}Firehose → S3{' as Parquet' if form == 'parquet' else ''}{by}"
        case OpenSearchDestination():
            return f"{stream}Firehose → OpenSearch"
        case other:
            assert_never(other)


def _record(route: Route) -> str:
    if route.is_aggregated:
        return "a KPL aggregate of lines"
    return "many lines" if route.buffering.pack else "one line"


def _per_gib(route: Route, *, in_vpc: bool) -> float:
    packed = route.buffering.pack or route.is_aggregated
    size = PACKED_BYTES if packed else LINE_BYTES
    cost = 0.0
    if route.via == "kinesis":
        cost += _kinesis(route, size) + prices.FIREHOSE_PER_GB * GIB / GB
    else:
        cost += _rounded(size, prices.FIREHOSE_ROUNDS_TO_BYTES) * prices.FIREHOSE_PER_GB
        if packed and route.has_one_document_per_record:
            # Every line but the first of a record is put once more, by itself.
            cost += _rounded(LINE_BYTES, prices.FIREHOSE_ROUNDS_TO_BYTES) * prices.FIREHOSE_PER_GB
    cost += prices.PARTITIONING_PER_GB * GIB / GB if route.is_partitioned else 0
    cost += prices.PARQUET_PER_GB * GIB / GB if getattr(route.destination, "format", "") == "parquet" else 0
    return cost + (prices.FIREHOSE_VPC_PER_GB * GIB / GB if in_vpc else 0)


def _kinesis(route: Route, size: int) -> float:
    if route.kinesis.mode == "on-demand":
        return _rounded(size, prices.KINESIS_ROUNDS_TO_BYTES) * (prices.KINESIS_IN_PER_GB + prices.KINESIS_OUT_PER_GB)
    return GIB / size * ceil(size / prices.KINESIS_UNIT_BYTES) * prices.KINESIS_PER_UNIT


def _rounded(size: int, step: int) -> float:
    """The billed gigabytes of a GiB that comes in records of this size."""
    return GIB / size * ceil(size / step) * step / GB


def _promises(route: Route, here: Deployment) -> Iterator[str]:
    yield "at least once: copies of a line have its event_id"
    if route.via == "kinesis":
        yield f"kept by Kinesis for {route.kinesis.retention_hours} h, whatever becomes of Firehose"
    else:
        yield "kept by Firehose for 24 h while the destination fails"
    match route.destination:
        case S3Destination():
            yield "S3 is tried until it takes the objects"
        case OpenSearchDestination(retry_seconds=seconds):
            yield f"OpenSearch is tried for {seconds} s, then the document lies under failed/, to be replayed"
            if isinstance(here.search, Collection):
                yield "a collection forgets after retention.search_days"
        case other:
            assert_never(other)
    if route.is_aggregated:
        yield "a number of 2^53 or more in a record takes its time of reading away: it has the time of its arrival"
