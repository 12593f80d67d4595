"""What is made for the cache is made by one at a time."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local import making


def test_who_installs_packages_at_once_takes_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This apt-get gives up where another one is at work, as the real one does."""
    program = tmp_path / "programs" / "apt-get"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nmkdir {tmp_path}/busy && sleep 0.3 && rmdir {tmp_path}/busy\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def install(name: str) -> None:
        making.install([name], log=tmp_path / name / "log", seconds=120)

    with ThreadPoolExecutor() as at_once:
        assert list(at_once.map(install, ("one", "other"))) == [None, None]
