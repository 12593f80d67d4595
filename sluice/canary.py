"""What the canary sends and where it looks, as it follows from the configuration; its code is `loadtest.canary`.

A route can be watched if there is a tag that really takes it, and if what it delivers can be searched by a function of
a few megabytes: gzipped lines in S3, below a folder that is known beforehand, or documents in OpenSearch. What cannot
be watched is told by its name and the reason; nothing is left out in silence.

What the function is told is one variable of JSON, `SLUICE_CANARY`; the bucket's name and the search's address, which
CloudFormation knows, are variables of their own.
"""

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

from sluice import names
from sluice.destinations import OpenSearchDestination, PartitionKey, S3Destination
from sluice.model import RESERVED_TAG_PREFIX, Deployment, Egress, NewNetwork
from sluice.routes import Route
from sluice.search_settings import Collection
from sluice.tags import tag_for

VARIABLE: Final = "SLUICE_CANARY"
HANDLING_SECONDS: Final = 5
"""For all that is no buffer: the client's way, the aggregator's flush, the transformer, the writing of an object."""
COLLECTION_REFRESH_SECONDS: Final = 60
"""A collection decides itself when a document is found: within a minute, as its users tell."""
OTHER_VARIABLES_BYTES: Final = 600
"""Of its function's environment, taken by everything but `VARIABLE`."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_VALUE: Final = 64


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A route with the tag that takes it.

    `expected_seconds` is the longest that a tracer takes where nothing fails; `found_after_seconds` what of it comes
    after the transformer, for documents tell how long they took up to there. `place` is the folder of its objects, or
    the beginning of its indices' names.
    """

    route: Route
    tag: str
    place: str
    expected_seconds: int
    found_after_seconds: int

    @property
    def is_searched(self) -> bool:
        """Whether it is looked for in OpenSearch, and not in S3."""
        return isinstance(self.route.destination, OpenSearchDestination)


@dataclass(frozen=True)
class Unwatched:
    """A route that no tracer goes through, and why."""

    route: Route
    why: str
    remedy: str


def plan(deployment: Deployment) -> tuple[tuple[Watched, ...], tuple[Unwatched, ...]]:
    """Which routes are watched and how, and which are not."""
    found = list(_each(deployment))
    return (
        tuple(each for each in found if isinstance(each, Watched)),
        tuple(each for each in found if isinstance(each, Unwatched)),
    )


def told(deployment: Deployment) -> str:
    """What stands in `VARIABLE`: compact JSON."""
    settings = deployment.canary
    watched, _ = plan(deployment)
    return json.dumps(
        {
            "run": run_number(deployment.prefix),
            "host": names.private_name(deployment),
            "ports": [listener.port for listener in deployment.listeners],
            "per_minute": settings.tracers_per_minute,
            "margin": settings.margin_seconds,
            "read_bytes": settings.read_mib * 1024 * 1024,
            "routes": [
                [
                    *(each.route.name, each.tag, "search" if each.is_searched else "s3", each.place),
                    *(each.expected_seconds, each.found_after_seconds),
                ]
                for each in watched
            ],
        },
        separators=(",", ":"),
    )


def run_number(prefix: str) -> int:
    """The number that the environment's tracers have for a run: always the same one."""
    return zlib.crc32(prefix.encode())


def _each(deployment: Deployment) -> Iterator[Watched | Unwatched]:
    earlier = [f"{RESERVED_TAG_PREFIX}*"]
    for route in deployment.routes:
        tag = tag_for(route.match, earlier=earlier)
        earlier.append(route.match)
        if tag is None:
            yield Unwatched(
                route, "no tag was found that takes it and no route before it", "make the matches before narrower"
            )
        else:
            yield _watched(deployment, route, tag)


def _watched(deployment: Deployment, route: Route, tag: str) -> Watched | Unwatched:
    match route.destination:
        case S3Destination(format="parquet"):
            return Unwatched(route, "the canary cannot read Parquet", "watch the metrics of its stream instead")
        case S3Destination(partition_by=keys):
            folders = _folders(keys, tag)
            if folders is None:
                told = "which folder a tracer comes to lie in is not known beforehand"
                return Unwatched(route, told, "name the values of partition_by, or divide by attributes only")
            place = names.delivered_prefix(route) + folders
        case OpenSearchDestination():
            if is_search_out_of_reach(deployment):
                told = "its search is outside of a VPC from which no way leads to the internet"
                return Unwatched(route, told, "take egress: nat, or search.access: vpc")
            place = names.index(deployment, route)
        case other:
            assert_never(other)
    after = found_after_seconds(deployment, route)
    return Watched(
        route=route,
        tag=tag,
        place=place,
        expected_seconds=route.buffering.transform_interval_seconds + after + HANDLING_SECONDS,
        found_after_seconds=after,
    )


def found_after_seconds(deployment: Deployment, route: Route) -> int:
    """The longest that it takes from the transformer until a document is found, where nothing fails."""
    search, after = deployment.search, route.buffering.interval_seconds
    if not isinstance(route.destination, OpenSearchDestination) or search is None:
        return after
    return after + (COLLECTION_REFRESH_SECONDS if isinstance(search, Collection) else search.indices.refresh_seconds)


def is_search_out_of_reach(deployment: Deployment) -> bool:
    """Whether no way leads from the network to where documents are searched."""
    isolated = isinstance(deployment.network, NewNetwork) and deployment.network.egress is Egress.ENDPOINTS
    return isolated and deployment.search is not None and deployment.search.access == "public"


def _folders(keys: Sequence[PartitionKey], tag: str) -> str | None:
    """Where a tracer's document lies below the route's folder; None if that cannot be told.

    The rules are those of lambdas/transform/partitions.py: a value made safe; `none` for a field that is not there,
    `other` for a value that is not named.
    """
    folders = ""
    for key in keys:
        if key.field.startswith("attributes.") and key.field != "attributes.log.iostream":
            value = "none"
        elif key.field == "tag":
            value = _UNSAFE.sub("_", tag[:_LONGEST_VALUE])
            value = value if key.values is None or value in key.values else "other"
        elif key.values is not None and key.field == "body":
            value = "other"
        else:
            return None
        folders += f"{key.name}={value}/"
    return folders


def variable_bytes(deployment: Deployment) -> int:
    """What the variable takes of the function's environment, as Lambda counts: the quotes in it escaped."""
    told_so: Any = {VARIABLE: told(deployment)}
    return len(json.dumps(told_so).encode())
