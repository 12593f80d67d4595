"""What tests of several packages need."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.opensearch import OpenSearch, OpenSearchMissingError

ROOT = Path(__file__).resolve().parents[1]


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
