from pathlib import Path

import pytest

from loadtest.plan import make_plan
from loadtest.profile import load_profile
from local.load.folder import NoRunError, Target, Written


def test_a_run_is_read_back_as_it_was(tmp_path: Path):
    written = Written(plan=make_plan(load_profile("smoke")), target=Target(to="logs:24224", env="prod"))
    written.write(tmp_path / "new" / "folder")
    read = Written.read(tmp_path / "new" / "folder")
    assert read == written
    assert read.plan.run_name == written.plan.run_name


def test_what_is_said_anew_comes_before_what_was_said():
    one = Target(to="logs:24224", env="prod", region="eu-west-1")
    assert one.with_changes(Target(env="dev")) == Target(to="logs:24224", env="dev", region="eu-west-1")


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"version": 99}'])
def test_what_is_no_run_says_what_to_name(tmp_path: Path, text: str | None):
    if text is not None:
        (tmp_path / "plan.json").write_text(text)
    with pytest.raises(NoRunError, match=r"name a run's folder|the Sluice that wrote it"):
        Written.read(tmp_path)
