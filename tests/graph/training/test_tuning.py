"""A model whose parameters are searched, materialized in process on fakes."""

from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.model_versions.provenance import read_record
from mlops_assets.records.evaluation import ModelCard
from tests.support.runs.pipeline_runs import failure, materialize, metadata

STAGES = ["raw_data", "processed_data", "features", "trained_model", "evaluation_report"]


@pytest.fixture
def tuned(loans: dict[str, Any]) -> ModelSettings:
    space = {"C": {"type": "float", "low": 1e-6, "high": 10, "log": True}}
    loans["training"]["tune"] = {"params": space, "trials": 6, "metric": "loss"}
    return ModelSettings.model_validate(loans)


@pytest.mark.usefixtures("drawn")
def test_a_search_ends_in_the_model_its_run_and_its_record(
    tuned: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = materialize(tuned, resources, instance, STAGES)

    facts = metadata(result, "loans", "trained_model")
    tracking = resources["tracking"]
    version = tracking.registry.version("loans", 1)
    (best,) = [row["value"] for row in facts["tuning_best_params"]]
    assert facts["tuning_trials"] == 6
    assert "tuning](data:image/png" in facts["plots"]
    assert tracking.server.runs[version.run_id]["params"]["C"] == best
    assert read_record(version, tracking).params == {"C": best}
    assert ModelSettings.model_validate(read_record(version, tracking).settings) == tuned
    card = tracking.run_of(version).read_text("model_card.json")
    assert ModelCard.model_validate_json(card).params["C"] == best
    trials = [
        run
        for run in tracking.server.runs.values()
        if run["tags"].get("mlflow.parentRunId") == version.run_id
    ]
    assert len(trials) == 6
    values = [run["metrics"]["tuning_log_loss"] for run in trials if run["metrics"]]
    assert min(values) == facts["tuning_best_log_loss"]
    assert "tuning: trial 6 of 6: " in capsys.readouterr().err

    materialize(tuned, resources, instance, ["trained_model"])
    again = read_record(tracking.registry.version("loans", 2), tracking)
    assert again.prediction_sha256 == read_record(version, tracking).prediction_sha256


def test_a_search_without_a_result_is_a_failure_with_its_reason(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    space = {"C": {"type": "float", "low": -2, "high": -1}}
    loans["training"]["tune"] = {"params": space, "trials": 2}
    result = materialize(ModelSettings.model_validate(loans), resources, instance, STAGES)
    assert "none of 2 trials could be fitted" in failure(result)
    assert not resources["tracking"].server.models
