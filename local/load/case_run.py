"""Runs a case of a matrix, on a stage of its own, and shows what came of all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loadtest import report
from loadtest.plan import make_plan
from loadtest.profile import Profile, load_profile
from loadtest.tally import Result
from local.fluent_bit import FluentBit, FluentBitMissingError, find, named
from local.load.adjust import adjusted
from local.load.cases import Case, Matrix, Outcome
from local.load.edits import SettingError
from local.load.endings import of_fluent_bit
from local.load.folder import Target, Written
from local.load.interrupts import Interrupts
from local.load.running import Event, run
from local.load.stage import Counting, counting_stage
from local.process import ProcessError
from sluice.model import Config

SETTLE_SECONDS: Final = 15


@dataclass(frozen=True, kw_only=True)
class Cases:
    """What every case of a matrix has in common."""

    config: Config
    matrix: Matrix
    cache: Path
    folder: Path
    interrupts: Interrupts

    def profiles(self) -> dict[str, Profile]:
        """By what the matrix calls them. Raises ConfigError."""
        return {
            name: adjusted(load_profile(name), seconds=self.matrix.seconds).model_copy(
                update={"settle_seconds": SETTLE_SECONDS}
            )
            for name in self.matrix.profiles
        }

    def run(self, case: Case, profile: Profile, *, number: int) -> Outcome:
        """Run a case, the number of which names its folder."""
        folder = self.folder / f"{number:03}-{case.fluent_bit}-{case.name}"
        try:
            result = self._result(case, profile, self._engine(case), folder=folder)
        except (FluentBitMissingError, SettingError) as error:
            return Outcome(case=case, error=str(error))
        except ProcessError as error:
            return Outcome(case=case, error=of_fluent_bit(str(error)))
        seen = [value for value in result.series.cpu if value is not None]
        return Outcome(
            case=case,
            sent=result.total.sent,
            acknowledged=result.total.acknowledged,
            lost=result.total.lost,
            lost_acknowledged=result.total.lost_acknowledged,
            duplicated=result.total.duplicated,
            cpu=sum(seen) / len(seen) if seen else None,
            breaches=tuple(breach.says for breach in result.breaches),
            folder=str(folder),
        )

    def _engine(self, case: Case) -> FluentBit:
        if case.program is not None:
            return named(case.program, by=f"fluent_bits.{case.fluent_bit}")
        return find(cache=self.cache, image_tag=self.config.aggregator.image.base_tag)

    def _result(self, case: Case, profile: Profile, engine: FluentBit, *, folder: Path) -> Result:
        plan = make_plan(profile)
        Written(plan=plan, target=Target()).write(folder)
        settings = case.setting.settings
        with counting_stage(self.config, engine, work=folder / "stage", settings=settings) as stage:
            events = list(happening(case, stage))
            result = run(
                plan, stage, folder=folder, show=lambda _moment: None, interrupts=self.interrupts, events=events
            )
        report.write(result, folder)
        return result


def happening(case: Case, stage: Counting) -> Iterator[Event]:
    """What is to be done to the stage while the case's load lasts."""

    def kill() -> None:
        stage.aggregator.kill()
        stage.aggregator.start()

    for refusal in case.setting.refuse:
        yield Event(name="Firehose throttles", at=refusal.at, act=stage.firehose.block)
        yield Event(name="Firehose takes", at=refusal.at + refusal.seconds, act=stage.firehose.unblock)
    for at in case.setting.kill:
        yield Event(name="killed", at=at, act=kill)


def summary(outcome: Outcome) -> str:
    """A case in one line."""
    if outcome.error is not None:
        return outcome.error
    verdict = "as expected" if outcome.as_expected else f"NOT as expected ({outcome.case.setting.expect})"
    return f"{outcome.sent:,} sent, {outcome.lost:,} lost, {outcome.duplicated:,} twice: {verdict}"


def table(outcomes: list[Outcome]) -> Table:
    """A row per case; one that is not as expected is red."""
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("profile", "fluent bit", "setting"):
        grid.add_column(name, overflow="fold")
    for name in ("sent", "lost", "broken", "twice", "cpu"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("expected", no_wrap=True)
    for outcome in outcomes:
        case, good = outcome.case, outcome.as_expected
        grid.add_row(
            case.profile,
            case.fluent_bit,
            case.name,
            f"{outcome.sent:,}",
            f"{outcome.lost:,}",
            f"{outcome.lost_acknowledged:,}",
            f"{outcome.duplicated:,}",
            "-" if outcome.cpu is None else f"{outcome.cpu:.2f}",
            f"[green]{case.setting.expect}[/green]" if good else f"[red]{case.setting.expect}: no[/red]",
        )
    return grid


def tell(outcomes: list[Outcome], out: Console, *, folder: Path) -> None:
    """The table, why a case is not as expected, and where the reports are."""
    out.print()
    out.print(table(outcomes))
    for outcome in outcomes:
        if not outcome.as_expected:
            why = outcome.error or "; ".join(outcome.breaches) or "nothing was lost"
            out.print(f"[red]{outcome.case.name}[/red]: {escape(why)}", highlight=False)
    out.print(f"Reports: a folder for each in {folder}", soft_wrap=True, highlight=False)
