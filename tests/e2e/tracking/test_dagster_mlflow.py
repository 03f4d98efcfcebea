"""The opt-in resource of dagster-mlflow: it logs for its users, and is absent otherwise."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.definitions import build_resources
from resources.tracking.dagster_mlflow import build_dagster_mlflow

# dagster-mlflow uses deprecated and beta parts of Dagster and MLflow.
pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore")]


def test_an_asset_logs_through_dagster_mlflow(tmp_path: Path) -> None:
    from dagster_mlflow import end_mlflow_on_run_finished
    from mlflow import MlflowClient

    @dg.asset
    def scored(mlflow: dg.ResourceParam[Any]) -> None:
        mlflow.log_metric("roc_auc", 0.8)

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    job = dg.define_asset_job("score", selection="scored", hooks={end_mlflow_on_run_finished})
    definitions = dg.Definitions(
        assets=[scored],
        jobs=[job],
        resources={"mlflow": build_dagster_mlflow(uri, "theirs", {"team": "growth"})},
    )

    result = definitions.resolve_job_def("score").execute_in_process()

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("theirs")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics == {"roc_auc": 0.8}
    assert run.data.tags["dagster_run_id"] == result.run_id
    assert run.data.tags["team"] == "growth"
    assert run.info.status == "FINISHED"


def test_it_is_there_only_when_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLOPS_DAGSTER_MLFLOW", raising=False)
    assert "mlflow" not in build_resources(tmp_path)
    monkeypatch.setenv("MLOPS_DAGSTER_MLFLOW", "1")
    assert "mlflow" in build_resources(tmp_path)
