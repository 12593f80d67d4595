"""What tests of several packages need."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def fluent_bit_5() -> str:
    """A Fluent Bit of the version that counts: the one in AWS is a 5.x."""
    binary = os.environ.get("FLUENT_BIT") or shutil.which("fluent-bit")
    told = subprocess.run([binary, "--version"], check=False, capture_output=True, text=True).stdout if binary else ""
    if not told.startswith("Fluent Bit v5"):
        pytest.skip("needs Fluent Bit 5.x, as `fluent-bit` on PATH or in FLUENT_BIT")
    return str(binary)
