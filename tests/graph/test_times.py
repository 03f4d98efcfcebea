"""Moments through the graph: fractions, 1970, and features that have outlived their TTL."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.outcomes import known_labels, predicted_moments, with_outcomes
from tests.graph.live_rows import chances, predictions, stored_features
from tests.graph.pipeline_runs import STAGES, checks, failure, materialize, materialized


def with_times(file: Path, first: str, step: str) -> None:
    """The loans at other moments, down to the nanosecond."""
    rows = pd.read_csv(file)
    times = pd.date_range(first, periods=len(rows), freq=step, tz="UTC")
    rows["time"] = [time.isoformat() for time in times]
    rows.to_csv(file, index=False)


@pytest.mark.parametrize(
    ("first", "step"),
    [
        ("2024-01-01T00:00:00.123456789", "20h13min7s501ms3us7ns"),
        ("1969-06-01", "1D"),
        ("1700-01-01T00:00:00.5", "1D"),
    ],
)
def test_any_moment_is_trained_on_checked_and_labelled(
    settings: ModelSettings,
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    first: str,
    step: str,
) -> None:
    with_times(loans_csv, first, step)

    result = materialize(settings, resources, instance)

    assert result.success
    assert all(checks(result).values())
    features = stored_features(resources)
    log = predictions(features, chances(features))  # whose moments are of whole microseconds
    rows = pd.read_parquet(
        resources["io_manager"].path(dg.AssetKey(["loans", "processed_data"]), pd.DataFrame)
    )
    known = known_labels(rows, predicted_moments(log, settings), settings)
    assert with_outcomes(log, known, settings)["label"].notna().all()


def test_features_that_nobody_could_be_served_are_refused_before_the_training(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    clock = settings.features.model_copy(update={"clock": "wall"})
    result = materialize(
        settings.model_copy(update={"features": clock}), resources, instance, STAGES[:4]
    )
    assert materialized(result) == STAGES[:2]
    said = failure(result)
    assert "the newest row is of 2025-02-03 00:00:00 UTC" in said
    assert "older than features.ttl, 400 days" in said
    assert "`features.clock: data`" in said
    assert "a longer `features.ttl`" in said
