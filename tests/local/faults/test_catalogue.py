"""The list of events and the command around it."""

import re

import pytest
import typer
from typer.testing import CliRunner

from local.faults.catalogue import EVENTS, QUICK, UnknownEventError, chosen
from local.faults.commands import faults

APP = typer.Typer()
APP.command()(faults)


def test_every_event_has_a_name_of_its_own_and_says_what_happens() -> None:
    names = [event.name for event in EVENTS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) and len(name) <= 40 for name in names)
    assert all(event.says and event.group and "|" not in event.says for event in EVENTS)


def test_the_whole_matrix_has_fifty_deployments_and_every_group_and_control() -> None:
    whole = chosen([])
    assert sum(event.repeats for event in whole if event.name == "fifty-deployments") >= 50
    assert {event.name for event in EVENTS} - {event.name for event in whole} == {"rolling-deployment"}
    assert sum(event.must_lose for event in whole) >= 6


def test_events_come_in_the_order_of_the_report_whatever_the_order_of_their_names() -> None:
    assert [event.name for event in chosen(["lose", "crash"])] == ["crash", "lose"]
    assert {event.name for event in chosen(QUICK)} == set(QUICK)


def test_an_event_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(UnknownEventError, match=r"no event gone, away.*--list"):
        chosen(["gone", "crash", "away"])


def test_the_command_lists_what_it_would_run_and_runs_nothing() -> None:
    told = CliRunner().invoke(APP, ["--list", "--only", "crash"])
    assert told.exit_code == 0
    assert told.stdout.startswith("crash  kill -9")
    assert len(CliRunner().invoke(APP, ["--list"]).stdout.splitlines()) == len(chosen([]))


def test_the_command_refuses_a_name_that_no_event_has() -> None:
    told = CliRunner().invoke(APP, ["--only", "gone"])
    assert told.exit_code == 2
    assert "there is no event gone" in told.stderr


def test_the_command_refuses_a_configuration_that_is_wrong(tmp_path: object) -> None:
    told = CliRunner().invoke(APP, ["--only", "crash", "--config", f"{tmp_path}/none.yaml"])
    assert told.exit_code == 2
