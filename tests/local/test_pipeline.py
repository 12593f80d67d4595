"""What the pipeline does on a machine where OpenSearch is not to be had."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from local.opensearch import OpenSearchMissingError
from local.pipeline import _opensearch
from local.steps import Steps


def test_without_an_opensearch_the_demo_goes_on_unless_one_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_OPENSEARCH", str(tmp_path / "nothing"))
    with ExitStack() as running:
        assert _opensearch(running, cache=tmp_path, work=tmp_path, needed=False, steps=Steps(quiet=False)) is None
        assert "its routes go to S3" in capsys.readouterr().err
        with pytest.raises(OpenSearchMissingError, match="--no-search"):
            _opensearch(running, cache=tmp_path, work=tmp_path, needed=True, steps=Steps(quiet=True))
