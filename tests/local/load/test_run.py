"""`sluice loadtest run` for real: a Fluent Bit, the counting Firehose, and an account that adds up to the message."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.fluent_bit, pytest.mark.usefixtures("fluent_bit_5")]

SENT = 2 * 300
Answer = Callable[..., tuple[int, Any, str]]


def test_everything_arrives_and_the_reports_say_so(answer: Answer, small: Path, tmp_path: Path):
    status, told, said = answer("run", small, "--out", tmp_path / "run")
    assert status == 0, said
    assert told["passed"]
    assert told["total"]["sent"] == told["total"]["acknowledged"] == told["total"]["delivered"] == SENT
    assert {route["name"]: route["sent"] for route in told["routes"]} == {"backend": 400, "frontend": 200}
    assert told["bytes"] >= SENT * 100
    assert max(value for value in told["series"]["cpu"] if value is not None) > 0
    written = json.loads((tmp_path / "run" / "report.json").read_text())
    assert written["total"] == told["total"]
    assert "Passed" in (tmp_path / "run" / "report.html").read_text()
    assert said == "", "with --json nothing but the answer is said"


def test_a_filter_that_drops_some_is_caught_with_their_exact_number(answer: Answer, small: Path, tmp_path: Path):
    """Of every source the messages whose number leaves 15 over when divided by 16: the number's last letter is p."""
    dropping = "filter.grep.exclude=log slt[a-p]{19}p"
    status, told, said = answer("run", small, "--out", tmp_path / "run", "--set", dropping)
    assert status == 1, said
    per_source = {"sidecar": 200 // 16 * 2, "docker": 100 // 16 * 2}
    assert {load["name"]: load["lost"] for load in told["loads"]} == per_source
    lost = sum(per_source.values())
    assert told["total"]["lost"] == told["total"]["lost_acknowledged"] == lost
    assert told["total"]["delivered"] == SENT - lost
    assert {breach["name"]: breach["found"] for breach in told["breaches"]} == {
        "lost": lost,
        "lost_acknowledged": lost,
    }


def test_ctrl_c_stops_the_sending_and_accounts_for_what_was_sent(answer: Answer, small: Path, tmp_path: Path):
    journal = tmp_path / "run" / "sent-0.jsonl"
    over = threading.Event()

    def interrupt() -> None:
        while not over.wait(0.05):
            if journal.exists() and '"sent":{"' in journal.read_text():
                os.kill(os.getpid(), signal.SIGINT)
                return

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    status, told, said = answer("run", small, "--seconds", "600", "--out", tmp_path / "run")
    over.set()
    thread.join()
    assert status == 0, said
    total = told["total"]
    assert 0 < total["sent"] < 600 * 300
    assert total["sent"] == total["acknowledged"] == total["delivered"]
    assert told["notes"][-1].startswith("ended early")


def test_a_setting_that_fluent_bit_does_not_know_is_one_line_in_its_own_words(
    answer: Answer, small: Path, tmp_path: Path
):
    status, told, said = answer("run", small, "--out", tmp_path / "run", "--set", "output.nonsense=1")
    assert (status, told) == (2, None)
    assert "does not take these settings: kinesis_firehose: unknown configuration property 'nonsense'" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "run" / "plan.json").exists(), "what did not run is no run"


def test_a_matrix_with_a_negative_control_and_a_case_that_cannot_run(answer: Answer, small: Path, tmp_path: Path):
    """A buffer in memory does not survive kill -9: what was acknowledged from it is lost, and has to be reported."""
    settings = {
        "memory": {
            "set": {"input.storage.type": "memory"},
            "refuse": [{"at": 0, "seconds": 9}],
            "kill": [8],
            "expect": "loss",
        },
        "wrong": {"set": {"output.nonsense": 1}},
    }
    file = tmp_path / "cases.yaml"
    file.write_text(json.dumps({"profiles": [str(small)], "settings": settings}))
    status, told, _ = answer("matrix", file, "--out", tmp_path / "matrix")
    memory, wrong = told["cases"]
    assert memory["lost_acknowledged"] > 0, memory
    assert memory["as_expected"]
    assert "unknown configuration property" in wrong["error"]
    assert not wrong["as_expected"]
    assert (status, told["as_expected"]) == (1, False), "one case could not be run"
    marks = json.loads((Path(memory["folder"]) / "report.json").read_text())["marks"]
    assert [mark["name"] for mark in marks] == ["Firehose throttles", "killed", "Firehose takes"]


def test_the_limit_of_a_small_target(answer: Answer, small: Path, tmp_path: Path):
    """A rate far below what the machine can is sustained, and is a dot in the page."""
    patient = tmp_path / "patient.yaml"
    patient.write_text(json.dumps(json.loads(small.read_text()) | {"thresholds": {"achieved_percent": 20}}))
    status, told, said = answer(
        *("find-limit", patient, "--from", "100", "--steps", "1", "--seconds", "3", "--out", tmp_path / "limit")
    )
    assert status == 0, said
    assert [step["rate"] for step in told["steps"]] == [100]
    assert all(step["bytes_per_message"] == pytest.approx(900, rel=0.05) for step in told["steps"])
    assert all(step["cpu"] > 0 and step["memory"] > 0 for step in told["steps"])
    assert (told["highest"]["rate"], told["bounded"]) == (100, False)
    assert (tmp_path / "limit" / "limit.html").read_text().count("<circle") == 1
