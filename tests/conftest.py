"""What tests of several packages need."""

import html
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from local import making
from local.opensearch import OpenSearch, OpenSearchMissingError
from local.process import ProcessError

ROOT = Path(__file__).resolve().parents[1]

# Every run tries the same examples, for as long as they take: a test does not fail because the machine is busy, nor for
# what nobody has touched. `make test ARGS=--hypothesis-profile=default` tries others, with a time limit for each.
settings.load_profile("ci")


@pytest.fixture(scope="session")
def fluent_bit_5() -> str:
    """A Fluent Bit of the version that counts: the one in AWS is a 5.x."""
    binary = os.environ.get("FLUENT_BIT") or shutil.which("fluent-bit")
    told = subprocess.run([binary, "--version"], check=False, capture_output=True, text=True).stdout if binary else ""
    if not told.startswith("Fluent Bit v5"):
        pytest.skip("needs Fluent Bit 5.x, as `fluent-bit` on PATH or in FLUENT_BIT")
    return str(binary)


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real OpenSearch of this test process. Its indices stay: choose names of your own."""
    with ExitStack() as running:
        try:
            search = running.enter_context(
                OpenSearch(cache=ROOT / ".cache", work=tmp_path_factory.mktemp("opensearch"))
            )
        except OpenSearchMissingError as missing:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(missing))
        yield search.url


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Any]:
    """A real browser: draws a page, runs a script's body in it, and gives what that returns."""
    names = ("chromium", "chromium-browser", "google-chrome")
    if not any(map(shutil.which, names)) and making.may_install():
        with suppress(ProcessError):
            making.install(["chromium"], log=tmp_path_factory.mktemp("chromium") / "log", seconds=600)
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("needs a Chromium or Chrome on PATH")
    quiet = ("no-first-run", "background-networking", "component-update", "sync")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", f"--{quiet[0]}"]
    options += [f"--disable-{each}" for each in quiet[1:]]

    def look(page: Path, script: str) -> Any:
        folder = tmp_path_factory.mktemp("browser")
        told = f"<script>document.title = JSON.stringify((() => {{{script}}})());</script>"
        (folder / "page.html").write_text(page.read_text().replace("</html>", f"{told}</html>"))
        profile = f"--user-data-dir={folder / 'profile'}"
        command = [program, *options, "--window-size=1000,4000", profile, "--dump-dom", f"file://{folder}/page.html"]
        drawn = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
        return json.loads(html.unescape(drawn.partition("<title>")[2].partition("</title>")[0]))

    return look
