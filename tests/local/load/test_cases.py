"""What a matrix file says, and when a case is as expected."""

from pathlib import Path

import pytest

from local.load.case_run import summary
from local.load.cases import Case, Matrix, Outcome, Setting, cases, load_matrix
from sluice.problems import ConfigError

ROOT = Path(__file__).resolve().parents[3]


def outcome(expect: str = "holds", *, lost: int = 0, breaches: tuple[str, ...] = (), error: str | None = None):
    setting = Setting.model_validate({"expect": expect})
    case = Case(profile="smoke", fluent_bit="here", program=None, name="one", setting=setting)
    return Outcome(case=case, sent=100, lost=lost, breaches=breaches, error=error)


def test_everything_with_everything_in_the_files_order():
    matrix = Matrix.model_validate(
        {
            "profiles": ["smoke", "blog"],
            "fluent_bits": {"here": None, "old": "/opt/old"},
            "settings": {"plain": {}, "bad": {"set": {"output.retry_limit": 1}, "expect": "loss"}},
        }
    )
    found = [(case.profile, case.fluent_bit, case.program, case.name) for case in cases(matrix)]
    assert found[:3] == [
        ("smoke", "here", None, "plain"),
        ("smoke", "here", None, "bad"),
        ("smoke", "old", "/opt/old", "plain"),
    ]
    assert len(found) == 8


def test_values_are_written_as_fluent_bit_reads_them():
    setting = Setting.model_validate({"set": {"a": True, "b": False, "c": 5, "d": 0.5, "e": "no_limits"}})
    assert setting.settings == {"a": "on", "b": "off", "c": "5", "d": "0.5", "e": "no_limits"}


def test_the_example_that_ships_is_valid_and_has_negative_controls():
    matrix = load_matrix(ROOT / "loadtest" / "cases" / "settings.yaml")
    assert {setting.expect for setting in matrix.settings.values()} == {"holds", "loss"}


def test_all_that_is_wrong_is_told(tmp_path: Path):
    file = tmp_path / "cases.yaml"
    file.write_text("profiles: []\nsettings: {One: {sets: {}}}\nextra: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_matrix(file)
    keys = {problem.key for problem in caught.value.problems}
    assert {"profiles", "extra"} <= keys
    assert any("sets" in key for key in keys)
    assert all("matrix --schema" in problem.remedy for problem in caught.value.problems)


def test_too_many_cases_are_refused(tmp_path: Path):
    file = tmp_path / "cases.yaml"
    file.write_text("profiles: [a]\nsettings:\n" + "".join(f"  s{n}: {{}}\n" for n in range(201)))
    with pytest.raises(ConfigError, match="201 cases: at most 200"):
        load_matrix(file)


def test_no_file_says_which_to_name(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"loadtest/cases/settings\.yaml"):
        load_matrix(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (outcome(), True),
        (outcome(breaches=("lost: 1",), lost=1), False),
        (outcome(breaches=("altered: 1",)), False),
        (outcome("loss", lost=5, breaches=("lost: 5",)), True),
        (outcome("loss"), False),
        (outcome("loss", breaches=("altered: 1",)), False),
        (outcome(error="no such program"), False),
        (outcome("loss", error="no such program"), False),
    ],
)
def test_when_a_case_is_as_expected(found: Outcome, expected: bool):
    assert found.as_expected is expected
    assert ("NOT" in summary(found)) is (not expected and found.error is None)
