"""The stage that is the whole pipeline of `sluice demo`, with one aggregator that can be set otherwise.

Cost: half a minute to start, most of it the deployment, and what the demo needs.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from loadtest.drive import Address
from loadtest.tally import Tally
from loadtest.tally.readers import BucketObjects, ObjectReader, Reader, read_into
from loadtest.tally.search import SearchReader
from local import metrics, pipeline
from local.aggregator import Aggregator
from local.firehose import Firehose
from local.fluent_bit import FluentBit
from local.load.edits import edited
from local.load.stage import check_listener, facts_of, observable
from local.steps import Steps
from sluice import fluent_bit, local_run, names
from sluice.model import Config, Deployment

DRAIN_SECONDS: Final = 60


@dataclass
class Whole:
    """The whole pipeline; made by `whole_stage`."""

    deployment: Deployment
    aggregator: Aggregator
    observed: Aggregator | None
    firehose: Firehose
    readers: tuple[Reader, ...]
    backend: pipeline.Backend
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def to(self) -> Address:
        """The aggregator's first listener."""
        return "127.0.0.1", self.aggregator.port

    def collect(self, tally: Tally) -> None:
        """What became readable in S3 and OpenSearch."""
        read_into(tally, self.readers)

    def is_quiet(self) -> bool:
        """Whether the buffer is empty, and Firehose too."""
        return self.aggregator.is_empty() and not any(each.pending for each in self.firehose.counts().values())

    def empty(self) -> bool:
        """Stop the aggregator as ECS does, then flush Firehose. Whether both are empty."""
        self.aggregator.stop()
        drained = self.firehose.drain(timeout=DRAIN_SECONDS)
        return self.aggregator.is_empty() and drained

    def dropped(self) -> Mapping[str, int]:
        """What the transformers' metrics say."""
        logs = self.backend.emulator.client("logs")
        groups = {
            route.name: f"/aws/lambda/{names.function(self.deployment, route)}" for route in self.deployment.routes
        }
        return {name: metrics.total(logs, group=group, metric="Dropped") for name, group in groups.items()}


@contextmanager
def whole_stage(
    config: Config,
    engine: FluentBit | None,
    *,
    file: Path,
    root: Path,
    work: Path,
    settings: Mapping[str, str] | None,
    steps: Steps,
) -> Iterator[Whole]:
    """Deploy and start everything, as `local.pipeline.backend` does, with one aggregator in front.

    `engine` is None for the Fluent Bit that is found. Raises SettingError, before anything is started.
    """
    planned = local_run.of_this_machine(config, search=None)
    check_listener(planned)
    edited(fluent_bit.sections(planned, fluent_bit.Places(), fluent_bit.Abilities()), settings or {})
    with pipeline.backend(config, file=file, root=root, work=work, search=None, steps=steps) as behind:
        here = behind.deployment
        chosen = engine or behind.fluent_bit
        aggregator = Aggregator(
            chosen,
            here,
            folder=work / "aggregator",
            aws=behind.aws,
            edit=lambda sections: edited(sections, settings or {}),
        )
        facts = {"stage": "the whole pipeline, on this machine"} | facts_of(chosen, settings)
        readers: tuple[Reader, ...] = (ObjectReader(BucketObjects(behind.s3, bucket=behind.bucket)),)
        if behind.search is not None:
            readers = (*readers, SearchReader(behind.search, prefix=here.prefix))
        with aggregator:
            yield Whole(here, aggregator, observable(aggregator, chosen), behind.firehose, readers, behind, facts)
