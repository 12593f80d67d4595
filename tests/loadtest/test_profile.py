"""A profile's file is read whole, or everything that is wrong with it is told."""

from pathlib import Path

import pytest

from loadtest.profile import MAX_BYTES, load_profile, names
from sluice.problems import ConfigError

GOOD = "name: mine\nseconds: 5\nloads:\n- {name: web, tag: web, messages_per_second: 5}\n"


def refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_profile(str(file))
    return str(caught.value)


def test_a_file_and_a_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    assert load_profile(str(file)).loads[0].rate == 5
    assert load_profile("smoke").name == "smoke"


def test_every_shipped_profile_is_named_like_its_file() -> None:
    assert "smoke" in names()
    for name in names():
        profile = load_profile(name)
        assert profile.name == name
        assert profile.says


def test_all_problems_are_told_with_key_and_value(tmp_path: Path) -> None:
    told = refused(tmp_path, GOOD.replace("seconds: 5", "seconds: -1").replace("tag: web", "tag: ''"))
    assert "seconds = -1" in told
    assert "loads[0].tag = ''" in told
    assert "at least 1 item" not in told, "that the list is empty without it follows"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("messages_per_second: 5", "messages_per_second: 5, mb_per_second: 1"), "exactly one of"),
        (("messages_per_second: 5", "ack: true"), "exactly one of"),
        (("messages_per_second: 5", "messages_per_second: 5, formats: {json: 0}"), "weight"),
        (("messages_per_second: 5", "messages_per_second: 5, size: {median: 80, least: 90}"), "least <= median"),
        (("messages_per_second: 5", "messages_per_second: 5, colour: red"), "colour"),
        (("\n- {", "\n- {name: web, tag: b, messages_per_second: 1}\n- {"), "two loads have one name"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    assert told in refused(tmp_path, GOOD.replace(*change))


def test_what_is_no_profile_at_all(tmp_path: Path) -> None:
    assert "is not YAML" in refused(tmp_path, "a: [")
    assert "brackets" in refused(tmp_path, "a: " + "[" * 50_000)
    assert "is nested too deeply" in refused(tmp_path, "- " * 3_000 + "a")
    assert "has an alias" in refused(tmp_path, "a: &a [1]\nb: *a\n")
    assert "is larger than" in refused(tmp_path, GOOD + "#" * MAX_BYTES)
    with pytest.raises(ConfigError, match=r"cannot be read.*\n.*smoke"):
        load_profile(str(tmp_path / "missing.yaml"))
