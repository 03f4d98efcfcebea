"""What a variable says that is wrong for every model is said before any is looked at."""

import pytest

from mlops_assets.cli.main import main


@pytest.mark.parametrize("command", ["check", "run", "train"])
def test_an_engine_that_is_none_is_told_before_any_model(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_ENGINE", "sparc://h:1")
    assert main([command, "customers"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("ConfigError: MLOPS_ENGINE='sparc://h:1' is no engine; set arrays")
