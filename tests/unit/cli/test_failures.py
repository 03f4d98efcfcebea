"""What nobody foresaw is kept once, however often somebody looks at it."""

from pathlib import Path

import pytest

from mlops_assets.cli.failures import said_of, survived
from mlops_assets.dotted import import_object


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


INTERRUPTED = """
try:
    raise KeyboardInterrupt
except BaseException as err:
    raise ImportError("initialization failed") {cause}
"""
"""What C code does that is interrupted while it is imported."""


@pytest.mark.parametrize("cause", ["from err", ""], ids=["cause", "context"])
def test_an_interrupt_is_none_of_a_models_failures(
    cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    code = INTERRUPTED.format(cause=cause)
    (tmp_path / "interrupted_import.py").write_text(code, encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        survived("toy", lambda: exec(code))
    with pytest.raises(KeyboardInterrupt):
        import_object("interrupted_import.Model")
    assert not (tmp_path / "errors").exists()
