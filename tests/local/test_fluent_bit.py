"""Which Fluent Bit is found, in which order, and how it is started."""

import os
import shutil
from pathlib import Path

import pytest

from local.fluent_bit import FluentBit, FluentBitMissingError, find
from local.fluent_bit_fallback import Fallback

TAG = "3.5.0"
IMAGE = f"public.ecr.aws/aws-observability/aws-for-fluent-bit:{TAG}"


def fake(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def fluent_bit(path: Path, version: str) -> Path:
    return fake(path, f'echo "Fluent Bit v{version}"')


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH and no FLUENT_BIT; the directory to put programs in."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("FLUENT_BIT", raising=False)
    return programs


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache in which the build is there already, as version 1.8.15."""
    fluent_bit(Fallback(cache=tmp_path / "cache").program, "1.8.15")
    return tmp_path / "cache"


def docker(programs: Path, *, engine: bool, version: str = "5.1.2") -> None:
    answers = (
        f'case "$1" in version) exit {0 if engine else 1};; run) echo "$@" >&2; echo "Fluent Bit v{version}";; esac'
    )
    fake(programs / "docker", answers)


def test_the_named_one_comes_first(path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    fluent_bit(path / "fluent-bit", "4.2.2")
    named = fluent_bit(tmp_path / "mine", "5.0.1")
    monkeypatch.setenv("FLUENT_BIT", str(named))
    found = find(cache=cache, image_tag=TAG)
    assert (found.source, found.version, found.program) == ("FLUENT_BIT", (5, 0, 1), str(named))


@pytest.mark.parametrize("script", ["exit 1", "echo something else"])
def test_a_named_one_that_is_none_is_an_error_not_a_reason_to_go_on(
    script: str, path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    fluent_bit(path / "fluent-bit", "5.1.1")
    monkeypatch.setenv("FLUENT_BIT", str(fake(tmp_path / "mine", script)))
    with pytest.raises(FluentBitMissingError, match=r"FLUENT_BIT is .*mine.*unset it"):
        find(cache=cache, image_tag=TAG)


def test_then_the_one_on_path(path: Path, cache: Path):
    program = fluent_bit(path / "fluent-bit", "5.1.1")
    docker(path, engine=True)
    found = find(cache=cache, image_tag=TAG)
    assert (found.source, found.version, found.program) == ("PATH", (5, 1, 1), str(program))
    assert found.version_text == "5.1.1"


def test_then_docker_when_its_engine_answers(path: Path, cache: Path):
    fake(path / "fluent-bit", "exit 1")
    docker(path, engine=True)
    found = find(cache=cache, image_tag=TAG)
    assert (found.source, found.version, found.image) == ("Docker", (5, 1, 2), IMAGE)


@pytest.mark.parametrize("tag", [TAG, None])
def test_then_our_own_build(tag: str | None, path: Path, cache: Path):
    docker(path, engine=tag is None)
    found = find(cache=cache, image_tag=tag)
    assert (found.source, found.version) == ("our own build", (1, 8, 15))


@pytest.mark.parametrize(
    ("version", "source", "expected"),
    [((1, 8, 15), "PATH", False), ((1, 8, 15), "our own build", True), ((5, 1, 1), "PATH", True)],
)
def test_our_own_build_follows_firehoses_port_as_a_new_one_does(
    version: tuple[int, int, int], source: str, expected: bool
):
    found = FluentBit(version=version, source=source, program="/bin/fb")
    assert found.abilities.aws_port is expected
    assert found.abilities.yaml is (version > (4, 0, 0))


def test_when_nothing_works_all_that_was_tried_is_told(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    docker(path, engine=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(FluentBitMissingError) as missing:
        find(cache=tmp_path / "cache", image_tag=TAG)
    said = str(missing.value)
    assert "PATH: no fluent-bit there" in said
    assert "Docker: its engine does not answer" in said
    assert "our own build: building it needs gcc, g++, make, cmake, flex, bison" in said
    assert "sudo apt-get install" in said
    assert "set FLUENT_BIT to its path" in said


def test_a_program_is_run_with_its_configuration(tmp_path: Path):
    found = FluentBit(version=(5, 1, 1), source="PATH", program="/bin/fb")
    assert found.argv(tmp_path / "fb.yaml", "--dry-run") == ["/bin/fb", "-c", f"{tmp_path}/fb.yaml", "--dry-run"]


def test_a_container_sees_the_same_paths_the_hosts_network_and_the_named_variables(tmp_path: Path):
    found = FluentBit(version=(5, 1, 2), source="Docker", program="/fluent-bit/bin/fluent-bit", image=IMAGE)
    config, buffer = tmp_path / "config", tmp_path / "buffer"
    assert found.argv(config / "fb.yaml", directories=[buffer, config], variables=["AWS_REGION"]) == [
        *("docker", "run", "--rm", "--init", "--network", "host", "--user", f"{os.getuid()}:{os.getgid()}"),
        *("--volume", f"{config}:{config}", "--volume", f"{buffer}:{buffer}"),
        *("--env", "AWS_REGION"),
        *("--entrypoint", "/fluent-bit/bin/fluent-bit", IMAGE),
        *("-c", str(config / "fb.yaml")),
    ]


VALID = """
pipeline:
  inputs:
    - name: dummy
      tag: ${TAG}
  outputs:
    - name: "null"
      match: '*'
"""


@pytest.mark.fluent_bit
@pytest.mark.parametrize(
    ("config", "accepted"),
    [(VALID, True), (VALID.replace("dummy", "no_such_input"), False), ("pipeline: [", False)],
    ids=["valid", "unknown plugin", "not YAML"],
)
def test_a_dry_run_tells_whether_the_configuration_is_taken(
    config: str, accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.undo()
    program = shutil.which("fluent-bit")
    if program is None:
        pytest.skip("no fluent-bit on PATH")
    file = tmp_path / "fb.yaml"
    file.write_text(config)
    found = find(cache=tmp_path, image_tag=None)
    outcome = found.dry_run(file, environment={"TAG": "t"})
    assert outcome.accepted is accepted
    assert outcome.message
