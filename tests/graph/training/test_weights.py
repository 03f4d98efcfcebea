"""A weight comes with its row from the source to the training, and rounds are found there."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from tests.support.runs.pipeline_runs import failure, materialize, metadata

STAGES = ["raw_data", "processed_data", "features", "trained_model"]


@pytest.fixture
def weighted(loans: dict[str, Any]) -> ModelSettings:
    """Loans of which the defaulted ones count nothing."""
    file = Path(loans["source"]["uri"])
    rows = pd.read_csv(file)
    rows.assign(counts=1.0 - 0.999 * rows["label"]).to_csv(file, index=False)
    loans["contract"]["columns"]["counts"] = {"dtype": "float64", "min": 0}
    loans["training"] |= {
        "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
        "params": {"max_iter": 60},
        "weight": "counts",
        "early_stopping": {"fraction": 0.2, "rounds": 5},
    }
    return ModelSettings.model_validate(loans)


def test_a_weight_comes_with_its_row_and_the_rounds_that_were_best_are_told(
    weighted: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    result = materialize(weighted, resources, instance, [*STAGES, "evaluation_report"])

    facts, tracking = metadata(result, "loans", "trained_model"), resources["tracking"]
    version = tracking.registry.version("loans", 1)
    run = tracking.server.runs[version.run_id]
    assert 1 <= facts["rounds"] == run["params"]["rounds"] < 60
    # A model that was told that defaulted loans hardly count expects less than half of them.
    assert run["metrics"]["calibration_ratio"] < 0.5


def test_a_weight_that_the_source_lacks_is_a_failure_with_its_reason(
    weighted: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    file = Path(weighted.source.uri or "")
    pd.read_csv(file).drop(columns="counts").to_csv(file, index=False)
    assert "counts" in failure(materialize(weighted, resources, instance, STAGES))
