"""What the endpoints' verbs say where there is nothing to do."""

from pathlib import Path

import pytest

from mlops_assets.cli.main import up


def test_bringing_up_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_ENDPOINTS", str(tmp_path))
    assert up([]) == 0
    assert "nothing to bring up; one that was stopped" in capsys.readouterr().out
