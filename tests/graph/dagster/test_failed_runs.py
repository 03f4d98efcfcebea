"""What `mlops run` says of a run that failed: one sentence each, and nothing is lost."""

from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.cli.failures import survived
from mlops_assets.cli.runs.model_run import ModelRun
from mlops_assets.cli.verdict import AFTER_A_REFUSAL
from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.progress import progress
from tests.support.fakes.deployment import FakeDeployment
from tests.support.fakes.features import FakeDatasets


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Runs:
    """`mlops run loans` on fakes: what it says on stderr."""

    def __init__(
        self,
        resources: dict[str, Any],
        instance: dg.DagsterInstance,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.resources, self._instance, self._capsys = resources, instance, capsys

    def lines(self, loans: dict[str, Any]) -> list[str]:
        models = build_model_defs(ModelSettings.model_validate(loans))
        ours = dg.Definitions(resources=self.resources, loggers={"progress": progress})
        definitions = dg.Definitions.merge(models, ours)
        self._capsys.readouterr()
        good = survived("loans", ModelRun(definitions, self._instance, "loans").bring_up_to_date)
        lines = self._capsys.readouterr().err.splitlines()
        assert good == (not lines)
        return lines


@pytest.fixture
def runs(
    resources: dict[str, Any], instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]
) -> Runs:
    return Runs(resources, instance, capsys)


def test_a_broken_contract(loans: dict[str, Any], loans_csv: Path, runs: Runs) -> None:
    loans_csv.write_text(loans_csv.read_text().replace(",a,", ",a,x"))
    (line,) = runs.lines(loans)
    assert line.startswith("loans/processed_data: ")
    assert "rows break the contract (label.dtype " in line
    assert "correct the source" in line


def test_a_refused_version(loans: dict[str, Any], runs: Runs) -> None:
    loans["evaluation"]["gate"]["limits"]["roc_auc"]["min"] = 0.9999
    (line,) = runs.lines(loans)
    assert line.startswith("loans: version 1 is refused: roc_auc"), "as `mlops train` says it"
    assert line.endswith(AFTER_A_REFUSAL)


def test_an_endpoint_that_cannot_be_deployed(loans: dict[str, Any], runs: Runs) -> None:
    class Refuses(FakeDeployment):
        def deploy(self, *_: Any, **__: Any) -> Any:
            from mlops_assets.errors import PortInUseError

            raise PortInUseError("port 18200 is in use;\nchange deployment.port")

    runs.resources["deployment"] = Refuses(root=runs.resources["deployment"].root)
    assert runs.lines(loans) == [
        "loans/deployed_endpoint: PortInUseError: port 18200 is in use; change deployment.port"
    ]


def test_what_nobody_foresaw_keeps_its_trace(loans: dict[str, Any], runs: Runs, home: Path) -> None:
    class Broken(FakeDatasets):
        def add(self, *_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("out of\nthe blue")

    given = runs.resources["datasets"]
    places = {name: getattr(given, name) for name in ("root", "cache", "quarantine")}
    runs.resources["datasets"] = Broken(**places)
    (line,) = runs.lines(loans)
    assert line.startswith("loans/raw_data: ZeroDivisionError: out of the blue; ")
    (file,) = (home / "errors").iterdir()
    assert str(file) in line
    assert "in add" in file.read_text()


def test_an_error_outside_a_step_stops_no_other_model(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    def fail(model: str) -> bool:
        return {"a": True}[model]

    assert [survived(model, partial(fail, model)) for model in ("b", "a")] == [False, True]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("b: KeyError: 'b'; ")
    assert len(list((home / "errors").iterdir())) == 1


def test_a_loader_that_raises_is_named_with_its_place(
    loans: dict[str, Any], runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asks.py").write_text("def load():\n    return {}['no such table']\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    loans["source"] = {"loader": "asks.load"}
    (line,) = runs.lines(loans)
    assert "LoaderError: source.loader 'asks.load' raised KeyError: 'no such table'" in line
    assert f"({tmp_path / 'asks.py'}:2)" in line
