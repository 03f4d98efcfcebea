"""What nobody foresaw is kept once, however often somebody looks at it."""

from pathlib import Path

import pytest

from mlops_assets.cli.failures import said_of


def test_a_trace_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    try:
        raise ZeroDivisionError("odd")
    except ZeroDivisionError as err:
        said = {said_of(err), said_of(err)}
    (kept,) = (tmp_path / "errors").iterdir()
    assert said == {
        f"ZeroDivisionError: odd; nobody foresaw this, the whole trace is in {kept}",
    }
    assert "ZeroDivisionError: odd" in kept.read_text(encoding="utf-8")
