"""Runs whose aggregator is elsewhere: where they are read, and `verify` on a copy of the bucket."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from loadtest.journal import Entry, JournalWriter
from loadtest.messages import text_of
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile
from local.load.folder import Target, Written
from local.load.remote import remote_stage, resolved
from query.documents import UnreachableError
from sluice.load import load

from .conftest import ROOT, Answer

LOADS = [{"name": "web", "tag": "backend-load", "messages_per_second": 20, "size": {"median": 200}}]
MESSAGES = 20


@pytest.fixture
def sent(tmp_path: Path) -> tuple[Plan, Path, float]:
    """The folder of a run that sent 20 messages, all acknowledged, to an aggregator in AWS."""
    profile = Profile.model_validate({"name": "small", "seconds": 1, "settle_seconds": 0, "loads": LOADS})
    plan, folder, began = make_plan(profile), tmp_path / "run", time.time() - 60
    Written(plan=plan, target=Target(to="logs.example:24224", env="prod")).write(folder)
    with JournalWriter(folder, run=plan.run, process=0, began=began) as journal:
        journal.write(Entry(began + 1, {0: MESSAGES}, {0: ((0, MESSAGES),)}, MESSAGES * 200, 0.0))
        journal.end(at=began + 1.1, error=None)
    return plan, folder, began


def copy_of_the_bucket(plan: Plan, began: float, to: Path, numbers: Iterable[int], *, route: str = "backend") -> Path:
    def document(number: int) -> dict[str, str]:
        text = text_of(plan, plan.sources[0], number, int((began + number / 20) * 1e9))
        return {"event_id": f"{number:032x}", "body": text}

    folder = to / f"logs/route={route}/year=2026/month=11/day=21/hour=10"
    folder.mkdir(parents=True)
    (folder / "one").write_text("".join(json.dumps(document(number)) + "\n" for number in numbers))
    return to


def test_what_arrived_later_is_accounted_for_later(answer: Answer, sent: tuple[Plan, Path, float], tmp_path: Path):
    plan, folder, began = sent
    copy = copy_of_the_bucket(plan, began, tmp_path / "early", range(MESSAGES - 3))
    status, told, said = answer("verify", folder, "--objects", copy)
    assert status == 1, said
    assert (told["total"]["lost"], told["total"]["lost_acknowledged"]) == (3, 3)
    copy = copy_of_the_bucket(plan, began, tmp_path / "late", range(MESSAGES))
    status, told, said = answer("verify", folder, "--objects", copy)
    assert status == 0, (said, told["breaches"])
    assert told["total"]["delivered"] == MESSAGES
    assert "copy of the bucket" in told["target"]["stage"]
    assert json.loads((folder / "report.json").read_text())["passed"]


def test_what_lies_in_another_routes_place_is_wrong(answer: Answer, sent: tuple[Plan, Path, float], tmp_path: Path):
    plan, folder, began = sent
    copy = copy_of_the_bucket(plan, began, tmp_path / "copy", range(MESSAGES), route="catch-all")
    status, told, _ = answer("verify", folder, "--objects", copy)
    assert (status, told["total"]["misrouted"]) == (1, MESSAGES)


def test_a_run_without_journals_cannot_be_verified(answer: Answer, sent: tuple[Plan, Path, float], tmp_path: Path):
    _, folder, _ = sent
    (folder / "sent-0.jsonl").unlink()
    (tmp_path / "empty").mkdir()
    status, _, said = answer("verify", folder, "--objects", tmp_path / "empty")
    assert status == 2
    assert "nobody knows what was sent" in said


def test_a_stage_of_its_own_is_gone(answer: Answer, sent: tuple[Plan, Path, float]):
    plan, folder, _ = sent
    Written(plan=plan, target=Target()).write(folder)
    status, _, said = answer("verify", folder)
    assert status == 2
    assert "its report is all there is" in said


def test_an_environment_keeps_its_meaning(tmp_path: Path):
    """The file's first today may not be the first tomorrow, and a demo that runs today does not then."""
    config = load(ROOT / "sluice.yaml")
    target = resolved(config, Target(to="logs:24224"), file=tmp_path / "sluice.yaml")
    assert (target.env, target.local) == ("dev", False)
    with pytest.raises(UnreachableError, match="there is no environment 'test'; there are dev, prod"):
        remote_stage(config, Target(to="logs:24224", env="test"), file=tmp_path / "sluice.yaml")
