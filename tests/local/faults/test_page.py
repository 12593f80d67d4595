"""The page says what the report says: held to a small report that was recorded from a real run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from local.faults.clients import KINDS
from local.faults.page import write
from local.faults.rows import Matrix

HERE = Path(__file__).parent
RECORDED = HERE / "report.json"
ROOT = HERE.parents[2]


@pytest.fixture(scope="module")
def recorded() -> Matrix:
    return Matrix.from_json(json.loads(RECORDED.read_text()))


def cells(page: str, first: str) -> list[list[str]]:
    """The rows of all tables that begin with this cell."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")
    ]
    return [row for row in rows if row[0] == first]


def test_each_row_of_the_report_stands_in_the_page(recorded: Matrix) -> None:
    page = write(recorded)
    for outcome in recorded.outcomes:
        if outcome.skipped is not None:
            assert f"- {outcome.event}: {outcome.skipped}" in page
            continue
        found = {row[1]: row for row in cells(page, outcome.event) if len(row) == 10 and row[1] != outcome.says}
        if outcome.must_lose:
            continue
        for row in outcome.rows:
            numbers = found[row.client]
            assert numbers[2] == f"{row.sent:,}"
            assert numbers[4] == f"{row.lost:,}"
            assert numbers[6] == f"{row.duplicated:,}"


def test_every_table_is_whole(recorded: Matrix) -> None:
    """A row has as many cells as its head, and no table is cut by an empty line."""
    lines = write(recorded).splitlines()
    width = 0
    for before, line in zip(["", *lines], lines, strict=False):
        if not line.startswith("|"):
            continue
        if not before.startswith("|"):
            width = line.count("|")
        assert line.count("|") == width, line
    assert sum(bool(re.fullmatch(r"\|(---\|)+", line)) for line in lines) >= 6


def test_the_page_says_what_did_not_hold(recorded: Matrix) -> None:
    good = next(o for o in recorded.outcomes if o.rows and not o.must_lose and not o.may_lose_acknowledged)
    assert "What did not hold" not in write(recorded)
    row = replace(good.rows[0], lost=good.rows[0].lost + 3, lost_acknowledged=3)
    broken = replace(recorded, outcomes=(replace(good, rows=(row, *good.rows[1:])), *recorded.outcomes))
    page = write(broken)
    assert "**in 1 of them something did not hold**" in page
    assert f"{row.client}: 3 acknowledged and lost" in page


def test_deployments_are_told_per_deployment_beside_the_blog(recorded: Matrix) -> None:
    deployed = next(outcome for outcome in recorded.outcomes if outcome.event == "rolling-deployment")
    rows = tuple(replace(row, lost=6, duplicated=3) for row in deployed.rows)
    page = write(replace(recorded, outcomes=(replace(deployed, repeats=4, rows=rows),)))
    assert cells(page, "tracers lost for each rolling deployment")[0][1:] == ["2.67", "1.50", "1.50"]
    assert cells(page, "tracers duplicated for each rolling deployment")[0][1:] == ["11.7", "0.75", "0.75"]


def test_a_stopped_task_is_told_as_a_share_of_ten_seconds(recorded: Matrix) -> None:
    lost = next(outcome for outcome in recorded.outcomes if outcome.event == "lose")
    rows = tuple(replace(row, lost=50, per_second=100) for row in lost.rows)
    page = write(replace(recorded, outcomes=(replace(lost, rows=rows, repeats=2),)))
    assert "| 1.5 % | 2.5 % | 2.5 % |" in page


def test_the_page_names_no_place_of_a_machine(recorded: Matrix) -> None:
    assert not re.search(r"/(home|root|work|tmp|usr)/", write(recorded))


def test_the_committed_page_was_written_by_this(recorded: Matrix) -> None:
    """Its words that are of no measurement are the template's: it is written, not edited."""
    committed = (ROOT / "docs" / "reliability.md").read_text()
    fixed = [line for line in write(recorded).splitlines() if line.startswith(("#", "*", "The clients", "Settings"))]
    absent = [
        line for line in fixed if line not in committed and "Not tried" not in line and not line.startswith("###")
    ]
    assert absent == []
    assert all(f"`{kind.name}`" in committed for kind in KINDS)
