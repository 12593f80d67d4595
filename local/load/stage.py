"""What a load is sent to, and where what arrived is read: three stages with one face.

- `counting_stage`: a real Fluent Bit on the rendered configuration in front of a Firehose that takes everything and
  forgets it. What Firehose was given is what arrived, so every message is accounted for up to there.
- `whole.whole_stage`: the whole pipeline of `sluice demo`, read in S3 and OpenSearch.
- `remote.remote_stage`: any aggregator, in AWS or in a demo that is left running.

A stage is polled: `collect` hands the tally whatever arrived since the last time. Cost: the counting stage takes a
second to start and 0.3 to 0.5 of a core at 100 MB/s, the whole one half a minute.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from loadtest.drive import Address
from loadtest.tally import Tally
from local.aggregator import Aggregator
from local.firehose import make_certificate
from local.firehose.counting import CountingServer, counting
from local.fluent_bit import FluentBit
from local.load.edits import SettingError, edited
from sluice import globs, local_run, names
from sluice.fluent_bit_places import AWS_PORT
from sluice.model import Config, Deployment


class Stage(Protocol):
    """Where a load goes, and where it comes out."""

    deployment: Deployment
    facts: Mapping[str, str]
    """What was tested, for the report."""

    @property
    def to(self) -> Address:
        """Where clients send."""

    @property
    def observed(self) -> Aggregator | None:
        """The aggregator, if its process can be looked at: not another machine's, nor one in a container."""

    def collect(self, tally: Tally) -> None:
        """Hand over what arrived since the last time. For one thread at a time."""

    def is_quiet(self) -> bool:
        """Whether nothing is held back here; False where nobody can tell."""

    def empty(self) -> bool:
        """Pass on whatever is held back here; afterwards nothing more arrives. Whether that worked."""

    def dropped(self) -> Mapping[str, int]:
        """By route, what its rules dropped."""


def route_of(deployment: Deployment, tag: str) -> str:
    """The name of the route that takes a tag: the first that matches."""
    return next(route.name for route in deployment.routes if globs.matches(route.match, tag))


@dataclass
class Counting:
    """The counting stage; made by `counting_stage`."""

    deployment: Deployment
    aggregator: Aggregator
    firehose: CountingServer
    observed: Aggregator | None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def to(self) -> Address:
        """The aggregator's first listener."""
        return "127.0.0.1", self.aggregator.port

    def collect(self, tally: Tally) -> None:
        """What Firehose took since the last time."""
        prefix = names.stream_prefix(self.deployment)
        for taken in self.firehose.poll():
            tally.accept(taken.data, route=taken.stream.removeprefix(prefix), readable_at=taken.at)

    def is_quiet(self) -> bool:
        """Whether the buffer is empty: a chunk leaves it when Firehose has taken it."""
        return self.aggregator.is_empty()

    def empty(self) -> bool:
        """Stop the aggregator as ECS does: it empties its buffer first. Whether it did."""
        self.firehose.unblock()
        self.aggregator.stop()
        return self.aggregator.is_empty()

    def dropped(self) -> Mapping[str, int]:
        """Nothing: there are no rules before Firehose."""
        return {}


@contextmanager
def counting_stage(
    config: Config, engine: FluentBit, *, work: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Counting]:
    """Start it in the folder `work`, a new one. Raises ProcessError, and SettingError for a setting without a place.

    Routes via Kinesis go to Firehose directly, for there is no Kinesis here.
    """
    here = _all_direct(local_run.of_this_machine(config, search=None))
    check_listener(here)
    port = 0 if engine.abilities.aws_port else AWS_PORT
    with counting(make_certificate(work / "tls"), folder=work / "firehose", port=port, markers=True) as firehose:
        aggregator = Aggregator(
            engine,
            here,
            folder=work / "aggregator",
            aws=(firehose.host, firehose.port, firehose.ca_file),
            edit=lambda sections: edited(sections, settings or {}),
        )
        with aggregator:
            facts = {"stage": "Fluent Bit before a counting Firehose, on this machine"} | facts_of(engine, settings)
            yield Counting(here, aggregator, firehose, observable(aggregator, engine), facts)


def _all_direct(here: Deployment) -> Deployment:
    return here.model_copy(
        update={"routes": tuple(route.model_copy(update={"via": "direct"}) for route in here.routes)}
    )


def check_listener(here: Deployment) -> None:
    """Raise SettingError when clients cannot send to Fluent Bit itself."""
    if not here.listening("stored"):
        raise SettingError("no listener of sluice.yaml is Fluent Bit's own: give it one with `acknowledge: stored`")


def observable(aggregator: Aggregator, engine: FluentBit) -> Aggregator | None:
    """The aggregator, unless its process is the client of a container."""
    return aggregator if engine.image is None else None


def facts_of(engine: FluentBit, settings: Mapping[str, str] | None) -> dict[str, str]:
    """What is told of an aggregator in every report."""
    changed = ", ".join(f"{key}={value}" for key, value in (settings or {}).items())
    return {"fluent_bit": engine.version_text, **({"settings": changed} if changed else {})}
