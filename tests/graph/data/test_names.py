"""A table with the names that the product itself uses, from the source to the reports."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from tests.support.runs.pipeline_runs import build, checks, materialize, metadata
from tests.support.served.live_rows import predictions, stored_features

OF_THE_LOG = ("request_id", "event_time", "logged_at", "features_as_of", "role", "entity", "score")
OF_THE_REPORTS = ("requests", "verdict", "rows", "skewed_features", "predicted", "label", "version")
OF_LIBRARIES = ("self", "index", "name", "size", "count", "t", "target", "id", "class", "select")
LOOK_ALIKE = ("source_a", "feature_role", "generation")
"""As the one-hot column of a category, and the log's column of a feature, are called."""
MORE_KEYS = (("source_b", "event_time_"), ("error_", "y"))
NAMES = OF_THE_LOG + OF_THE_REPORTS + OF_LIBRARIES + LOOK_ALIKE


@pytest.fixture(
    params=[
        ("model_version", "entity_id"),
        *(pytest.param(more, marks=pytest.mark.thorough) for more in MORE_KEYS),
    ]
)
def awkward(request: pytest.FixtureRequest, loans: dict[str, Any]) -> dict[str, Any]:
    """The loans with a number of each name, `source` for the text, and other keys."""
    file, (entity, target) = Path(loans["source"]["uri"]), request.param
    rows = pd.read_csv(file).rename(columns={"id": entity, "grade": "source"})
    rng = np.random.default_rng(0)
    columns = loans["contract"]["columns"]
    loans["contract"]["columns"] = {
        entity: columns["id"],
        "time": columns["time"],
        "source": columns["grade"],
        "outcome": columns["label"],
    }
    rows = rows.rename(columns={"label": "outcome"})
    for name in NAMES:
        rows[name] = rows["amount"] + rng.normal(size=len(rows)).round(2)
        loans["contract"]["columns"][name] = {"dtype": "float64"}
    rows.drop(columns="amount").to_csv(file, index=False)
    return {
        **loans,
        "entity": {"name": entity},
        "processing": {"categorical_encoding": ["source"], "fill_na": {"self": 0.0}},
        "features": {**loans["features"], "columns": [*NAMES, "source"]},
        "target": {"name": target, "task": "binary", "column": "outcome"},
        "evaluation": {**loans["evaluation"], "slices": ["source"]},
        "monitoring": {"window": "500d", "drift": {"min_rows": 50}},
    }


@pytest.mark.usefixtures("drawn")
def test_any_name_is_served_logged_and_reported(
    awkward: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    settings = ModelSettings.model_validate(awkward)
    result = materialize(settings, resources, instance)
    assert result.success
    assert all(checks(result).values())

    frame = stored_features(resources)
    logged = predictions(
        frame,
        np.full(len(frame), 0.5),
        entity=settings.entity.name,
        names=settings.features.names,
    )
    logged[[f"feature_{name}" for name in NAMES]] += 500.0
    logged["feature_source"] = np.where(np.arange(len(frame)) % 20, "a", "b")
    resources["predictions"].add("loans", logged)
    stages = ("prediction_log", "labels", "drift_report", "performance_report", "skew_report")
    job = build(settings, resources).resolve_job_def("loans_monitoring")
    reports = job.execute_in_process(
        instance=instance,
        asset_selection=[asset_key("loans", stage) for stage in stages],
        raise_on_error=False,
    )
    drift = metadata(reports, "loans", "drift_report")
    assert set(drift["drifted_columns"].split(", ")) >= {*NAMES, "source"}
    assert drift["evidently"].endswith(".html?workflowType=machine_learning)"), drift["evidently"]
    skew = metadata(reports, "loans", "skew_report")
    assert {row.get("name") or row["column"] for row in skew["skewed"]} == {*NAMES, "source"}
    assert skew["requests"] == min(len(frame), settings.monitoring.skew.sample)
    assert metadata(reports, "loans", "labels")["dagster/row_count"] == len(frame)
