"""An aggregator that is not of this run: in AWS, or in a demo that is left running. What arrived is read where its
environment keeps it, found as `sluice search` finds it; or in a copy of its bucket.

Cost: the bucket's folders are listed from the load's hour on, and every object in there is read once.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from loadtest.drive import Address
from loadtest.tally import Tally
from loadtest.tally.readers import BucketObjects, FolderObjects, ObjectReader, Reader, read_into
from loadtest.tally.search import SearchReader
from local.load.address import parse_address
from local.load.folder import NoRunError, Target
from query.places import DEMO, Place, bucket_of, choose_place, search_of, searched
from sluice.model import Config, Deployment


@dataclass(kw_only=True)
class Remote:
    """The stage of any aggregator."""

    deployment: Deployment
    to: Address
    readers: tuple[Reader, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    observed: None = None

    def collect(self, tally: Tally) -> None:
        """What became readable."""
        read_into(tally, self.readers)

    def is_quiet(self) -> bool:
        """Nobody can tell from here."""
        return False

    def empty(self) -> bool:
        """There is nothing of ours to empty."""
        return True

    def dropped(self) -> Mapping[str, int]:
        """Not known: what rules dropped counts as lost."""
        return {}


def remote_stage(
    config: Config, target: Target, *, file: Path, since: float | None = None, objects: Path | None = None
) -> Remote:
    """Where a target's messages are to be looked for.

    Args:
        config: what `file` says.
        target: where they were sent, and whose bucket and search hold them.
        file: the configuration file, beside which a running demo is looked for.
        since: when the load began, for who comes later (Unix seconds); None: it begins now.
        objects: a copy of the bucket, which is then all that is read.

    Raises UnreachableError for a place that is not to be found out, NoRunError for a target that nobody keeps.
    """
    if target.to is None:
        raise NoRunError(
            "this run was on a stage of its own, which is gone: its report is all there is; "
            "a run with --to can be verified later"
        )
    place = _place(config, target, file=file)
    there = place.deployment
    if objects is not None:
        readers: tuple[Reader, ...] = (ObjectReader(FolderObjects(objects), modified=True),)
        told = f"a copy of the bucket in {objects}"
    else:
        readers, told = _readers(place, since=since), place.told
    return Remote(
        deployment=there,
        to=parse_address(target.to),
        readers=readers,
        facts={"stage": f"{target.to}, read in {told}"},
    )


def resolved(config: Config, target: Target, *, file: Path) -> Target:
    """The target with the environment that it means now, so that it means the same later."""
    place = _place(config, target, file=file)
    if place.demo is not None:
        return replace(target, local=True)
    return replace(target, env=place.deployment.environment)


def _place(config: Config, target: Target, *, file: Path) -> Place:
    return choose_place(
        config,
        environment=target.env,
        region=target.region,
        endpoint=target.endpoint,
        local=target.local,
        demo_file=file.resolve().parent / DEMO,
    )


def _readers(place: Place, *, since: float | None) -> tuple[Reader, ...]:
    """The bucket holds everything that does not go to OpenSearch, and all that failed."""
    client, bucket = bucket_of(place)
    first = time.time() if since is None else since
    listed = BucketObjects(client, bucket=bucket, since=first)
    next(iter(listed.list()), None)  # who may not read is told so before anything is sent
    stored = ObjectReader(listed, modified=since is not None)
    if not searched(place.deployment.routes):
        return (stored,)
    search, _ = search_of(place)
    search.cat.indices(index=f"{place.deployment.prefix}-*", format="json")
    return stored, SearchReader(search, prefix=place.deployment.prefix, since=first)
