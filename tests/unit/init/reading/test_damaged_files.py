"""`mlops init` of every damaged file: written soundly, or refused in one sentence with no rest."""

from pathlib import Path

import pytest

from mlops_assets.cli.main import main
from tests.support.tables.damaged_files import DAMAGED


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mlops.yaml").touch()
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path))
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_refused_in_one_sentence(
    project: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    data, options, words = DAMAGED[case]
    file = project / options.get("name", "a.csv")
    file.write_bytes(data)
    code = main(["init", file.name, "--target", "age", "--name", "mine"])
    said = capsys.readouterr().err
    assert code in (1, 2)
    assert "nobody foresaw this" not in said
    if "another name" in case or "quote" in case:
        assert said.startswith("SourceError")
        assert (
            said.strip().removesuffix(".").endswith(words[-1].removesuffix("."))
            or words[-1] in said
        )
    assert said.count("\n") == 1
    assert not (project / "defs").exists()
