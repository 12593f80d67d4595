"""What the commands do, without their options: one run on the stage that was asked for, and its report."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from loadtest import report
from loadtest.journal import Journal
from loadtest.plan import Plan
from loadtest.profile import Profile
from loadtest.tally import Result
from local.fluent_bit import FluentBit, find, named
from local.load import live, running
from local.load.address import check_listens, parse_address
from local.load.adjust import rate_of
from local.load.case_run import Cases, summary
from local.load.cases import Matrix, Outcome, cases
from local.load.edits import SettingError
from local.load.folder import HOME, PLAN, Target, Written
from local.load.interrupts import Interrupts
from local.load.limit import Limit, Step, search
from local.load.limit_run import START_SECONDS, Measurement, seconds_at_most
from local.load.stage import Stage, counting_stage
from local.steps import Steps
from query.documents import UnreachableError
from sluice.model import Config

BEGIN: Final = 0.25
"""A search begins with this share of the profile's rate: low rates make the line."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A configuration, where its project is, and who watches."""

    config: Config
    file: Path
    interrupts: Interrupts
    quiet: bool
    program: str | None = None
    """The Fluent Bit that was named; None: the one that is found."""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The project."""
        return self.file.resolve().parent

    @property
    def console(self) -> Console:
        """Where what happens is told; standard output is the result's."""
        return Console(stderr=True, quiet=self.quiet)

    @property
    def steps(self) -> Steps:
        """What takes long before a load begins."""
        return Steps(quiet=self.quiet)

    def engine(self) -> FluentBit:
        """The Fluent Bit to load. Raises FluentBitMissingError."""
        with self.steps.step("Find a Fluent Bit") as step:
            if self.program is not None:
                engine = named(self.program, by="--fluent-bit")
            else:
                tag = self.config.aggregator.image.base_tag
                engine = find(cache=self.root / ".cache", image_tag=tag, on_progress=step.detail)
            step.result(f"{engine.version_text} from {engine.source}")
        return engine

    def run(self, plan: Plan, target: Target, *, full: bool, folder: Path) -> Result:
        """Run the plan, and leave its report in the folder. Raises what `endings.FAILURES` names."""
        if (folder / PLAN).exists():
            raise SettingError(f"{folder} holds another run: name a new folder with --out")
        if target.to is not None:
            from local.load.remote import resolved  # noqa: PLC0415 - no run on this machine needs AWS's clients

            target = resolved(self.config, target, file=self.file)
        shutil.rmtree(folder / "stage", ignore_errors=True)  # what a run that could not begin has left
        written = Written(plan=plan, target=target)
        with self._stage(plan, target, full=full, work=folder / "stage") as stage:
            written.write(folder)
            with live.shown(plan, self.console) as show:
                result = running.run(plan, stage, folder=folder, show=show, interrupts=self.interrupts)
        report.write(result, folder)
        return result

    def find_limit(self, profile: Profile, *, first: float | None, steps: int, folder: Path) -> Limit:
        """Search for the limit of a task; told in advance how long that takes at most."""
        if folder.exists():
            raise SettingError(f"{folder} is there already: name a new folder with --out")
        begin = first or rate_of(profile) * BEGIN
        refuse_otlp(profile)
        engine = self.engine()
        if engine.image is not None:
            raise SettingError(
                "a limit is told in Fluent Bit's CPU, and that of one in a container is not seen from here: "
                "name a Fluent Bit of this machine with --fluent-bit"
            )
        most = seconds_at_most(profile.seconds, steps) / 60
        usual = steps * (profile.seconds + START_SECONDS) / 60
        self.console.print(
            f"{steps} rates of {profile.seconds:g} s each, from {begin:,.0f} messages/s: "
            f"about {usual:.1f} minutes, {most:.0f} at most.",
            highlight=False,
        )
        measure = Measurement(
            config=self.config,
            engine=engine,
            settings=self.settings,
            profile=profile,
            folder=folder,
            interrupts=self.interrupts,
        )

        def told(rate: float) -> Step:
            with self.steps.step(f"{rate:,.0f} messages/s") as step:
                found = measure(rate)
                verdict = "sustained" if found.sustained else ", ".join(found.failing)
                step.result(f"{found.mb_per_second:,.1f} MB/s, {found.cpu:.2f} cores: {verdict}")
            return found

        return search(told, first=begin, most_steps=steps)

    def matrix(self, wanted: Matrix, *, folder: Path) -> list[Outcome]:
        """Run its cases, one after the other; fewer after an interruption. Raises ConfigError for their profiles."""
        if folder.exists():
            raise SettingError(f"{folder} is there already: name a new folder with --out")
        runs = Cases(
            config=self.config,
            matrix=wanted,
            cache=self.root / ".cache",
            folder=folder,
            interrupts=self.interrupts,
        )
        planned, outcomes = list(cases(wanted)), []
        profiles = runs.profiles()
        seconds = sum(profiles[case.profile].seconds + START_SECONDS for case in planned)
        self.console.print(f"{len(planned)} cases, about {seconds / 60:.1f} minutes.", highlight=False)
        for number, case in enumerate(planned):
            if self.interrupts.asked:
                break
            with self.steps.step(f"{case.profile}, {case.fluent_bit}, {case.name}") as step:
                outcome = runs.run(case, profiles[case.profile], number=number + 1)
                step.result(summary(outcome))
            outcomes.append(outcome)
        return outcomes

    def verify(self, folder: Path, *, instead: Target, objects: Path | None) -> Result:
        """Account again for the run in a folder, read where the run said, or `instead`.

        Raises NoRunError for one whose arrivals nobody kept.
        """
        from local.load.remote import remote_stage  # noqa: PLC0415 - as above

        written = Written.read(folder)
        target = written.target.with_changes(instead)
        journal = Journal.read(folder)
        stage = remote_stage(self.config, target, file=self.file, since=journal.began, objects=objects)
        with self.steps.step("Read what arrived") as step:
            result = running.verify(
                written.plan, stage, journal, folder=folder, interrupts=self.interrupts, say=step.detail
            )
            step.result(f"{result.total.delivered:,} of {result.total.sent:,} messages")
        report.write(result, folder)
        return result

    @contextmanager
    def _stage(self, plan: Plan, target: Target, *, full: bool, work: Path) -> Iterator[Stage]:
        if target.to is not None:
            from local.load.remote import remote_stage  # noqa: PLC0415 - as above

            check_listens(parse_address(target.to))
            yield remote_stage(self.config, target, file=self.file)
            return
        refuse_otlp(plan.profile)
        if full:
            from local.load.whole import whole_stage  # noqa: PLC0415 - as above

            with whole_stage(
                self.config,
                None if self.program is None else self.engine(),
                file=self.file.resolve(),
                root=self.root,
                work=work,
                settings=self.settings,
                steps=self.steps,
            ) as whole:
                yield whole
            return
        with counting_stage(self.config, self.engine(), work=work, settings=self.settings) as counting:
            yield counting


def stamped(kind: str) -> Path:
    """A new folder for what is more than one run."""
    return HOME / f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}"


def refuse_otlp(profile: Profile) -> None:
    """Raise UnreachableError for a load that Sluice's aggregator has no listener for."""
    if loads := [load.name for load in profile.loads if load.client == "otlp"]:
        raise UnreachableError(
            f"load {', '.join(loads)} speaks OTLP, which the aggregator here does not: "
            "name one that does with --to HOST:PORT, or take another profile"
        )
