"""Where an environment's documents are: the bucket, the search endpoint, and a demo that runs on this machine.

| What | Found by |
|---|---|
| environment | --env, else the running demo, else the file's first |
| region | --region, the environment's, the credentials' own |
| bucket | its name (`sluice.names`), with the account of the file or of STS |
| endpoint | --endpoint, the existing domain's, output `Endpoint` of stack `<prefix>-search`, what the domain says |
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from query.documents import Backend, UnreachableError
from query.endpoints import asked, endpoint_of
from sluice import names
from sluice.destinations import OpenSearchDestination, S3Destination
from sluice.local_run import of_this_machine
from sluice.model import Config, Deployment, deployment
from sluice.routes import Route

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_s3 import S3Client
    from opensearchpy import OpenSearch

    from query.objects import Bucket, StoredBackend
    from query.opensearch import SearchBackend

DEMO: Final = Path(".sluice/demo/running.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo that is running: the emulator's address, its bucket, and its OpenSearch if it has one."""

    endpoint_url: str
    region: str
    account: str
    bucket: str
    search: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An environment, where it is, and what was said about where to find it."""

    deployment: Deployment
    region: str | None
    endpoint: str | None
    demo: Demo | None = None

    @property
    def told(self) -> str:
        """What it is, for a person."""
        return "the running demo" if self.demo else f"environment {self.deployment.environment}"


def running_demo(file: Path = DEMO) -> Demo | None:
    """The demo that says it is running, if it is: its process is alive, or its emulator answers."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        demo = Demo(
            endpoint_url=str(told["endpoint_url"]),
            region=str(told["region"]),
            account=str(told["account"]),
            bucket=str(told["bucket"]),
            search=str(told["search"]) if told.get("search") else None,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return demo if _is_alive(told.get("pid"), demo.endpoint_url) else None


def choose_place(
    config: Config,
    *,
    environment: str | None,
    region: str | None,
    endpoint: str | None,
    local: bool,
    demo_file: Path = DEMO,
) -> Place:
    """The environment that is meant.

    Raises:
        UnreachableError: there is no such environment, or no demo is running.
    """
    # Who names an environment or an address means that, not what happens to run here.
    demo = None if not local and (environment or endpoint) else running_demo(demo_file)
    if local and demo is None:
        raise UnreachableError("no demo is running here: start one with `sluice demo --keep`")
    if demo is not None:
        return Place(
            deployment=of_this_machine(config, search=demo.search),
            region=demo.region,
            endpoint=endpoint or demo.search,
            demo=demo,
        )
    name = environment or next(iter(config.environments))
    if name not in config.environments:
        raise UnreachableError(f"there is no environment {name!r}; there are {', '.join(config.environments)}")
    there = deployment(config, name)
    return Place(deployment=there, region=region or there.region, endpoint=endpoint)


def choose_routes(there: Deployment, wanted: Sequence[str]) -> list[Route]:
    """The routes that are named, or all. UnreachableError when there is no such route."""
    if unknown := [name for name in wanted if name not in {route.name for route in there.routes}]:
        known = ", ".join(route.name for route in there.routes)
        raise UnreachableError(f"there is no route {unknown[0]!r}; there are {known}")
    return [route for route in there.routes if not wanted or route.name in wanted]


def searched(routes: Sequence[Route]) -> list[Route]:
    """Those of the routes that go to OpenSearch."""
    return [route for route in routes if isinstance(route.destination, OpenSearchDestination)]


def stored(routes: Sequence[Route]) -> list[Route]:
    """Those of the routes that go to S3."""
    return [route for route in routes if isinstance(route.destination, S3Destination)]


def indices(there: Deployment, routes: Sequence[Route]) -> list[str]:
    """What the routes' indices are called: a date or a number follows the name, and no other route's name."""
    chosen = [f"{names.index(there, route)}-{digit}*" for route in routes for digit in "02"]
    others = [
        f"-{names.index(there, other)}-*"
        for other in there.routes
        for route in routes
        if other not in routes and other.name.startswith((f"{route.name}-0", f"{route.name}-2"))
    ]
    return [*chosen, *others]


def open_backends(
    place: Place, routes: Sequence[Route], *, now_ns: int, late: timedelta, scan_limit: int
) -> tuple[list[Backend], list[StoredBackend]]:
    """The backends that hold the routes' documents, and those of them that are to be closed."""
    from query.objects import StoredBackend  # noqa: PLC0415 - `sluice --help` need not load it

    closing = []
    backends: list[Backend] = []
    if to_search := searched(routes):
        backends.append(open_search(place, to_search))
    if to_s3 := stored(routes):
        there = StoredBackend(open_bucket(place, to_s3), now_ns=now_ns, late=late, scan_limit=scan_limit)
        backends.append(there)
        closing.append(there)
    return backends, closing


def open_search(place: Place, routes: Sequence[Route]) -> SearchBackend:
    """OpenSearch, for some routes. UnreachableError when its address is not to be found out."""
    from query.opensearch import SearchBackend  # noqa: PLC0415

    client, endpoint = search_of(place)
    there = place.deployment
    return SearchBackend(client, endpoint=endpoint, indices=indices(there, routes), prefix=there.prefix)


def search_of(place: Place) -> tuple[OpenSearch, str]:
    """A client for the environment's OpenSearch, and its address. UnreachableError when that is not to be found out."""
    from query.opensearch import connect  # noqa: PLC0415

    session = _session(place)
    endpoint = place.endpoint or endpoint_of(place.deployment, session, in_demo=place.demo is not None)
    return connect(endpoint, region=_region(place, session)), endpoint


def open_bucket(place: Place, routes: Sequence[Route]) -> Bucket:
    """The environment's bucket, for some routes."""
    from query.objects import Bucket, StoredRoute  # noqa: PLC0415

    client, bucket = bucket_of(place)
    folders = [
        StoredRoute(name=route.name, prefix=names.delivered_prefix(route), keys=len(route.destination.partition_by))
        for route in routes
        if isinstance(route.destination, S3Destination)
    ]
    return Bucket(client, bucket=bucket, routes=folders)


def bucket_of(place: Place) -> tuple[S3Client, str]:
    """A client for S3 where the environment is, and the name of its bucket. UnreachableError for no credentials."""
    session = _session(place)
    if place.demo is not None:
        return _s3(place, session), place.demo.bucket
    there = place.deployment
    account = there.account or asked(lambda: session.client("sts").get_caller_identity()["Account"])
    bucket = names.bucket(there, account=account, region=_region(place, session))
    return _s3(place, session), bucket


def _s3(place: Place, session: boto3.Session) -> S3Client:
    if place.demo is None:
        return session.client("s3")
    from botocore.config import Config as Settings  # noqa: PLC0415

    by_path = Settings(s3={"addressing_style": "path"})
    return session.client("s3", endpoint_url=place.demo.endpoint_url, config=by_path)


def _session(place: Place) -> boto3.Session:
    import boto3  # noqa: PLC0415

    if place.demo is not None:
        # The emulator takes the account for the key, and checks no secret.
        return boto3.Session(place.demo.account, "test", region_name=place.region)
    return boto3.Session(region_name=place.region)


def _region(place: Place, session: boto3.Session) -> str:
    region = place.region or session.region_name
    if region is None:
        there = place.deployment.environment
        raise UnreachableError(f"which region? Set environments.{there}.region in sluice.yaml, or give --region")
    return region


def _is_alive(pid: object, endpoint_url: str) -> bool:
    if isinstance(pid, int):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            return True
        return True
    try:
        parts = urlsplit(endpoint_url)
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=1):
            return True
    except (OSError, ValueError):
        return False
