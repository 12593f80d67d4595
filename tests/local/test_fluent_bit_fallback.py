"""Our own Fluent Bit is built once, whoever asks at the same time, and says what it needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local import fluent_bit_fallback, making
from local.fluent_bit import OWN_BUILD, FluentBit
from local.fluent_bit_fallback import BuildError, Fallback, missing_packages
from local.process import free_port, port_answers, start
from sluice import fluent_bit
from sluice.load import load
from sluice.model import deployment

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"


def test_what_is_built_is_not_built_again(tmp_path: Path):
    fallback = Fallback(cache=tmp_path, on_step=lambda step: pytest.fail(f"it was {step}"))
    fallback.home.mkdir(parents=True)
    fallback.program.write_text("here")
    assert fallback.ensure() == fallback.program


def test_of_two_at_once_one_builds(tmp_path: Path):
    """Each of the two processes would write its number; the lock lets the second find the first's."""
    code = """
import os, sys, time
from pathlib import Path
from local.fluent_bit_fallback import Fallback
class Slow(Fallback):
    def _build(self):
        print("build", flush=True)
        time.sleep(0.5)
        self.home.mkdir()
        self.program.write_text(str(os.getpid()))
Slow(cache=Path(sys.argv[1])).ensure()
"""
    both = [subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) for _ in range(2)]
    said = [one.communicate()[0] for one in both]
    assert sorted(said) == [b"", b"build\n"]


@pytest.mark.parametrize(("uid", "expected"), [(1000, "sudo apt-get install"), (0, "apt-get")])
def test_missing_packages_are_named_with_the_command(
    uid: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also as root where there is no apt-get."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(BuildError) as missing:
        Fallback(cache=tmp_path).ensure()
    for package in missing_packages():
        assert package in str(missing.value)
    assert expected in str(missing.value)
    assert "cmake" in missing_packages()


def test_another_package_than_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def download(*_arguments: object, directory: Path, **_named: object) -> None:
        (directory / "fluent-bit-0.0.3.tgz").write_bytes(b"something else")

    monkeypatch.setattr(making, "run", download)
    with pytest.raises(BuildError, match=r"is not what it was: sha512 .*expected aphqYAd"):
        fluent_bit_fallback._download(tmp_path)


def test_another_source_than_the_known_one_is_refused():
    with pytest.raises(BuildError, match="is not the known one"):
        fluent_bit_fallback._changed("ctx->firehose_client->port = 8443;", "ctx->firehose_client->port = ")


def test_a_failed_step_tells_the_end_of_its_log_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def download(_work: Path) -> Path:
        source = _work / "source"
        (source / "lib").mkdir(parents=True)
        (source / "CMakeLists.txt").write_text('message(FATAL_ERROR "no such thing")')
        return source

    monkeypatch.setattr(fluent_bit_fallback, "_install_needs", lambda *_arguments, **_named: None)
    monkeypatch.setattr(fluent_bit_fallback, "_download", download)
    monkeypatch.setattr(fluent_bit_fallback, "_adapt", lambda _source: None)
    fallback = Fallback(cache=tmp_path)
    with pytest.raises(BuildError, match=r"(?s)cmake.*status 1.*no such thing"):
        fallback.ensure()
    assert sorted(left.name for left in tmp_path.iterdir()) == [
        f"{fallback.home.name}.build.log",
        f"{fallback.home.name}.lock",
    ]


@pytest.fixture(scope="module")
def program() -> Path:
    """Builds it where it was not built before: one to two minutes."""
    return Fallback(cache=CACHE).ensure()


@pytest.mark.e2e
def test_it_is_fluent_bit_1_8_15(program: Path):
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("Fluent Bit v1.8.15")


@pytest.mark.e2e
def test_it_runs_the_rendered_configuration(program: Path, tmp_path: Path):
    """It ends at a property that it does not know, so that it listens means that it knows them all."""
    here = deployment(load(ROOT / "sluice.yaml"), "dev")
    port = free_port()
    places = fluent_bit.Places(
        home=str(ROOT / "fluentbit-image"),
        buffer=str(tmp_path / "buffer"),
        listen="127.0.0.1",
        ports={"forward": port},
        metrics_port=free_port(),
        aws_host="127.0.0.1",
        aws_port=free_port(),
    )
    engine = FluentBit(version=(1, 8, 15), source=OWN_BUILD, program=str(program))
    config = tmp_path / "fluent-bit.conf"
    config.write_text(fluent_bit.as_classic(fluent_bit.sections(here, places, engine.abilities)))
    keys = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    environment = {**os.environ, **fluent_bit.environment(here), **keys}
    with start(engine.argv(config), name="Fluent Bit", log=tmp_path / "log", environment=environment) as running:
        running.wait_ready(lambda: port_answers(port), timeout_seconds=120)
    assert "unknown configuration property" not in (tmp_path / "log").read_text()


@pytest.mark.e2e
def test_what_was_built_can_do_what_the_renderer_counts_on(program: Path, tmp_path: Path):
    """Regular expressions come from Oniguruma in Onigmo's place, Lua from the package itself."""
    (tmp_path / "t.lua").write_text("function f(tag, time, record) record.ns = time.nsec return 2, time, record end")
    (tmp_path / "fb.conf").write_text(f"""
[INPUT]
    name dummy
    tag app.x
    samples 1
[FILTER]
    name lua
    match_regex \\A(?!other\\.)(?m:.*)\\z
    script {tmp_path}/t.lua
    call f
    time_as_table on
[OUTPUT]
    name file
    match *
    path {tmp_path}
    file out
""")
    out = tmp_path / "out"
    argv = [program, "-c", tmp_path / "fb.conf"]
    with start(argv, name="Fluent Bit", log=tmp_path / "log") as running:
        running.wait_ready(lambda: out.exists() and out.stat().st_size > 0, timeout_seconds=120)
    assert '"ns":' in out.read_text()
